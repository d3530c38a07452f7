package engine_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hubcap/engine"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/providers/memory"
	"hubcap/schema"
)

// guarded returns an engine whose plans have something of everything: hooks, gates and
// guards, waves, secrets that are known and secrets that are drawn, a take-over.
func guarded(w *memory.World, desired func() []resource.Desired) *engine.Engine {
	e := newEngine(w, desired)
	e.WantHooks(desired, func() []resource.Desired { return hooks("puller:1") })
	e.Clusters["prod"].GKE = &plan.GKE{Project: "project", Location: "us-central1-a", Name: "prod", ID: "0f3c"}
	address := func(kind, name string) schema.Block {
		return schema.Block{Address: resource.Address{Kind: kind, Name: name}}
	}
	e.Config.Gates = []schema.Gate{
		{Block: address("gate", "answers"), HTTP: &schema.HTTPCheck{URL: "http://127.0.0.1/"}, Failures: 2, Interval: time.Second},
		{Block: address("gate", "smoke"), Exec: &schema.ExecCheck{Command: []string{"true"}, Timeout: time.Second}, Failures: 1, Interval: time.Second},
	}
	e.Config.Guards = []schema.Guard{{Block: address("guard", "quiet"), Level: "soft", Drift: true, MaxWait: time.Hour, Interval: time.Minute}}
	e.Config.Rollouts = []schema.Rollout{{
		Block: address("rollout", "all"), OnFailure: "rollback", Rollback: "wave",
		Gates: []resource.Address{e.Config.Gates[0].Address, e.Config.Gates[1].Address}, Guards: []resource.Address{e.Config.Guards[0].Address},
	}}
	e.Config.Outputs = []schema.Output{{Block: address("output", "url"), Value: "https://hub"}}
	return e
}

// drawn is next with a secret that each rendering draws anew.
func drawn() []resource.Desired {
	token := resource.Secret(fmt.Sprint(clock().UnixNano()))
	token.Generated = true
	return append(next(), object("Secret", "drawn", "hub", map[string]any{"data": map[string]any{"cookie": token}}))
}

// forgeable returns a world, and the document of a plan for it.
func forgeable(t *testing.T) (*memory.World, []byte) {
	t.Helper()
	w := memory.New("prod", "default")
	apply(t, newEngine(w, first))
	e := guarded(w, drawn)
	document, err := e.Document(t.Context(), mustPlan(t, e))
	if err != nil {
		t.Fatal(err)
	}
	return w, document
}

// named returns a document with the ID that its text should have.
func named(document string) []byte {
	sum := sha256.New()
	for line := range strings.Lines(document) {
		if !strings.HasPrefix(line, `  "id": `) {
			sum.Write([]byte(line))
		}
	}
	return idLine.ReplaceAll([]byte(document), fmt.Appendf(nil, `  "id": "%s",`, hex.EncodeToString(sum.Sum(nil))))
}

var idLine = regexp.MustCompile(`(?m)^  "id": "[0-9a-f]*",$`)

// essence is what a plan does, without what tells people of it: for each step its
// changes with all that decides how they are made.
func essence(t *testing.T, p *plan.Plan) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, s := range p.Steps() {
		one := &plan.Plan{FormatVersion: p.FormatVersion, Config: p.Config, Waves: []plan.Wave{{Steps: []plan.Step{s}}}}
		step := &one.Waves[0].Steps[0]
		step.ID, step.After, step.Impact = "step", nil, resource.Impact{} // numbered by what is beside it; restricted to what was approved
		document, _, err := plan.Encode(one, plan.Mask{})
		if err != nil {
			t.Fatal(err)
		}
		all[s.Component.String()+" "+s.Hook+" "+s.Changes[0].ID.String()] = string(document)
	}
	return all
}

