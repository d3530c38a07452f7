package gke

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
)

// Read holds the desired node pools beside the cluster's live ones. It asks the
// API once; a second time, for the operations, only when a pool was changed
// behind hubcap's back. Pools that bear our labels and are not known to be ours are
// apart from the orphans. Objects of other kinds are passed over.
func (p *Provider) Read(ctx context.Context, desired []resource.Desired) (resource.Reading, error) {
	live, err := p.list(ctx)
	if err != nil {
		return resource.Reading{}, err
	}
	sealed, err := p.readSeals(ctx)
	if err != nil {
		return resource.Reading{}, err
	}
	reading := resource.Reading{Unreadable: sealed.unread}
	wanted := map[string]bool{}
	blocks := map[string]resource.Address{} // what a label cannot hold is known from the block, while there is one
	for _, d := range desired {
		if d.ID.Group != resource.GroupGKE || d.ID.Kind != resource.KindNodePool || d.ID.Cluster != p.c.Cluster {
			continue
		}
		wanted[d.ID.Name] = true
		blocks[d.Object.Text("config", "resourceLabels", LabelBlock)] = d.Address.Block()
		reading.Observations = append(reading.Observations, p.observe(d, live[d.ID.Name], sealed))
	}
	for _, name := range names(live) {
		if l := live[name]; !wanted[name] && l.Owner == p.c.Owner {
			if block, isKnown := blocks[labelsOf(l.Object)[LabelBlock]]; isKnown {
				l.Address = block
				l.Component = resource.Component{Block: block}
			}
			sealed.sort(&reading, l)
		}
	}
	emptied(&reading)
	if err := p.checkChannel(ctx, reading.Observations); err != nil {
		return resource.Reading{}, err
	}
	p.date(ctx, reading.Observations)
	return reading, nil
}

