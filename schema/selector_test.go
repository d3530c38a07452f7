package schema

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestWaveSelectors checks which hubs the waves of a rollout are.
func TestWaveSelectors(t *testing.T) {
	for _, test := range []struct {
		reason string
		hubs   string // "cluster:name label=value …", one each line
		order  string
		want   []string // "name: hubs"
	}{
		{"numbers and shares count all hubs up to their wave", ten, `[1, "10%", "50%", "rest"]`, []string{"1: a", "50%: b c d e", "rest: f g h i j"}},
		{"shares are rounded up", "x:a\nx:b\nx:c", `["10%", "34%", "67%"]`, []string{"10%: a", "34%: b", "67%: c"}},
		{"a share of a tenth of a percent", ten, `["0.1%", "100%"]`, []string{"0.1%: a", "100%: b c d e f g h i j"}},
		{"hubs named before are not counted", ten, `[[hub.a, hub.b], "50%", "rest"]`, []string{": a b", "50%: c d e f", "rest: g h i j"}},
		{"nor those named later", ten, `["50%", "rest", [hub.a, hub.b]]`, []string{"50%: c d e f", "rest: g h i j", ": a b"}},
		{"clusters take turns", "x:a\nx:b\nx:c\ny:d\ny:e", `[1, 2, 3, "rest"]`, []string{"1: a", "2: d", "3: b", "rest: e c"}},
		{"more than there are", "x:a\nx:b", `[5]`, []string{"5: a b"}},
		{"by labels", labelled, `[{ labels = { tier = "canary" } }, { labels = { tier = "prod", community = "sea" } }, "rest"]`, []string{"tier=canary: a d", "community=sea,tier=prod: c", "rest: b e"}},
		{"community by community", labelled, `[{ by_label = "community" }, "rest"]`, []string{"community=earth: a b", "community=sea: c", "rest: d e"}},
		{"of some of them", labelled, `[{ labels = { tier = "prod" }, by_label = "community" }]`, []string{"community=earth: b", "community=sea: c"}},
		{"labels after a share", labelled, `["20%", { labels = { tier = "canary" } }, "rest"]`, []string{"20%: a", "tier=canary: d", "rest: b c e"}},
	} {
		var config strings.Builder
		for _, cluster := range []string{"x", "y"} {
			fmt.Fprintf(&config, "cluster %q {\n  context = %q\n}\n", cluster, cluster)
		}
		for line := range strings.Lines(test.hubs) {
			where, labels, _ := strings.Cut(strings.TrimSpace(line), " ")
			cluster, name, _ := strings.Cut(where, ":")
			fmt.Fprintf(&config, "hub %q {\n  cluster = cluster.%s\n  chart = \"builtin:jupyterhub\"\n  labels = {\n", name, cluster)
			for label := range strings.FieldsSeq(labels) {
				key, value, _ := strings.Cut(label, "=")
				fmt.Fprintf(&config, "    %s = %q\n", key, value)
			}
			config.WriteString("  }\n}\n")
		}
		fmt.Fprintf(&config, "rollout \"all\" {\n  order = %s\n}\n", test.order)
		r := mustLoad(t, "-- main.hcl --\n"+config.String(), Options{}).Rollouts[0]
		var got []string
		for i, wave := range r.Order {
			var names []string
			for _, address := range wave {
				names = append(names, address.Name)
			}
			got = append(got, r.Names[i]+": "+strings.Join(names, " "))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
	}
}

const (
	ten      = "x:a\nx:b\nx:c\nx:d\nx:e\nx:f\nx:g\nx:h\nx:i\nx:j"
	labelled = "x:a tier=canary community=earth\nx:b tier=prod community=earth\nx:c tier=prod community=sea\nx:d tier=canary\nx:e"
)

// TestTwoRollouts checks that a rollout takes no hubs that another has by name.
func TestTwoRollouts(t *testing.T) {
	config := mustLoad(t, `-- main.hcl --
cluster "x" {
  context = "x"
}
hub "a" {
  chart = "builtin:jupyterhub"
}
hub "b" {
  chart = "builtin:jupyterhub"
}
rollout "first" {
  order = ["rest"]
}
rollout "second" {
  order = [hub.a]
}
`, Options{})
	if got := config.Rollouts[0].Order; len(got) != 1 || len(got[0]) != 1 || got[0][0].Name != "b" {
		t.Errorf("the rest is %v, want hub.b", got)
	}
}

// TestGuards checks what is made of guards and events.
func TestGuards(t *testing.T) {
	config := mustLoad(t, `-- main.hcl --
cluster "x" {
  context    = "x"
  prometheus = "http://127.0.0.1:9090"
}
hub "staging" {
  chart = "builtin:jupyterhub"
}
guard "exams" {
  level = "hard"
  freeze {
    from   = "2026-03-28"
    until  = "2026-03-29"
    zone   = "Europe/Oslo"
    reason = "exams"
    except = [hub.staging]
  }
}
guard "quiet" {
  max_wait = "0s"
  launch_rate {
    max = 20
  }
}
guard "cpu" {
  settle = "0s"
  hub_cpu {}
}
event "class" {
  hub   = hub.staging
  title = "Data 8"
  from  = "2026-12-01T08:00:00+01:00"
  until = "2026-12-01T10:00:00+01:00"
}
`, Options{})
	freeze := config.Guards[0].Freeze
	from, until := time.Date(2026, 3, 27, 23, 0, 0, 0, time.UTC), time.Date(2026, 3, 29, 22, 0, 0, 0, time.UTC) // of which the night is short
	if !freeze.From.Equal(from) || !freeze.Until.Equal(until) || len(config.Guards[0].Except) != 1 || config.Guards[0].MaxWait != time.Hour || config.Guards[0].Settle != 0 {
		t.Errorf("freeze %+v of %+v", freeze, config.Guards[0])
	}
	if g := config.Guards[1]; g.Level != "soft" || g.MaxWait != 0 || g.Settle != 2*time.Minute || g.Load == nil || *g.Load.Max != 20 || !strings.Contains(g.Load.Query, "$namespace") {
		t.Errorf("quiet %+v", g)
	}
	if g := config.Guards[2]; g.Settle != 0 || *g.Load.Max != 0.7 {
		t.Errorf("cpu %+v", g)
	}
	if e := config.Events[0]; e.Title != "Data 8" || len(e.Hubs) != 1 || e.Until.Sub(e.From) != 2*time.Hour {
		t.Errorf("event %+v", e)
	}
}

// TestExceptions checks that blocks can be left out of any guard, by the same word.
func TestExceptions(t *testing.T) {
	config := mustLoad(t, `-- main.hcl --
cluster "x" {
  context    = "x"
  prometheus = "http://127.0.0.1:9090"
}
cluster "bare" {
  context = "bare"
}
hub "a" {
  chart   = "builtin:jupyterhub"
  cluster = cluster.x
}
hub "b" {
  chart   = "builtin:jupyterhub"
  cluster = cluster.bare
}
guard "nights" {
  except = [hub.a, hub.b]
  window {
    from = "22:00"
    to   = "06:00"
    zone = "Europe/Oslo"
  }
  window {
    days = ["sat", "sun"]
    from = "00:00"
    to   = "24:00"
    zone = "Europe/Oslo"
  }
}
guard "exams" {
  except = [hub.a]
  freeze {
    from   = "2026-03-28T00:00:00Z"
    until  = "2026-03-29T00:00:00Z"
    except = [hub.b]
  }
}
guard "calm" {
  except = [hub.b]
  launch_rate {
    max = 20
  }
}
`, Options{})
	want := map[string]string{"nights": "[hub.a hub.b]", "exams": "[hub.a hub.b]", "calm": "[hub.b]"} // where no Prometheus is, none is asked
	for _, g := range config.Guards {
		if got := fmt.Sprint(g.Except); got != want[g.Address.Name] {
			t.Errorf("%s: not about %s, want %s", g.Address, got, want[g.Address.Name])
		}
	}
	if n := len(config.Guards[0].Windows); n != 2 {
		t.Errorf("%d windows, want 2", n)
	}
}