// TestForgedPlanFiles alters a plan file at every line of it: each value becomes
// another one, each key and each element goes, comes twice, or comes with an unknown
// one. With an ID that fits, it is refused or stale, or has no effect: what is carried
// out is the planner's plan, or less of it (promise P4).
func TestForgedPlanFiles(t *testing.T) {
	w, document := forgeable(t)
	e := guarded(w, drawn)
	p, err := e.Open(t.Context(), document)
	if err != nil {
		t.Fatal(err)
	}
	sound, tried, opened := essence(t, p), 0, 0
	for i := 0; i < bytes.Count(document, []byte("\n")); i += 4*stride() - 3 {
		for what, forged := range forgeries(string(document), i) {
			if forged == string(document) {
				continue
			}
			tried++
			p, err := e.Open(t.Context(), named(forged))
			if errors.Is(err, engine.ErrStale) || errors.Is(err, plan.ErrDocument) || errors.Is(err, engine.ErrUnnamed) {
				continue
			}
			if err != nil {
				t.Errorf("line %d, %s: %v, want ErrStale or ErrDocument", i+1, what, err)
				continue
			}
			opened++
			for key, does := range essence(t, p) {
				if sound[key] != does {
					t.Errorf("line %d, %s: the file changed what is carried out of %s", i+1, what, key)
				}
			}
		}
	}
	if opened*5 > tried {
		t.Errorf("%d of %d forgeries are carried out without effect: these are hardly compared", opened, tried)
	}
	t.Logf("%d forgeries, %d of them without effect", tried, opened)
}

// forgeries returns a document as it is when line i is altered, by what was done.
func forgeries(document string, i int) map[string]string {
	lines := strings.SplitAfter(document, "\n")
	with := func(from, to int, instead ...string) string {
		return string(canonicalText(strings.Join(slices.Concat(lines[:from], instead, lines[to:]), "")))
	}
	all := map[string]string{}
	line := lines[i]
	indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
	if m := scalar.FindStringSubmatch(line); m != nil {
		for _, other := range otherValues(m[2]) {
			all["another value: "+other] = with(i, i+1, m[1]+other+m[3]+"\n")
		}
	}
	end := i + 1
	if opens := strings.HasSuffix(line, "{\n") || strings.HasSuffix(line, "[\n"); opens {
		for end < len(lines) && !strings.HasPrefix(lines[end], indent+"}") && !strings.HasPrefix(lines[end], indent+"]") {
			end++
		}
		end++
		all["an unknown key or element"] = with(i+1, i+1, indent+"  "+map[bool]string{true: `"evil": 1`, false: `1`}[strings.HasSuffix(line, "{\n")]+",\n")
	}
	if indent != "" && !strings.HasPrefix(strings.TrimSpace(line), "}") && !strings.HasPrefix(strings.TrimSpace(line), "]") && end <= len(lines) {
		all["left out"] = with(i, end)
		twice := strings.Join(lines[i:end], "")
		if !strings.HasSuffix(twice, ",\n") {
			twice = strings.TrimSuffix(twice, "\n") + ",\n"
		}
		all["twice"] = with(i, i, twice)
	}
	return all
}

var (
	scalar   = regexp.MustCompile(`^( *(?:"(?:[^"\\]|\\.)*": )?)("(?:[^"\\]|\\.)*"|-?[0-9.]+|true|false|null)(,?)\n$`)
	trailing = regexp.MustCompile(`,(\n *[\]}])`)
	blank    = regexp.MustCompile(`([\[{])\n *([\]}])`)
)

// canonicalText mends the commas of a document that a line was taken out of.
func canonicalText(text string) []byte {
	return blank.ReplaceAll(trailing.ReplaceAll([]byte(text), []byte("$1")), []byte("$1$2"))
}

func otherValues(value string) []string {
	switch {
	case value == "true":
		return []string{"false"}
	case value == "false":
		return []string{"true"}
	case value == "null":
		return []string{"0", `"x"`}
	case strings.HasPrefix(value, `"`):
		others := []string{`""`, strings.TrimSuffix(value, `"`) + `x"`}
		for _, words := range [][]string{
			{"create", "update", "replace", "delete"}, {"live", "restart of hub", "no-op", "destructive", "one-way"},
			{"rollback", "stop"}, {"wave", "run"}, {"hard", "soft", "advisory"}, {"raised", "lowered"},
		} {
			if slices.Contains(words, strings.Trim(value, `"`)) {
				for _, word := range words {
					others = append(others, `"`+word+`"`)
				}
			}
		}
		if _, err := time.Parse(time.RFC3339, strings.Trim(value, `"`)); err == nil {
			others = append(others, `"2030-01-01T00:00:00Z"`)
		}
		return others
	}
	return []string{"0", value + "1", "-1"}
}

