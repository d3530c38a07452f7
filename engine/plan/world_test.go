package plan_test

import (
	"fmt"
	"testing"
	"time"

	"hubcap/engine/diff"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// An object is one object of a scenario: as wanted, and as it is.
type object struct {
	block     string // "hub.prod"
	component string
	kind      string
	group     string
	name      string
	namespace string // default: the block's name
	cluster   string // default: "main"
	want      map[string]any
	live      map[string]any
	needs     []resource.ID
	line      int
	foreign   []resource.Foreign
	applied   string // digest; "same": that of want
	protected bool
	replace   []string
	refused   string
	ensured   bool
}

func (o object) id() resource.ID {
	id := resource.ID{Cluster: o.cluster, Group: o.group, Kind: o.kind, Namespace: o.namespace, Name: o.name}
	if id.Cluster == "" {
		id.Cluster = "main"
	}
	switch o.kind {
	case resource.KindNodePool:
		id.Group = resource.GroupGKE
	case "PriorityClass":
		id.Group = "scheduling.k8s.io"
	case "RuntimeClass":
		id.Group = "node.k8s.io"
	case "StorageClass":
		id.Group = "storage.k8s.io"
	case "Namespace", "PersistentVolume", "CustomResourceDefinition", "ClusterRole", "ValidatingWebhookConfiguration":
	default:
		if id.Namespace == "" {
			id.Namespace = resource.ParseAddress(o.block).Name
		}
	}
	return id
}

func (o object) address() resource.Address {
	a := resource.ParseAddress(o.block)
	if o.kind != resource.KindNodePool {
		a.Object = o.kind + "/" + o.name
	}
	return a
}

// tree returns body as a whole object.
func (o object) tree(body map[string]any) resource.Object {
	if body == nil {
		return nil
	}
	t := resource.Object{"kind": o.kind, "metadata": map[string]any{"name": o.name}}
	for k, v := range body {
		t[k] = v
	}
	return t
}

// input returns what a plan of the scenario is made from.
func input(objects ...object) plan.Input {
	in := plan.Input{
		Version: "test", Config: "default", Created: time.Unix(1_700_000_000, 0),
		Clusters: []plan.Cluster{{Name: "main"}}, Census: map[string]resource.Census{},
	}
	for _, o := range objects {
		c := resource.Component{Block: resource.ParseAddress(o.block), Name: o.component}
		live := &resource.Live{ID: o.id(), Address: o.address(), Component: c, Object: o.tree(o.live), Owner: "default", Protected: o.protected}
		if o.live == nil {
			live = nil
		}
		if o.want == nil {
			in.Reading.Orphans = append(in.Reading.Orphans, *live)
			continue
		}
		d := resource.Desired{
			ID: o.id(), Address: o.address(), Component: c, Object: o.tree(o.want), Presence: resource.Managed,
			Needs: o.needs, Origin: resource.Range{File: "main.hcl", Line: o.line}, Protected: o.protected,
		}
		if o.ensured {
			d.Presence = resource.Ensured
		}
		ob := resource.Observation{Desired: d, Live: live, Foreign: o.foreign, Replace: o.replace, Refused: o.refused}
		if live != nil {
			ob.Before, ob.Preview = live.Object, d.Object
			ob.Same = resource.Equal(map[string]any(live.Object), map[string]any(d.Object))
			if o.applied == "same" {
				live.Applied = &resource.Applied{Digest: resource.Digest(d.Object)}
				ob.Unmoved = true
			} else if o.applied != "" {
				live.Applied = &resource.Applied{Digest: o.applied}
			}
		}
		in.Reading.Observations = append(in.Reading.Observations, ob)
	}
	in.Changes = diff.Compare(in.Reading)
	return in
}

func build(t *testing.T, in plan.Input) *plan.Plan {
	t.Helper()
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// lines returns a plan as "wave | step class: change, change".
func lines(p *plan.Plan) []string {
	out := []string{}
	for _, w := range p.Waves {
		for _, s := range w.Steps {
			line := fmt.Sprintf("%s | %s | %s:", w.Name, s.ID, s.Class)
			for _, c := range s.Changes {
				line += " " + c.Action.Symbol() + c.ID.Kind + "/" + c.ID.Name
			}
			out = append(out, line)
		}
	}
	return out
}

// pods returns the spec of a workload: its image, its stamp, and what it reads.
func pods(image, stamp string, reads ...string) map[string]any {
	var env []any
	for _, name := range reads {
		env = append(env, map[string]any{"name": "X_" + name, "valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": name, "key": "k"}}})
	}
	container := map[string]any{"name": "hub", "image": image}
	if env != nil {
		container["env"] = env
	}
	return map[string]any{"spec": map[string]any{
		"replicas": int64(1),
		"template": map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{"checksum/secret": stamp}},
			"spec":     map[string]any{"containers": []any{container}},
		},
	}}
}

func data(kv ...string) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	return map[string]any{"data": m}
}

func autoscaling(least, most int64, machine string) map[string]any {
	return map[string]any{
		"autoscaling": map[string]any{"enabled": true, "minNodeCount": least, "maxNodeCount": most},
		"config":      map[string]any{"machineType": machine},
	}
}
