package expand

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"hubcap/schema"
)

// A qosPath says where the resources and the pod spec of a component are set.
type qosPath struct {
	jupyter   bool     // below the JupyterHub chart
	resources []string // a table of requests and limits
	podSpec   []string // takes priorityClassName; nil: there is no such place
}

// qosPaths is by key of the attribute qos. "user" is not among them: the user's
// server is made by KubeSpawner and speaks another language.
var qosPaths = map[string]qosPath{
	"hub":            {true, []string{"hub", "resources"}, []string{"hub", "extraPodSpec"}},
	"proxy":          {true, []string{"proxy", "chp", "resources"}, []string{"proxy", "chp", "extraPodSpec"}},
	"user_scheduler": {true, []string{"scheduling", "userScheduler", "resources"}, []string{"scheduling", "userScheduler", "extraPodSpec"}},
	"placeholder":    {true, []string{"scheduling", "userPlaceholder", "resources"}, []string{"scheduling", "userPlaceholder", "extraPodSpec"}},
	"binder":         {false, []string{"resources"}, []string{"extraPodSpec"}},
	"image_cleaner":  {false, []string{"imageCleaner", "resources"}, []string{"imageCleaner", "extraPodSpec"}},
	"dind":           {false, []string{"dind", "resources"}, []string{"dind", "extraPodSpec"}},
	"build":          {false, []string{"config", "KubernetesBuildExecutor", "resources"}, nil},
}

func (v *hubValues) qos() {
	for _, component := range sortedKeys(v.hub.QoS) {
		attr := "qos." + component
		class := v.hub.QoS[component].Class
		if component == "user" {
			v.userQoS(attr, class)
			continue
		}
		path, isKnown := qosPaths[component]
		switch {
		case !isKnown:
			v.diags = append(v.diags, errorAt(at(v.hub.Block, attr), "Unknown component",
				fmt.Sprintf("There are no resources of %q to set. There are user, %s.", component, strings.Join(sortedKeys(qosPaths), ", "))))
		case !path.jupyter && v.hub.Type != schema.BinderHub:
			v.diags = append(v.diags, errorAt(at(v.hub.Block, attr), "Resources of a BinderHub",
				fmt.Sprintf("%s is a JupyterHub, which has no %s.", v.hub.Address, component)))
		default:
			v.componentQoS(attr, component, path, class)
		}
	}
}

func (v *hubValues) componentQoS(attr, component string, path qosPath, class schema.QoSClass) {
	if component == "dind" {
		daemon, isThere := v.daemon(attr)
		if !isThere {
			return
		}
		path.resources = []string{daemon, "resources"}
		path.podSpec = []string{daemon, "extraPodSpec"}
	}
	// The class says all there is to say, so what files say goes, and of the
	// chart's defaults too.
	said := resources(class)
	set, full := v.set, v.own(path.resources...)
	if path.jupyter {
		set, full = v.jupyterhub, v.hubs(path.resources...)
	}
	defaults, _ := v.defaults.Value(full...)
	set(attr, wholly(said, defaults), path.resources...)
	if class.PriorityClass == "" {
		return
	}
	if path.podSpec == nil {
		v.refuse(attr, "Attribute without effect",
			"BinderHub gives build pods no priority class, and %s has one. Choose a class without priority_class.", class.Address)
		return
	}
	set(attr, class.PriorityClass, append(slices.Clone(path.podSpec), "priorityClassName")...)
}

// userQoS sets what a user's server gets. KubeSpawner's units are not those of
// Kubernetes (its G is a Gi), and placeholders take the same values as
// Kubernetes's: bytes and cores mean the same to both.
func (v *hubValues) userQoS(attr string, class schema.QoSClass) {
	for _, amount := range []struct {
		what, bound, trait string
		value              any
	}{
		{"cpu", "guarantee", "cpu_guarantee", cores(class.CPURequest)},
		{"cpu", "limit", "cpu_limit", cores(class.CPULimit)},
		{"memory", "guarantee", "mem_guarantee", bytesOf(class.MemoryRequest)},
		{"memory", "limit", "mem_limit", bytesOf(class.MemoryLimit)},
	} {
		v.jupyterhub(attr, amount.value, "singleuser", amount.what, amount.bound)
		v.rivals(amount.trait, v.spawners()...)
	}
	if class.Mode == schema.Guaranteed {
		// A pod is Guaranteed only when its init containers are: the one that
		// blocks the cloud's metadata would make it Burstable.
		v.jupyterhub(attr, resources(class), "singleuser", "networkTools", "resources")
	}
	if class.PriorityClass != "" {
		v.jupyterhub(attr, class.PriorityClass, "hub", "config", "KubeSpawner", "priority_class_name")
		if v.hub.Type == schema.BinderHub {
			v.rivals("priority_class_name", "BinderSpawner")
		}
	}
}

// resources returns a class as Kubernetes writes it.
func resources(class schema.QoSClass) map[string]any {
	out := map[string]any{}
	for _, half := range []struct{ key, cpu, memory string }{
		{"requests", class.CPURequest, class.MemoryRequest}, {"limits", class.CPULimit, class.MemoryLimit},
	} {
		table := map[string]any{}
		if half.cpu != "" {
			table["cpu"] = half.cpu
		}
		if half.memory != "" {
			table["memory"] = half.memory
		}
		if len(table) > 0 {
			out[half.key] = table
		}
	}
	return out
}

// wholly adds a null for everything that the resources do not set and that would
// show through beneath them: the chart's defaults. A null that deletes nothing is
// left out, because charts print it, and an API server takes it for a zero.
func wholly(resources map[string]any, defaults any) map[string]any {
	beneath, _ := defaults.(map[string]any)
	for _, half := range []string{"requests", "limits"} {
		below, isBeneath := beneath[half]
		if !isBeneath || below == nil {
			continue
		}
		table, isSet := resources[half].(map[string]any)
		if !isSet {
			resources[half] = nil
			continue
		}
		amounts, _ := below.(map[string]any)
		for _, name := range []string{"cpu", "memory"} {
			_, isSet := table[name]
			if amounts[name] != nil && !isSet {
				table[name] = nil
			}
		}
	}
	return resources
}

// cores returns a quantity of cpu as a number, nil when it is not set.
func cores(quantity string) any {
	q, err := resource.ParseQuantity(quantity)
	if quantity == "" || err != nil {
		return nil
	}
	if milli := q.MilliValue(); milli%1000 != 0 {
		return float64(milli) / 1000
	}
	return q.Value()
}

// bytesOf returns a quantity of memory in bytes, nil when it is not set.
func bytesOf(quantity string) any {
	q, err := resource.ParseQuantity(quantity)
	if quantity == "" || err != nil {
		return nil
	}
	return q.Value()
}