// TestForgeriesOfPlans forges plans with a purpose: the ID is the one that the forged
// plan has. Each is stale, and the error says what of it.
func TestForgeriesOfPlans(t *testing.T) {
	w, document := forgeable(t)
	e := guarded(w, drawn)
	for _, test := range []struct {
		what, says string
		forge      func(p *plan.Plan)
	}{
		{"an object that no config asks for", "evil", func(p *plan.Plan) {
			s := stepOf(p, "ConfigMap", "new")
			c := s.Changes[0]
			c.ID = resource.ID{Cluster: "prod", Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding", Name: "evil"}
			c.Address.Object = "ClusterRoleBinding/evil"
			s.Changes = append(s.Changes, c)
		}},
		{"the program of a gate", "gates", func(p *plan.Plan) {
			s := stepOf(p, "Deployment", "hub")
			s.Gates = slices.Clone(s.Gates)
			s.Gates[1].Exec = &plan.ExecCheck{Command: []string{"sh", "-c", "id > PWNED"}, Timeout: time.Second}
		}},
		{"one more gate", "gates", func(p *plan.Plan) {
			s := stepOf(p, "ConfigMap", "new")
			s.Gates = append(s.Gates, plan.Gate{Name: "evil", Interval: time.Second, Failures: 1, Exec: &plan.ExecCheck{Command: []string{"sh"}, Timeout: time.Second}})
		}},
		{"a gate less", "gates", func(p *plan.Plan) { stepOf(p, "Deployment", "hub").Gates = nil }},
		{"a guard less", "guards", func(p *plan.Plan) { stepOf(p, "Deployment", "hub").Guards = nil }},
		{"a softer guard", "level", func(p *plan.Plan) {
			s := stepOf(p, "Deployment", "hub")
			s.Guards = slices.Clone(s.Guards)
			s.Guards[0].Level = plan.Advisory
		}},
		{"a lower class", "class", func(p *plan.Plan) { stepOf(p, "Deployment", "hub").Class = resource.ClassLive }},
		{"a lower class of a change", "class", func(p *plan.Plan) { change(p, "Deployment", "hub").Class = resource.ClassLive }},
		{"no time to converge", "timeout_ns", func(p *plan.Plan) { stepOf(p, "Deployment", "hub").Timeout = 0 }},
		{"another extent of the rollback", "rollback", func(p *plan.Plan) { stepOf(p, "Deployment", "hub").Extent = plan.WholeRun }},
		{"no extent", "rollback", func(p *plan.Plan) { stepOf(p, "Deployment", "hub").Extent = "" }},
		{"no rollback", "on_failure", func(p *plan.Plan) { stepOf(p, "Deployment", "hub").OnFailure = plan.Stop }},
		{"another order of the waves", "waves", func(p *plan.Plan) { slices.Reverse(p.Waves) }},
		{"another order of the steps", "step", func(p *plan.Plan) {
			slices.Reverse(p.Waves[slices.IndexFunc(p.Waves, func(w plan.Wave) bool { return len(w.Steps) > 1 })].Steps)
		}},
		{"more at once", "max_parallel", func(p *plan.Plan) { p.Waves[0].MaxParallel = 50 }},
		{"a take-over", "takes_over", func(p *plan.Plan) {
			change(p, "Deployment", "hub").TakesOver = &resource.Takeover{From: "Helm release prod/hub", Managers: []resource.Manager{{Name: "helm", Operation: "Update"}}}
		}},
		{"a field that it carries over", "before", func(p *plan.Plan) { change(p, "Deployment", "hub").Before.Set("evil", "metadata", "labels", "team") }},
		{"another image", "after", func(p *plan.Plan) {
			change(p, "ConfigMap", "new").After.Set("evil", "data", "x")
		}},
		{"another pre-image, for a rollback to write", "before", func(p *plan.Plan) {
			change(p, "ConfigMap", "stays").Before.Set("evil", "data", "x")
		}},
		{"a secret in the open", "after", func(p *plan.Plan) { change(p, "Secret", "hub").After.Set("mine", "data", "token") }},
		{"another secret", "data.token", func(p *plan.Plan) {
			change(p, "Secret", "hub").After.Set(plan.Masked{Digest: strings.Repeat("0", 64)}, "data", "token")
		}},
		{"a hook more", "evil", func(p *plan.Plan) {
			s := hookStep(p)
			c := s.Changes[0]
			c.ID.Name, c.Address.Object = "evil", "Job/evil"
			s.Changes = append(s.Changes, c)
		}},
		{"a hook less", "would be changed now", func(p *plan.Plan) {
			for i := range p.Waves {
				p.Waves[i].Steps = slices.DeleteFunc(p.Waves[i].Steps, func(s plan.Step) bool { return s.Hook != "" })
			}
		}},
		{"a hook's policy", "hook", func(p *plan.Plan) {
			c := &hookStep(p).Changes[0]
			h := *c.Hook
			h.Policies = []string{"hook-failed"}
			c.Hook = &h
		}},
		{"an object less of a component", "would be changed now", func(p *plan.Plan) {
			s := stepOf(p, "Deployment", "hub")
			s.Changes = slices.DeleteFunc(s.Changes, func(c resource.Change) bool { return c.ID.Kind == "Secret" })
		}},
		{"other fields for people", "fields", func(p *plan.Plan) { change(p, "Deployment", "hub").Fields = nil }},
		{"another config", "config", func(p *plan.Plan) { p.Config = "other" }},
		{"another cluster", "identity", func(p *plan.Plan) { p.Clusters[0].Identity = "another" }},
		{"another project", "project", func(p *plan.Plan) {
			p.Clusters[0].GKE = &plan.GKE{Project: "other", Location: "us-central1-a", Name: "prod", ID: "0f3c"}
		}},
		{"another cluster of that name", "id", func(p *plan.Plan) {
			p.Clusters[0].GKE = &plan.GKE{Project: "project", Location: "us-central1-a", Name: "prod", ID: "1111"}
		}},
		{"a cluster of nowhere", "gke", func(p *plan.Plan) { p.Clusters[0].GKE = nil }},
		{"an older format", "format", func(p *plan.Plan) { p.FormatVersion = "1.0" }},
		{"a newer format", "format", func(p *plan.Plan) { p.FormatVersion = "2.1" }},
	} {
		p, err := plan.Decode(document)
		if err != nil {
			t.Fatal(err)
		}
		test.forge(p)
		forged, _, err := plan.Encode(p, plan.Mask{})
		if err != nil {
			t.Fatalf("%s: %v", test.what, err)
		}
		if bytes.Equal(forged, document) {
			t.Errorf("%s: the plan was not changed", test.what)
		}
		_, err = e.Open(t.Context(), forged)
		refused := errors.Is(err, engine.ErrStale) || strings.Contains(test.what, "format") && errors.Is(err, plan.ErrDocument)
		if !refused || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want ErrStale that says %q", test.what, err, test.says)
		}
	}
}

