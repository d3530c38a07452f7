package schema

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"hubcap/engine/resource"
)

// A selector is one element of a rollout's order. Which hubs it means is known
// when all blocks are.
type selector struct {
	at      hcl.Range
	blocks  []resource.Address // named
	labels  map[string]string  // hubs that have all of them
	byLabel string             // hubs that have it, one wave for each value
	count   int64              // so many of the hubs that are left, in all
	share   *big.Rat           // such a part of them
	rest    bool
}

// means reports whether a selector says anything; one with a mistake does not.
func (s selector) means() bool {
	return len(s.blocks) > 0 || len(s.labels) > 0 || s.byLabel != "" || s.count > 0 || s.share != nil || s.rest
}

// portions reports whether the selector takes from the hubs that are left.
func (s selector) portions() bool { return s.count > 0 || s.share != nil || s.rest }

var percentage = regexp.MustCompile(`^([0-9]{1,3}(\.[0-9]{1,3})?)%$`)

// selector decodes an element that is no reference: "10%", 1, "rest" or an object.
func (b *body) selector(v cty.Value, at hcl.Range) (s selector, isSelector bool) {
	if v.IsNull() || !v.IsKnown() || targetOf(v) != nil {
		return s, false
	}
	switch t := v.Type(); {
	case t == cty.Number:
		n, exact := v.AsBigFloat().Int64()
		if exact != big.Exact || n < 1 {
			b.errorAt(at, "Invalid wave", "A number in the order is so many hubs in all, and must be whole and at least 1.")
			return s, true
		}
		s.count = n
		return s, true
	case t == cty.String:
		return b.portion(v.AsString(), at)
	case (t.IsObjectType() || t.IsMapType()) && instanceExample(v) == "" && v.LengthInt() > 0:
		return b.labelSelector(v, at), true
	}
	return s, false
}

func (b *body) portion(text string, at hcl.Range) (s selector, isSelector bool) {
	if text == "rest" {
		s.rest = true
		return s, true
	}
	if strings.HasSuffix(text, "%") {
		m := percentage.FindStringSubmatch(text)
		if m != nil {
			s.share, _ = new(big.Rat).SetString(m[1])
			s.share.Quo(s.share, big.NewRat(100, 1))
		}
		if m == nil || s.share.Sign() == 0 || s.share.Cmp(big.NewRat(1, 1)) > 0 {
			b.errorAt(at, "Invalid share", `%q is not a share of hubs: write "10%%", up to "100%%".`, shorten(text))
			s.share = nil
		}
		return s, true
	}
	if strings.ContainsAny(text, ".[") {
		return s, false // a reference in quotes
	}
	b.errorAt(at, "Unknown wave", `%q is not a wave, which is a block, a list of blocks, a number of hubs, a share such as "10%%", { labels = { … } }, { by_label = "…" }, or "rest".%s`,
		shorten(text), suggestion(text, []string{"rest"}))
	return s, true
}

func (b *body) labelSelector(v cty.Value, at hcl.Range) (s selector) {
	known := []string{"labels", "by_label"}
	fields := v.AsValueMap()
	for _, key := range sortedKeys(fields) {
		value := fields[key]
		var err error
		switch key {
		case "labels":
			s.labels, err = labelsOf(value)
		case "by_label":
			value, err = convert.Convert(value, cty.String)
			if err == nil && !value.IsNull() {
				s.byLabel = value.AsString()
			}
		default:
			b.errorAt(at, "Unknown attribute", "A selector of hubs has no attribute %q, only labels and by_label.%s", key, suggestion(key, known))
			return selector{}
		}
		if err != nil || key == "labels" && len(s.labels) == 0 || key == "by_label" && s.byLabel == "" {
			b.errorAt(at, "Invalid selector", `Write { labels = { tier = "canary" } } for the hubs with a label, or { by_label = "community" } for one wave per value.`)
			return selector{}
		}
	}
	return s
}

func labelsOf(v cty.Value) (map[string]string, error) {
	m, err := convert.Convert(v, cty.Map(cty.String))
	if err != nil || m.IsNull() || hasNull(m) {
		return nil, err
	}
	labels := map[string]string{}
	for key, value := range m.AsValueMap() {
		labels[key] = value.AsString()
	}
	return labels, nil
}

