package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// A Takeover says that a block makes objects its own that exist already, and
// whose they were. Moving an object from one owner to another restarts nothing;
// other differences do what they always do.
type Takeover struct {
	Address  resource.Address      `json:"address"` // of the block
	Cluster  string                `json:"cluster"`
	From     string                `json:"from"`              // "Helm release prod/hub", "kubectl-client-side-apply"
	By       string                `json:"by,omitempty"`      // "Helm 3"
	Release  *resource.HelmRelease `json:"release,omitempty"` // as Helm recorded it
	Again    bool                  `json:"again,omitempty"`   // they were hubcap's, and their former owner wrote into them since
	Objects  int                   `json:"objects"`
	Changed  int                   `json:"changed"`            // objects that get other values, too
	Restarts []string              `json:"restarts,omitempty"` // components of the block that restart
	Pods     int                   `json:"pods"`               // of these
}

// onlyOwner reports whether c gives its object another owner, or a seal, and nothing
// else.
func onlyOwner(c *resource.Change) bool {
	return c.Action == resource.Update && len(c.Fields) == 0 && (c.TakesOver != nil || c.GivesBack != nil || c.Seals)
}

// takeOver fills in the take-overs of the plan, and what they leave.
func (b *builder) takeOver() {
	type key struct {
		block         resource.Address
		cluster, from string
		again         bool
	}
	byKey := make(map[key]*Takeover)
	for _, s := range b.plan.Steps() {
		for _, c := range s.Changes {
			if c.TakesOver == nil {
				continue
			}
			k := key{c.Address.Block(), c.ID.Cluster, c.TakesOver.From, c.TakesOver.Again}
			t := byKey[k]
			if t == nil {
				t = &Takeover{Address: k.block, Cluster: k.cluster, From: k.from, By: c.TakesOver.By(), Again: k.again}
				if r := c.TakesOver.Release; r != nil {
					t.Release = b.helmRelease(k.cluster, *r)
				}
				byKey[k] = t
			}
			t.count(c)
		}
	}
	for _, t := range byKey {
		b.plan.Takeovers = append(b.plan.Takeovers, *t)
		if t.Release != nil && !t.Again {
			b.keepLeft(t.Address, *t.Release)
		}
	}
	slices.SortFunc(b.plan.Takeovers, func(x, y Takeover) int {
		return cmp.Or(cmp.Compare(x.Address.String(), y.Address.String()), cmp.Compare(x.Cluster, y.Cluster), cmp.Compare(x.From, y.From))
	})
}

func (t *Takeover) count(c resource.Change) {
	t.Objects++
	if len(c.Fields) > 0 {
		t.Changed++
	}
	if c.Impact.PodsRestarted == 0 {
		return
	}
	t.Pods += c.Impact.PodsRestarted
	if name := cmp.Or(c.Component.Name, c.Component.String()); !slices.Contains(t.Restarts, name) {
		t.Restarts = append(t.Restarts, name)
	}
}

func (b *builder) helmRelease(cluster string, r resource.Release) *resource.HelmRelease {
	for _, h := range b.Reading.Releases {
		if h.Cluster == cluster && h.Release == r {
			return &h
		}
	}
	return &resource.HelmRelease{Cluster: cluster, Release: r}
}

// keepLeft notes the objects of a release that its block does not ask for. They
// are nobody's work to delete unasked: hubcap does not own them.
func (b *builder) keepLeft(block resource.Address, r resource.HelmRelease) {
	for _, id := range r.Left {
		address := block
		address.Object = id.Kind + "/" + id.Name
		b.plan.Kept = append(b.plan.Kept, Kept{ID: id, Address: address,
			Reason: fmt.Sprintf("of Helm release %s, which is taken over, and not in the config: it stays Helm's, delete it by hand if it is not needed", r.Release)})
	}
}

// String says what is taken over and what it does, in one line without the block.
func (t Takeover) String() string {
	var b strings.Builder
	verb := "takes over "
	if t.Again {
		verb = "takes back "
	}
	objects := "1 object"
	if t.Objects != 1 {
		objects = fmt.Sprintf("%d objects", t.Objects)
	}
	b.WriteString(verb + objects + " of " + t.From)
	var facts []string
	if r := t.Release; r != nil && r.Revision > 0 {
		facts = append(facts, fmt.Sprintf("revision %d", r.Revision), "chart "+r.Chart)
	}
	if t.By != "" {
		facts = append(facts, "by "+t.By)
	}
	if len(facts) > 0 {
		b.WriteString(" (" + strings.Join(facts, ", ") + ")")
	}
	switch {
	case len(t.Restarts) > 0:
		pods := "1 pod"
		if t.Pods != 1 {
			pods = fmt.Sprintf("%d pods", t.Pods)
		}
		fmt.Fprintf(&b, "; restarts %s (%s)", strings.Join(t.Restarts, ", "), pods)
	default:
		b.WriteString("; restarts nothing")
	}
	if t.Changed > 0 {
		verb := "get"
		if t.Changed == 1 {
			verb = "gets"
		}
		fmt.Fprintf(&b, "; %d of them %s other values", t.Changed, verb)
	}
	return b.String()
}

// Notes are what is worth knowing beside it.
func (t Takeover) Notes() []string {
	r := t.Release
	if r == nil {
		return nil
	}
	var notes []string
	if strings.HasPrefix(r.Status, "pending-") {
		notes = append(notes, fmt.Sprintf("Helm left the release in %s: no obstacle here, and none any more", r.Status))
	}
	if r.Problem != "" {
		notes = append(notes, r.Problem)
	}
	if !t.Again {
		notes = append(notes, fmt.Sprintf("Helm's records (Secrets sh.helm.release.v1.%s.*) stay; never run helm uninstall: it would delete these objects", r.Release.Name))
	}
	return notes
}
