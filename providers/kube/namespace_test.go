package kube

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"hubcap/engine/resource"
)

// TestEndingNamespace holds that what is wanted in a namespace that is being deleted is
// refused with what holds the namespace, without asking the server.
func TestEndingNamespace(t *testing.T) {
	const lives = "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod}\n"
	const ends = "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod, deletionTimestamp: \"2026-11-21T12:00:00Z\"}\n" +
		"status: {conditions: [{type: NamespaceContentFailure, status: \"False\", message: all is well}, {type: NamespaceFinalizersRemaining, status: \"True\", message: example.org/held in 1 resource instances}]}\n"
	for _, test := range []struct {
		name, namespace string
		refused         []string
	}{
		{"it is there", lives, nil},
		{"it is being deleted", ends, []string{"namespace prod is being deleted since 2026-11-21T12:00:00Z", "example.org/held in 1 resource instances"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := offline()
			namespace := resource.Desired{ID: resource.ID{Cluster: "prod", Kind: "Namespace", Name: "prod"}, Object: tree(t, lives), Presence: resource.Ensured}
			inside, other := webDesired(t), webDesired(t)
			other.ID.Namespace = "other"
			s := &survey{
				p: p, desired: []resource.Desired{namespace, inside, other}, byID: map[resource.ID]int{namespace.ID: 0, inside.ID: 1, other.ID: 2},
				live: []*unstructured.Unstructured{{Object: tree(t, test.namespace)}, nil, nil},
			}
			for i := range s.desired {
				why := s.ending(i)
				if wanted := len(test.refused) > 0 && i < 2; (why != "") != wanted || strings.Contains(why, "all is well") {
					t.Errorf("%s: %q", s.desired[i].ID, why)
				}
				if why == "" {
					continue
				}
				o, err := s.observe(t.Context(), i, &kind{gvk: gvkOf(s.desired[i].Object)})
				if err != nil || o.Refused != why {
					t.Errorf("%s: %+v, %v; want it refused", s.desired[i].ID, o, err)
				}
				for n, part := range test.refused { // what holds it is said once
					if (n == 0 || i == 0) && !strings.Contains(why, part) {
						t.Errorf("%s: %q, want %q in it", s.desired[i].ID, why, part)
					}
				}
			}
		})
	}
}