// resolveOrders finds out which hubs the selectors of rollouts mean.
func (l *loader) resolveOrders() {
	named := map[resource.Address]bool{} // by their own names, in any rollout
	for _, r := range l.config.Rollouts {
		for _, s := range l.orders[r.Address] {
			for _, address := range s.blocks {
				named[address] = true
			}
		}
	}
	taken := map[resource.Address]bool{}
	for i := range l.config.Rollouts {
		o := &ordering{loader: l, rollout: &l.config.Rollouts[i], named: named, taken: taken, mine: map[resource.Address]bool{}}
		for _, s := range l.orders[o.rollout.Address] {
			o.add(s)
		}
	}
}

// An ordering is one rollout while its selectors are resolved.
type ordering struct {
	*loader
	rollout *Rollout
	named   map[resource.Address]bool
	taken   map[resource.Address]bool // by selectors, of other rollouts too
	mine    map[resource.Address]bool // in a wave of this one

	left  []resource.Address // that portions take from; nil until the first of them
	given int                // how many of them were taken
	last  selector           // the portion before
}

func (o *ordering) add(s selector) {
	switch {
	case len(s.blocks) > 0:
		o.addNamed(s)
	case o.last.rest:
		o.errorAt(s.at, "Wave after the rest", "The wave before it takes all hubs that are left. Only blocks named by themselves can come after it.")
	case s.portions():
		o.addPortion(s)
	case s.byLabel != "":
		o.addByLabel(s)
	default:
		o.wave(labelName(s.labels), o.labelled(s))
	}
}

func (o *ordering) addNamed(s selector) {
	var wave []resource.Address
	for _, address := range s.blocks {
		if o.mine[address] {
			o.errorAt(s.at, "Block in two waves", "%s is in the order already. Name each block once.", address)
			continue
		}
		wave = append(wave, address)
		o.mine[address] = true
	}
	o.append("", wave)
}

func (o *ordering) append(name string, wave []resource.Address) {
	if len(wave) == 0 {
		return
	}
	o.rollout.Order = append(o.rollout.Order, wave)
	o.rollout.Names = append(o.rollout.Names, name)
}

// wave adds hubs that a selector found.
func (o *ordering) wave(name string, wave []resource.Address) {
	for _, address := range wave {
		o.mine[address], o.taken[address] = true, true
	}
	o.append(name, wave)
}

// labelled returns the hubs with the labels that are in no wave yet. Labels that
// no hub has are a mistake.
func (o *ordering) labelled(s selector) []resource.Address {
	var found []resource.Address
	anyone := false
	for i := range o.config.Hubs {
		h := &o.config.Hubs[i]
		if !hasLabels(h, s) {
			continue
		}
		anyone = true
		if !o.mine[h.Address] && !o.named[h.Address] {
			found = append(found, h.Address)
		}
	}
	switch {
	case !anyone && !o.anyBadHub():
		o.errorAt(s.at, "Label that no hub has", "No hub has the label %s.%s", labelName(s.labels, s.byLabel), o.nearLabel(s))
	case anyone && len(found) == 0:
		o.warnAt(s.at, "Wave without hubs", "Every hub with the label %s is in another wave already.", labelName(s.labels, s.byLabel))
	}
	return found
}

func hasLabels(h *Hub, s selector) bool {
	for key, value := range s.labels {
		if h.Labels[key] != value {
			return false
		}
	}
	_, has := h.Labels[s.byLabel]
	return has || s.byLabel == ""
}

// anyBadHub reports whether the labels of a hub may not be known.
func (o *ordering) anyBadHub() bool {
	return slices.ContainsFunc(o.config.Hubs, func(h Hub) bool { return o.bad[h.Address] })
}

