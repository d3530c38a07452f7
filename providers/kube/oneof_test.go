package kube

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/scheme"

	"hubcap/engine/resource"
)

// exclusive finds, in what a type says about itself, that of some of its fields only
// one may be set.
var exclusive = regexp.MustCompile(`(?i)(exactly|at most|only) one of (the|its|these|this|.*must be)|one and only one|mutually exclusive|cannot be used if value is not empty|may not be specified when`)

// noUnions are the types whose documentation sounds like a union and that need no
// removal, and why.
var noUnions = map[string]string{
	"v1.NetworkPolicyPeer":           "lies in lists that are replaced whole",
	"v1.PodFailurePolicyRule":        "lies in lists that are replaced whole",
	"v1.FlowDistinguisherMethod":     "has one field",
	"v1.PersistentVolumeClaimSpec":   "dataSource and dataSourceRef are copied to each other by the server",
	"v1.VolumeAttachmentSource":      "cannot be changed",
	"v1.IngressRuleValue":            "has one field",
	"v1.JobSchedulingConfiguration":  "cannot be changed",
	"v1.SubjectAccessReviewSpec":     "is of a question, and not of an object that is kept",
	"v1.SelfSubjectAccessReviewSpec": "is of a question, and not of an object that is kept",
	"v1.ResourceSliceSpec":           "is written by drivers alone",
	"v1.NodeAllocatableMapping":      "is written by drivers alone",
}

// TestUnions walks all types of the kinds that client-go knows, in their stable
// versions, and holds the table of unions against what they say about themselves.
func TestUnions(t *testing.T) {
	seen, reached := map[reflect.Type]bool{}, map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(at reflect.Type) {
		for at.Kind() == reflect.Pointer || at.Kind() == reflect.Slice || at.Kind() == reflect.Map {
			at = at.Elem()
		}
		if at.Kind() != reflect.Struct || seen[at] || !strings.HasPrefix(at.PkgPath(), "k8s.io/api/") {
			return
		}
		seen[at] = true
		if _, isUnion := unions[at]; isUnion {
			reached[at] = true
		} else if documented, is := reflect.New(at).Interface().(interface{ SwaggerDoc() map[string]string }); is {
			for field, text := range documented.SwaggerDoc() {
				if _, known := noUnions[at.String()]; exclusive.MatchString(text) && !known {
					t.Errorf("%s is in no table of unions, and says of %q: %s", at, field, text)
				}
			}
		}
		for i := range at.NumField() {
			if name := jsonName(at.Field(i)); name != "status" {
				walk(at.Field(i).Type)
			}
		}
	}
	for gvk, kind := range scheme.Scheme.AllKnownTypes() {
		if gvk.Version == "v1" || gvk.Version == "v2" {
			walk(kind)
		}
	}
	for u := range unions {
		if !reached[u] {
			t.Errorf("%s is a union of no kind", u)
		}
	}
	for u, is := range unions {
		for arm := range is.arms {
			if !slices.ContainsFunc(reflect.VisibleFields(u), func(f reflect.StructField) bool { return jsonName(f) == arm }) {
				t.Errorf("%s has no field %s", u, arm)
			}
		}
	}
}

// TestAlternatives checks what has to go for what is wanted, and what is implied by it.
func TestAlternatives(t *testing.T) {
	const head = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n"
	const pod = "  template: {spec: {containers: [{name: web, %s}], volumes: [{name: v, %s}]}}\n"
	recreate, rolling := head+"  strategy: {type: Recreate}\n", head+"  strategy: {rollingUpdate: {maxSurge: 1}}\n"
	defaulted := head + "  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 25%}}\n"
	byHand := head + fmt.Sprintf(pod, "env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}], livenessProbe: {tcpSocket: {port: 1}}", "emptyDir: {}")
	update := []string{"spec.strategy.rollingUpdate.maxSurge", "spec.strategy.rollingUpdate.maxUnavailable"}
	ours := func(fields string) string { return `{"f:spec":{"f:strategy":{"f:rollingUpdate":{` + fields + `}}}}` }
	for _, test := range []struct {
		name, want, live, owns string
		arms                   []string
		implied                string
	}{
		{"Recreate beside the default", recreate, defaulted, "", update, ""},
		{"part of it is ours", recreate, defaulted, ours(`"f:maxSurge":{}`), update, ""},
		{"all of it is ours", recreate, defaulted, ours(`"f:maxSurge":{},"f:maxUnavailable":{}`), nil, ""},
		{"there is none", recreate, recreate, "", nil, ""},
		{"the block says which", rolling, recreate, "", nil, "RollingUpdate"},
		{"and the default is it", rolling, defaulted, "", nil, ""},
		{"nothing is wanted of it", head + "  replicas: 1\n", defaulted, "", nil, ""},
		{
			"set by hand", head + fmt.Sprintf(pod, "env: [{name: A, value: a}], livenessProbe: {httpGet: {port: 1}}", "configMap: {name: c}"), byHand, "",
			[]string{
				"spec.template.spec.containers[web].env[A].valueFrom.secretKeyRef.key", "spec.template.spec.containers[web].env[A].valueFrom.secretKeyRef.name",
				"spec.template.spec.containers[web].livenessProbe.tcpSocket.port", "spec.template.spec.volumes[v].emptyDir",
			}, "",
		},
		{"another item", head + "  template: {spec: {containers: [{name: other, env: [{name: A, value: a}]}]}}\n", byHand, "", nil, ""},
	} {
		live := &unstructured.Unstructured{Object: tree(t, test.live)}
		if test.owns != "" {
			live.Object["metadata"].(map[string]any)["managedFields"] = []any{map[string]any{
				"manager": "hubcap", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": tree(t, test.owns),
			}}
		}
		arms, full, implied := (&Provider{Owner: "default"}).alternatives(resource.Object(tree(t, test.want)), live)
		var texts []string
		for _, path := range leaves(arms) {
			texts = append(texts, pathText(path))
		}
		slices.Sort(texts)
		if diff := cmp.Diff(test.arms, texts); diff != "" {
			t.Errorf("%s: what has to go (-want +got):\n%s", test.name, diff)
		}
		if is := full.Text("spec", "strategy", "type"); implied != (test.implied != "") || implied && is != test.implied {
			t.Errorf("%s: implied %t, %q; want %q", test.name, implied, is, test.implied)
		}
	}
}
