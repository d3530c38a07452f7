package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"hubcap/engine/adopt"
	"hubcap/engine/resource"
	"hubcap/providers/kube"
)

// checkOwners holds what was written against who owns the live objects now, and which kinds
// the server knows, both of which Helm's record does not say. A release that another config of hubcap has taken
// over is left out, and then it reports true: the draft has to be written again.
// What belongs to anybody else spoils its proof.
func (i *importing) checkOwners(ctx context.Context, proofs []proof) (bool, error) {
	as := i.found.objects
	objects := &kube.Provider{Client: as.Client, Cluster: as.Cluster, Owner: cmp.Or(i.facts.Config, as.Owner), FieldManager: as.FieldManager}
	var desired []resource.Desired
	for _, r := range i.facts.Releases {
		desired = append(desired, i.desired[r.Key]...)
	}
	all, unreadable, err := objects.Refusals(ctx, desired)
	if errors.Is(err, context.Canceled) {
		return false, err
	}
	if err != nil {
		return false, fmt.Errorf("find out whose the objects of the releases are: %w", err)
	}
	for _, u := range unreadable {
		i.found.note(fmt.Sprintf("Whose %s are was not to be read, and apply may refuse to take them: %s.", u.What, u.Reason))
	}
	left := false
	for n := range proofs {
		p := &proofs[n]
		refused := slices.DeleteFunc(slices.Clone(all), func(r kube.Refusal) bool { return r.Address.Block().String() != p.Block })
		if taken := slices.IndexFunc(refused, func(r kube.Refusal) bool { return r.Config != "" }); taken >= 0 {
			i.leaveTo(p.Release, refused, refused[taken])
			left = true
			continue
		}
		for _, r := range refused {
			if r.NoKind {
				p.NoKind = append(p.NoKind, r.Address.Object+": "+r.Reason)
			} else {
				p.Refused = append(p.Refused, r.Address.Object+": "+r.Reason)
			}
		}
	}
	return left, nil
}

// leaveTo leaves a release to the config that has it already.
func (i *importing) leaveTo(release string, refused []kube.Refusal, taken kube.Refusal) {
	count := 0
	for _, r := range refused {
		if r.Config == taken.Config {
			count++
		}
	}
	i.facts.Releases = slices.DeleteFunc(slices.Clone(i.facts.Releases), func(r adopt.Release) bool { return r.Key.String() == release })
	i.found.note(fmt.Sprintf("Helm release %[1]s is left out: %[2]d of its objects, such as %[3]s, belong to the hubcap config %[4]q (label %[5]s)."+
		" To describe them for that config, import where a block hubcap has name = %[4]q.", release, count, taken.Address.Object, taken.Config, kube.LabelConfig))
}

// note adds a remark for people, once.
func (f *found) note(text string) {
	if !slices.Contains(f.skipped, text) {
		f.skipped = append(f.skipped, text)
	}
}

// isEmpty reports that there is no config yet, and nothing to describe in one.
func (i *importing) isEmpty() bool {
	return i.found.cluster.Known == adopt.NotKnown && len(i.facts.Releases) == 0 && len(i.facts.Pools) == 0
}

// deliverNothing says why there is nothing to write. A cluster block alone would
// look like success.
func (i *importing) deliverNothing() error {
	i.draft = &adopt.Draft{}
	if i.s.output == asJSON {
		if err := i.answerJSON(nil); err != nil {
			return err
		}
	}
	i.report(nil)
	if len(i.found.unreadable) > 0 {
		return silently(exitIncomplete)
	}
	return silently(exitError)
}