func stepOf(p *plan.Plan, kind, name string) *plan.Step {
	for w := range p.Waves {
		for i := range p.Waves[w].Steps {
			s := &p.Waves[w].Steps[i]
			if slices.ContainsFunc(s.Changes, func(c resource.Change) bool { return c.ID == id(kind, name) }) {
				return s
			}
		}
	}
	panic("no step of " + name)
}

func change(p *plan.Plan, kind, name string) *resource.Change {
	s := stepOf(p, kind, name)
	i := slices.IndexFunc(s.Changes, func(c resource.Change) bool { return c.ID == id(kind, name) })
	return &s.Changes[i]
}

func hookStep(p *plan.Plan) *plan.Step {
	for w := range p.Waves {
		for i := range p.Waves[w].Steps {
			if s := &p.Waves[w].Steps[i]; s.Hook != "" && s.Changes[0].ID.Kind == "Job" {
				return s
			}
		}
	}
	panic("no hooks")
}

// TestPlanFileStaysGood checks what moves between plan and apply without making a file
// stale: people within reason, other components, the line of a block, the hubcap that
// planned, values that are drawn anew.
func TestPlanFileStaysGood(t *testing.T) {
	w, document := forgeable(t)
	e := guarded(w, func() []resource.Desired {
		d := drawn()
		for i := range d {
			d[i].Origin.Line++
		}
		return append(d, pool("another", 3))
	})
	e.Version, e.Commit = "9.9.9", "another"
	w.Edit(id("ConfigMap", "stays"), "kubectl-edit", "here", "metadata", "labels", "seen")
	w.Seat(resource.Census{Sessions: 3})
	p, err := e.Open(t.Context(), document)
	if err != nil {
		t.Fatal(err)
	}
	file, err := plan.Decode(document)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := stepIDs(p), stepIDs(file); !slices.Equal(got, want) {
		t.Errorf("steps are %v, want the file's %v: what came later is not its", got, want)
	}
	if p.ID != file.ID || !p.Created.Equal(file.Created) {
		t.Error("the plan is not known by the file's ID")
	}
}

