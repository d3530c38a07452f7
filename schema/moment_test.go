package schema

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestMoments checks that each time of a config is a moment of its block, in instances
// and inner blocks too, and which of them is the first in a span.
func TestMoments(t *testing.T) {
	dir := t.TempDir()
	text := `
hubcap { name = "default" }
cluster "c" {}
hub "class" {
  namespace = "hub"
  chart     = "builtin:binderhub"
}
repo_ban "miner" {
  for_each = toset(["a", "b"])
  hub      = hub.class
  pattern  = "^${each.key}/.*"
  until    = each.key == "a" ? "2026-06-01T00:00:00Z" : "2026-07-01T00:00:00Z"
}
guard "holidays" {
  freeze {
    from  = "2026-12-20"
    until = "2026-12-31"
    zone  = "UTC"
  }
}
event "workshop" {
  hubs  = [hub.class]
  title = "Workshop"
  from  = "2026-03-01T09:00:00Z"
  until = "2026-03-02T09:00:00Z"
}
`
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config, diags := Load(dir, Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	got := make(map[string]string)
	for _, m := range config.Moments {
		got[m.Address.String()+" "+m.Attribute] = m.Time.UTC().Format(time.DateOnly)
	}
	want := map[string]string{
		`repo_ban.miner["a"] until`: "2026-06-01", `repo_ban.miner["b"] until`: "2026-07-01",
		"guard.holidays from": "2026-12-20", "guard.holidays until": "2027-01-01",
		"event.workshop from": "2026-03-01", "event.workshop until": "2026-03-02",
	}
	if len(got) != len(want) || len(config.Moments) != len(want) {
		t.Errorf("moments = %v, want %v", got, want)
	}
	for name, at := range want {
		if got[name] != at {
			t.Errorf("%s = %q, want %s", name, got[name], at)
		}
	}
	day := func(month time.Month) time.Time { return time.Date(2026, month, 15, 0, 0, 0, 0, time.UTC) }
	if m := config.Between(day(7), day(5)); m == nil || m.Address.String() != `repo_ban.miner["a"]` {
		t.Errorf("first between May and July = %v", m)
	}
	if m := config.Between(day(8), day(11)); m != nil {
		t.Errorf("between August and November = %v, want none", m)
	}
}
