package expand

import (
	"path"
	"strings"

	"hubcap/engine/chart"
	"hubcap/engine/resource"
)

// A chart's templates are laid out by component, while its labels split what
// belongs together (proxy, proxy-api, proxy-public) and are often missing. So a
// component is found by the template that rendered an object first, by labels
// second; docs/LANGUAGE.md has the order. What neither tells is the block's as a
// whole: a component without a name.

// binderhubParts are the folders and files of the BinderHub chart that are not
// the binder's own.
var binderhubParts = map[string]string{
	"container-builder": "image-builder", "dind": "image-builder", "pink": "image-builder", "docker-api": "docker-api",
	"image-cleaner": "image-cleaner",
}

// kindsOfFile are file names that say what kind of object is in them, and not
// whose.
var kindsOfFile = map[string]bool{
	"rbac": true, "role": true, "rolebinding": true, "serviceaccount": true, "configmap": true, "secret": true, "secrets": true,
	"service": true, "deployment": true, "statefulset": true, "daemonset": true, "pdb": true, "netpol": true, "networkpolicy": true,
	"priorityclass": true, "hpa": true, "pvc": true, "all": true, "manifests": true, "resources": true,
}

// componentOf returns the component of an object that a chart rendered, "" when
// it is its block's as a whole. root is the name of the block's own chart.
func componentOf(o chart.Object, root string) string {
	name, parts, isCRD := templatePath(o.Source)
	switch {
	case isCRD:
		return "crds"
	case name == "jupyterhub":
		return jupyterhubComponent(parts)
	case name == "binderhub":
		return binderhubComponent(o, parts)
	case name != root:
		return name
	case len(parts) == 0:
		return ""
	}
	if named := withoutKinds(stem(parts[0])); named != "" {
		return named
	}
	return labelled(o)
}

// withoutKinds takes the words that say what kind of object is in a file from both
// ends of its name: "pdb-grafana" and "grafana-configmap" are grafana's.
func withoutKinds(name string) string {
	words := strings.Split(name, "-")
	for len(words) > 0 && kindsOfFile[words[0]] {
		words = words[1:]
	}
	for len(words) > 0 && kindsOfFile[words[len(words)-1]] {
		words = words[:len(words)-1]
	}
	if len(words) == 1 && words[0] == "user" { // what is mounted into the users' servers
		return "singleuser"
	}
	return strings.Join(words, "-")
}

// templatePath splits "a/charts/b/templates/hub/x.yaml" into the innermost chart
// and what follows its templates folder.
func templatePath(source string) (name string, parts []string, isCRD bool) {
	all := strings.Split(source, "/")
	for i := len(all) - 1; i > 0; i-- {
		if (all[i] == "templates" || all[i] == "crds") && (i == 1 || all[i-2] == "charts") {
			return all[i-1], all[i+1:], all[i] == "crds"
		}
	}
	return all[0], all[1:], false
}

func jupyterhubComponent(parts []string) string {
	if len(parts) > 2 && parts[0] == "scheduling" { // scheduling/user-scheduler/…
		parts = parts[1:]
	}
	switch first := stem(parts[0]); {
	case first == "proxy" && len(parts) > 2: // proxy/autohttps/…
		return parts[1]
	case first == "httproute":
		return "ingress"
	default:
		return first
	}
}

func binderhubComponent(o chart.Object, parts []string) string {
	if component, isPart := binderhubParts[stem(parts[0])]; isPart {
		return component
	}
	// The cleaner's permissions stand in one file with the binder's.
	if strings.HasSuffix(o.Object.Text("metadata", "name"), "-image-cleaner") {
		return "image-cleaner"
	}
	return "binder"
}

// labelled returns the component that an object's labels name.
func labelled(o chart.Object) string {
	for _, label := range []string{"app.kubernetes.io/component", "component", "app.kubernetes.io/name", "app"} {
		if value := o.Object.Text("metadata", "labels", label); value != "" {
			return value
		}
	}
	return ""
}

// stem returns a file's or folder's name without its extension and without what
// keeps it from being a name of a component.
func stem(file string) string {
	return strings.TrimLeft(strings.TrimSuffix(file, path.Ext(file)), "_")
}

// joinScaled puts every autoscaler into the component of the workload that it
// scales, wherever its template is and whatever its labels say.
func (m *maker) joinScaled() {
	workloads := map[[2]string]resource.Component{}
	for _, d := range m.desired {
		workloads[[2]string{d.ID.Kind, d.ID.Namespace + "/" + d.ID.Name}] = d.Component
	}
	for i, d := range m.desired {
		if d.ID.Kind != "HorizontalPodAutoscaler" {
			continue
		}
		kind, name := d.Object.Text("spec", "scaleTargetRef", "kind"), d.Object.Text("spec", "scaleTargetRef", "name")
		if component, isThere := workloads[[2]string{kind, d.ID.Namespace + "/" + name}]; isThere {
			m.desired[i].Component = component
			m.mark(m.desired[i])
		}
	}
}