// TestPlanFileCountsPeople checks how many people a file stands for: nobody is nobody,
// others come and go.
func TestPlanFileCountsPeople(t *testing.T) {
	seat := func(w *memory.World, n int) {
		w.Seat(resource.Census{Sessions: n, PerNamespace: map[string]int{"prod": n}})
	}
	proxied := func() []resource.Desired {
		d := first()
		d[3] = deployment("proxy", "chp:2", "hub", "a")
		return d
	}
	for _, test := range []struct {
		then, now int
		stale     bool
	}{{0, 0, false}, {0, 1, true}, {10, 15, false}, {10, 16, true}, {10, 0, false}, {100, 120, false}, {100, 121, true}} {
		w := settled(t)
		seat(w, test.then)
		e := newEngine(w, proxied)
		document, err := e.Document(t.Context(), mustPlan(t, e))
		if err != nil {
			t.Fatal(err)
		}
		seat(w, test.now)
		p, err := e.Open(t.Context(), document)
		if errors.Is(err, engine.ErrStale) != test.stale || !test.stale && err != nil {
			t.Errorf("%d people then, %d now: %v, want stale %t", test.then, test.now, err, test.stale)
		}
		if err == nil && p.Steps()[0].Impact.SessionsInterrupted > min(test.then, test.now) {
			t.Errorf("%d people then, %d now: the plan relies on %d", test.then, test.now, p.Steps()[0].Impact.SessionsInterrupted)
		}
	}
}

// TestPlanFileIsUsedOrStale checks that a file whose changes somebody made meanwhile is
// not carried out again.
func TestPlanFileIsUsedOrStale(t *testing.T) {
	w, document := forgeable(t)
	apply(t, newEngine(w, drawn))
	if _, err := guarded(w, drawn).Open(t.Context(), document); !errors.Is(err, engine.ErrStale) || !strings.Contains(err.Error(), "would not be done now") {
		t.Errorf("open of what was made by another plan = %v, want ErrStale", err)
	}
}

// TestPlanFileDeletesByName checks that what a person named when the plan was made is
// named again when it is carried out.
func TestPlanFileDeletesByName(t *testing.T) {
	w := settled(t)
	w.Seat(resource.Census{Sessions: 2, PerPool: map[string]int{"spare": 2}})
	less := func() []resource.Desired {
		return slices.DeleteFunc(first(), func(d resource.Desired) bool { return d.ID.Name == "spare" })
	}
	e := newEngine(w, less)
	p, _, err := e.Plan(t.Context(), engine.Options{Delete: []string{"node_pool.spare"}})
	if err != nil || p.Empty() {
		t.Fatalf("plan = %v, %v", p, err)
	}
	document, err := e.Document(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Open(t.Context(), document); !errors.Is(err, engine.ErrUnnamed) {
		t.Errorf("open without the name = %v, want ErrUnnamed", err)
	}
	if _, err := e.Open(t.Context(), document, "node_pool.spare", "node_pool.user"); !errors.Is(err, engine.ErrUnnamed) {
		t.Errorf("open with a name that the file has not = %v, want ErrUnnamed", err)
	}
	if _, err := e.Open(t.Context(), document, "node_pool.spare"); err != nil {
		t.Error(err)
	}
}