// nearLabel suggests a key, or the values that a key has.
func (o *ordering) nearLabel(s selector) string {
	keys, values := map[string]bool{}, map[string]bool{}
	wanted, value := s.byLabel, ""
	for _, key := range sortedKeys(s.labels) {
		if wanted == "" || value == "" {
			wanted, value = key, s.labels[key]
		}
	}
	for i := range o.config.Hubs {
		for key, v := range o.config.Hubs[i].Labels {
			keys[key] = true
			if key == wanted {
				values[v] = true
			}
		}
	}
	switch {
	case len(keys) == 0:
		return ` A hub's labels are set in its block: labels = { tier = "canary" }.`
	case len(values) > 0:
		return fmt.Sprintf(" Its values are %s.%s", quoted(slices.Sorted(maps.Keys(values))), suggestion(value, slices.Collect(maps.Keys(values))))
	}
	return fmt.Sprintf(" The labels of hubs are %s.%s", quoted(slices.Sorted(maps.Keys(keys))), suggestion(wanted, slices.Collect(maps.Keys(keys))))
}

func labelName(labels map[string]string, byLabel ...string) string {
	var parts []string
	for _, key := range sortedKeys(labels) {
		parts = append(parts, key+"="+labels[key])
	}
	for _, key := range byLabel {
		if key != "" {
			parts = append(parts, key)
		}
	}
	return strings.Join(parts, ",")
}

// addByLabel adds a wave for each value of a label, in the order of the values.
func (o *ordering) addByLabel(s selector) {
	labels := map[resource.Address]string{}
	for i := range o.config.Hubs {
		labels[o.config.Hubs[i].Address] = o.config.Hubs[i].Labels[s.byLabel]
	}
	waves := map[string][]resource.Address{}
	for _, address := range o.labelled(s) {
		waves[labels[address]] = append(waves[labels[address]], address)
	}
	for _, value := range sortedKeys(waves) {
		o.wave(s.byLabel+"="+value, waves[value])
	}
}

// addPortion adds so many hubs that a number, or a share of those that are left,
// rounded up, is reached in all.
func (o *ordering) addPortion(s selector) {
	if o.left == nil {
		o.left = o.spread()
	}
	goal, name := len(o.left), "rest"
	switch {
	case s.count > 0:
		goal, name = int(min(s.count, int64(len(o.left)))), strconv.FormatInt(s.count, 10)
		if o.last.count > 0 && s.count <= o.last.count {
			o.errorAt(s.at, "Waves that do not grow", "%d hubs are in earlier waves already: numbers count all hubs up to their wave.", o.last.count)
		}
	case s.share != nil:
		part := new(big.Rat).Mul(s.share, big.NewRat(int64(len(o.left)), 1))
		goal, name = ceiling(part), percentName(s.share)
		if o.last.share != nil && s.share.Cmp(o.last.share) <= 0 {
			o.errorAt(s.at, "Waves that do not grow", "%s of the hubs are in earlier waves already: shares count all hubs up to their wave.", percentName(o.last.share))
		}
	}
	o.last = s
	var wave []resource.Address
	for at := o.given; at < goal; at++ {
		if !o.mine[o.left[at]] {
			wave = append(wave, o.left[at])
		}
	}
	o.given = max(o.given, goal)
	o.wave(name, wave)
}

func ceiling(r *big.Rat) int {
	n := new(big.Int).Add(r.Num(), new(big.Int).Sub(r.Denom(), big.NewInt(1)))
	return int(n.Quo(n, r.Denom()).Int64())
}

func percentName(share *big.Rat) string {
	text := new(big.Rat).Mul(share, big.NewRat(100, 1)).FloatString(3)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".") + "%"
}

// spread returns the hubs that no rollout has named, in the order in which waves
// take them: one from each cluster in turn, in the order of the clusters' names,
// and within a cluster as the files have them.
func (o *ordering) spread() []resource.Address {
	type place struct {
		turn    int
		cluster string
		address resource.Address
	}
	turns := map[string]int{}
	var places []place
	for i := range o.config.Hubs {
		h := &o.config.Hubs[i]
		if o.named[h.Address] || o.taken[h.Address] || o.mine[h.Address] {
			continue
		}
		cluster := h.Cluster.String()
		places = append(places, place{turns[cluster], cluster, h.Address})
		turns[cluster]++
	}
	slices.SortStableFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.turn, b.turn), cmp.Compare(a.cluster, b.cluster))
	})
	left := []resource.Address{}
	for _, p := range places {
		left = append(left, p.address)
	}
	return left
}