func names(live map[string]*resource.Live) []string {
	var all []string
	for name := range live {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// list returns all node pools of the cluster by name.
func (p *Provider) list(ctx context.Context) (map[string]*resource.Live, error) {
	what := "read node pools of cluster " + p.c.Name
	svc, err := p.service(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	answer, err := read(ctx, p, func(ctx context.Context) (*container.ListNodePoolsResponse, error) {
		return svc.Projects.Locations.Clusters.NodePools.List(p.cluster()).Context(ctx).Do()
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	pools := map[string]*resource.Live{}
	for _, np := range answer.NodePools {
		l, err := p.live(np)
		if err != nil {
			return nil, fmt.Errorf("%s: node pool %s: %w", what, np.Name, err)
		}
		pools[np.Name] = l
	}
	return pools, nil
}

// live returns a node pool as it was read. Its object has what can be written
// again, and nothing else.
func (p *Provider) live(np *container.NodePool) (*resource.Live, error) {
	o, err := tree(np)
	if err != nil {
		return nil, err
	}
	l := &resource.Live{
		ID:      resource.ID{Cluster: p.c.Cluster, Group: resource.GroupGKE, Kind: resource.KindNodePool, Name: np.Name},
		Object:  writable(o),
		Version: np.Etag,
	}
	labels := labelsOf(o)
	if l.Owner = labels[LabelConfig]; l.Owner == p.owner {
		l.Owner = p.c.Owner
	}
	l.Protected, l.Seal = labels[LabelProtected] == "true", labels[noteSeal]
	if block := labels[LabelBlock]; block != "" {
		l.Address = addressOf(block)
		l.Component = resource.Component{Block: l.Address}
	}
	if digest := labels[noteApplied]; digest != "" {
		l.Applied = &resource.Applied{Digest: digest}
	}
	return l, nil
}

// addressOf undoes, as far as it can be undone, how a block's address is written
// in a resource label: "node_pool-user" is node_pool.user.
func addressOf(label string) resource.Address {
	const kind = "node_pool"
	var a resource.Address
	path, name, found := strings.Cut("-"+label, "-"+kind+"-")
	if !found {
		return resource.Address{Kind: kind, Name: label}
	}
	for module := range strings.SplitSeq(path, "-module-") {
		if module == "" {
			continue
		}
		if a.Module != "" {
			a.Module += "."
		}
		a.Module += "module." + module
	}
	a.Kind, a.Name = kind, name
	return a
}

// outputs are the fields of a pool that GKE alone writes, or fills in from
// others.
var outputs = [][]string{
	{"selfLink"}, {"etag"}, {"status"}, {"statusMessage"}, {"conditions"}, {"instanceGroupUrls"}, {"podIpv4CidrSize"},
	{"updateInfo"}, {"kubeletCertInfo"}, {"version"}, {"autopilotConfig"}, {"management", "upgradeOptions"},
	{"autoscaling", "autoprovisioned"}, {"networkConfig", "podIpv4CidrBlock"}, {"networkConfig", "podIpv4RangeUtilization"},
	{"config", "effectiveCgroupMode"}, {"config", "nodeImageConfig"}, {"config", "windowsNodeConfig"},
}

// writable returns o without the fields that cannot be written.
func writable(o resource.Object) resource.Object {
	w := o.Copy()
	for _, path := range outputs {
		m := map[string]any(w)
		for _, key := range path[:len(path)-1] {
			next, _ := m[key].(map[string]any)
			m = next
		}
		delete(m, path[len(path)-1]) // deleting from a nil map does nothing
	}
	labels, _ := w.Value("config", "resourceLabels")
	if byKey, isMap := labels.(map[string]any); isMap {
		for key := range byKey {
			if strings.HasPrefix(key, "goog-") {
				delete(byKey, key)
			}
		}
	}
	return w
}

// observe holds one desired pool beside the live one, which may be nil.
func (p *Provider) observe(d resource.Desired, live *resource.Live, sealed *seals) resource.Observation {
	if live != nil && live.Owner == p.c.Owner {
		d.Object = fixedSize(d.Object, live.Object)
	}
	o := resource.Observation{Desired: d, Live: live, Preview: d.Object.Copy()}
	if live == nil {
		return o
	}
	if live.Owner != "" && live.Owner != p.c.Owner {
		o.Refused = fmt.Sprintf("node pool %s belongs to the hubcap config %q; remove it there, or its resource label %s, first",
			live.ID.Name, live.Owner, LabelConfig)
		return o
	}
	owned := ownedEntries(d.Object, live.Object)
	o.Before = mirror(d.Object, live.Object, owned)
	want, have := leaves(d.Object), leaves(live.Object)
	differ := differing(want, have)
	o.Replace = replacing(append(slices.Clone(differ), owned...), want, have)
	if len(o.Replace) > 0 {
		o.Refused = fmt.Sprintf("node pool %s cannot be changed in place: %s; a pool of another name can be made beside it: leave its name to hubcap, or give it a new one",
			live.ID.Name, strings.Join(o.Replace, ", "))
	}
	o.Seals = sealed.lack(live)
	if len(differ) == 0 && len(owned) == 0 {
		if !o.Seals {
			o.Same, o.Before, o.Preview = true, nil, nil
		}
		return o
	}
	if slices.ContainsFunc(differ, func(l leaf) bool { return l.groupOf() == groupAutoscaling }) {
		wholeAutoscaling(&o, live.Object)
	}
	if live.Owner == "" {
		o.Notes = append(o.Notes, "adopts existing pool "+live.ID.Name)
		return o
	}
	if o.Unmoved = live.Applied != nil && live.Applied.Digest == applied(d.Object); o.Unmoved {
		o.Foreign = foreign(differ, want, have)
		hideSecrets(o.Foreign, differ, d.Object)
	}
	return o
}

// fixedSize returns what is wanted of a pool of ours. Without autoscaling a pool has a
// fixed size: where it has none any more, or somebody gave it some, that is turned off.
func fixedSize(want, live resource.Object) resource.Object {
	enabled, _ := live.Value("autoscaling", "enabled")
	if want["autoscaling"] != nil || enabled != true || want.Text("config", "resourceLabels", LabelConfig) == "" {
		return want // what is given back is left as it is
	}
	want = want.Copy()
	want["autoscaling"] = map[string]any{"enabled": false}
	return want
}

// wholeAutoscaling completes both sides of an observation by what the author did
// not write of the autoscaling and the call changes all the same: turning it off
// forgets its bounds, and bounds in all replace those for each zone.
func wholeAutoscaling(o *resource.Observation, live resource.Object) {
	wanted, isMap := o.Desired.Object["autoscaling"].(map[string]any)
	before, wasMap := o.Before["autoscaling"].(map[string]any)
	if !isMap || !wasMap {
		return
	}
	have, _ := live["autoscaling"].(map[string]any)
	for key, v := range have {
		if _, isThere := before[key]; !isThere {
			before[key] = v
		}
	}
	after := autoscaling(o.Desired.Object, live)
	for key, v := range wanted {
		after[key] = resource.CopyValue(v)
	}
	for key, v := range after {
		if _, was := before[key]; !was && canonical(v) == nil {
			delete(after, key)
		}
	}
	o.Preview["autoscaling"] = after
}

// foreign returns what someone changed since hubcap applied what is still wanted.
// GKE does not tell who it was.
func foreign(differ []leaf, want, have map[leaf]any) []resource.Foreign {
	var fields []resource.Foreign
	for _, l := range differ {
		fields = append(fields, resource.Foreign{
			Path: l.String(), Manager: "unknown (GKE API)", Wanted: want[l], Live: have[l],
		})
	}
	return fields
}

// hideSecrets marks values of entries that are sensitive in want.
func hideSecrets(fields []resource.Foreign, differ []leaf, want resource.Object) {
	for i, l := range differ {
		if !secretive(want, l) {
			continue
		}
		for _, v := range []*any{&fields[i].Wanted, &fields[i].Live} {
			if text, isText := (*v).(string); isText {
				*v = resource.Secret(text)
			}
		}
	}
}

// secretive reports whether want has a sensitive value at l.
func secretive(want resource.Object, l leaf) bool {
	path := strings.Split(l.field, ".")
	if l.entry != "" {
		path = append(path, l.entry)
	}
	v, _ := want.Value(path...)
	_, isSensitive := v.(resource.Sensitive)
	return isSensitive
}

// date finds out from the cluster's operations when pools were changed behind
// hubcap's back. Not finding out is no harm: the change is told without its time.
func (p *Provider) date(ctx context.Context, observations []resource.Observation) {
	drifted := slices.ContainsFunc(observations, func(o resource.Observation) bool { return len(o.Foreign) > 0 })
	if !drifted {
		return
	}
	ops, err := p.operations(ctx)
	if err != nil {
		return
	}
	for i := range observations {
		o := &observations[i]
		if len(o.Foreign) == 0 {
			continue
		}
		last := latest(ops, "/nodePools/"+o.Desired.ID.Name)
		if last == nil {
			continue
		}
		when, err := time.Parse(time.RFC3339Nano, last.StartTime)
		if err != nil {
			continue
		}
		for f := range o.Foreign {
			o.Foreign[f].Time = when
			o.Foreign[f].Manager = "unknown (GKE " + last.OperationType + ")"
		}
	}
}

// latest returns the operation on target that began last, or nil.
func latest(ops []*container.Operation, target string) *container.Operation {
	var last *container.Operation
	for _, op := range ops {
		if strings.HasSuffix(op.TargetLink, target) && (last == nil || op.StartTime > last.StartTime) {
			last = op
		}
	}
	return last
}
