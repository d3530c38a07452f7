package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"hubcap/engine/adopt"
	"hubcap/providers/kube"
)

// checkOwners holds what was written against who owns the live objects now, which
// Helm's record does not know. A release that another config of hubcap has taken
// over is left out, and then it reports true: the draft has to be written again.
// What belongs to anybody else spoils its proof.
func (i *importing) checkOwners(ctx context.Context, proofs []proof) (bool, error) {
	i.found.objects.Owner = cmp.Or(i.facts.Config, i.found.objects.Owner)
	left := false
	for n := range proofs {
		p := &proofs[n]
		at := slices.IndexFunc(i.facts.Releases, func(r adopt.Release) bool { return r.Key.String() == p.Release })
		if at < 0 || p.Problem != "" {
			continue
		}
		key := i.facts.Releases[at].Key
		refused, unreadable, err := i.found.objects.Refusals(ctx, i.desired[key])
		if errors.Is(err, context.Canceled) {
			return false, err
		}
		if err != nil {
			return false, fmt.Errorf("find out whose the objects of Helm release %s are: %w", key, err)
		}
		for _, u := range unreadable {
			i.found.note(fmt.Sprintf("Whose %s are was not to be read, and apply may refuse to take them: %s.", u.What, u.Reason))
		}
		if taken := slices.IndexFunc(refused, func(r kube.Refusal) bool { return r.Config != "" }); taken >= 0 {
			i.leaveTo(key, refused, refused[taken])
			left = true
			continue
		}
		for _, r := range refused {
			p.Refused = append(p.Refused, r.Object+": "+r.Reason)
		}
	}
	return left, nil
}

// leaveTo leaves a release to the config that has it already.
func (i *importing) leaveTo(key adopt.Key, refused []kube.Refusal, taken kube.Refusal) {
	count := 0
	for _, r := range refused {
		if r.Config == taken.Config {
			count++
		}
	}
	i.facts.Releases = slices.DeleteFunc(slices.Clone(i.facts.Releases), func(r adopt.Release) bool { return r.Key == key })
	i.found.note(fmt.Sprintf("Helm release %[1]s is left out: %[2]d of its objects, such as %[3]s, belong to the hubcap config %[4]q (label %[5]s)."+
		" To describe them for that config, import where a block hubcap has name = %[4]q.", key, count, taken.Object, taken.Config, kube.LabelConfig))
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
