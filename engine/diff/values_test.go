package diff

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/resource"
)

func secretWith(values string) resource.Object {
	text := base64.StdEncoding.EncodeToString([]byte(values))
	return resource.Object{"kind": "Secret", "data": map[string]any{"values.yaml": resource.Secret(text)}}
}

// TestOpenedValues checks that a plan can say what changed in the charts' own
// values, and shows no value that may be secret.
func TestOpenedValues(t *testing.T) {
	before := secretWith(`
config:
  BinderHub: {per_repo_quota: 100, hub_api_token: hush-1}
  GitHubRepoProvider: {spec_config: [{pattern: "^a/b/.*", config: {quota: 200}}], access_token: hush-2}
hub: {concurrentSpawnLimit: 64}
`)
	after := secretWith(`
config:
  BinderHub: {per_repo_quota: 150, hub_api_token: hush-3}
  GitHubRepoProvider: {spec_config: [{pattern: "^a/b/.*", config: {quota: 250}}], access_token: hush-2, client_secret: 4711}
hub: {concurrentSpawnLimit: 64}
`)
	got := Fields(before, after)
	want := []resource.Field{
		{Path: `data["values.yaml"].config.BinderHub.hub_api_token`, Before: resource.Secret("hush-1"), After: resource.Secret("hush-3")},
		{Path: `data["values.yaml"].config.BinderHub.per_repo_quota`, Before: int64(100), After: int64(150)},
		{Path: `data["values.yaml"].config.GitHubRepoProvider.client_secret`, After: resource.Secret("4711")},
		{Path: `data["values.yaml"].config.GitHubRepoProvider.spec_config[^a/b/.*].config.quota`, Before: int64(200), After: int64(250)},
	}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b resource.Sensitive) bool { return resource.Equal(a, b) })); d != "" {
		t.Errorf("fields (-want +got):\n%s", d)
	}
	if text := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(text, "hush") || strings.Contains(text, "4711") {
		t.Error("a secret value can be printed")
	}
}

// TestUnopenedValues checks that what cannot be taken apart stays one secret.
func TestUnopenedValues(t *testing.T) {
	tests := []struct {
		reason        string
		before, after string
	}{
		{"no map", "just text", "other text"},
		{"no YAML", "a: [", "a: 1"},
		{"only a comment differs", "a: 1", "a: 1 # one"},
	}
	for _, tt := range tests {
		got := Fields(secretWith(tt.before), secretWith(tt.after))
		if len(got) != 1 || got[0].Path != `data["values.yaml"]` {
			t.Errorf("%s: %d fields, want the whole text as one", tt.reason, len(got))
		}
	}
}
