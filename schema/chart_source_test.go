package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRemote(t *testing.T) {
	type remote struct {
		Repository, Name string
		Is               bool
	}
	tests := []struct {
		source ChartSource
		want   remote
		reason string
	}{
		{ChartSource{Source: "builtin:jupyterhub"}, remote{"", "builtin:jupyterhub", false}, "it is in the program"},
		{ChartSource{Source: "./jupyterhub"}, remote{"", "./jupyterhub", false}, "it is here"},
		{ChartSource{Source: "x-1.2.3.tgz"}, remote{"", "x-1.2.3.tgz", false}, "so is this"},
		{ChartSource{Source: "jupyterhub", Repository: "https://h/p"}, remote{"https://h/p", "jupyterhub", true}, "a name in a repository"},
		{ChartSource{Source: "jupyterhub", Repository: "oci://h/p"}, remote{"oci://h/p", "jupyterhub", true}, "a name in a registry"},
		{ChartSource{Source: "oci://h/p/jupyterhub"}, remote{"oci://h/p", "jupyterhub", true}, "the same, in one"},
		{ChartSource{Source: "https://h/p/x.tgz"}, remote{"", "https://h/p/x.tgz", true}, "an address"},
	}
	for _, test := range tests {
		var got remote
		got.Repository, got.Name, got.Is = test.source.Remote()
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%+v (%s):\n%s", test.source, test.reason, diff)
		}
	}
}
