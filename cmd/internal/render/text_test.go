package render

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

func TestDiffText(t *testing.T) {
	many := func(n int, word string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(word + string(rune('a'+i%26)) + "\n")
		}
		return b.String()
	}
	for _, test := range []struct {
		reason, before, after, want string
	}{
		{"the same", "a\nb\n", "a\nb\n", "…(2 lines unchanged)"},
		{"one line", "a\nb\nc\n", "a\nB\nc\n", " a|-b|+B| c"},
		{"from nothing", "", "a\nb\n", "+a|+b"},
		{"to nothing", "a\n", "", "-a"},
		{"a lost newline is told", "a\nb\n", "a\nb", " a|-b|+b (no newline at the end)"},
		{"three lines of context, the rest counted", many(10, "x") + "old\n" + many(10, "y"), many(10, "x") + "new\n" + many(10, "y"),
			"…(7 lines unchanged)| xh| xi| xj|-old|+new| ya| yb| yc|…(7 lines unchanged)"},
		{"near differences share their context", "1\na\n2\n3\nb\n4\n", "1\nA\n2\n3\nB\n4\n", " 1|-a|+A| 2| 3|-b|+B| 4"},
	} {
		var got []string
		for _, l := range diffText(test.before, test.after) {
			got = append(got, string(l.op)+l.text)
		}
		if s := strings.Join(got, "|"); s != test.want {
			t.Errorf("%s: got %s, want %s", test.reason, s, test.want)
		}
	}
}

// Texts that are wholly different are not compared at length.
func TestDiffOfHugeTextsEnds(t *testing.T) {
	before, after := strings.Repeat("a\nb\n", 100_000), strings.Repeat("c\nd\n", 100_000)
	start := time.Now()
	added, removed := tally(diffText("same\n"+before, "same\n"+after))
	if added != 200_000 || removed != 200_000 {
		t.Errorf("got +%d −%d", added, removed)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

// A diff holds both texts: without its additions it is the one before, without
// its removals the one after.
func FuzzDiff(f *testing.F) {
	f.Add("a\nb\nc\n", "a\nB\nc")
	f.Add("", "\n\n")
	f.Add("x\x00\ny\n", "\xff\n")
	f.Fuzz(func(t *testing.T, before, after string) {
		var was, is strings.Builder
		for _, l := range allLines(before, after) {
			text := strings.TrimSuffix(l.text, " (no newline at the end)") + "\n"
			if l.op != '+' {
				was.WriteString(text)
			}
			if l.op != '-' {
				is.WriteString(text)
			}
		}
		trim := func(s string) string {
			return strings.TrimSuffix(strings.ReplaceAll(s, " (no newline at the end)", ""), "\n")
		}
		if trim(was.String()) != trim(before) || trim(is.String()) != trim(after) {
			t.Errorf("%q and %q: the diff holds %q and %q", before, after, was.String(), is.String())
		}
	})
}

// What is printed is harmless, and fits.
func FuzzLayout(f *testing.F) {
	f.Add("spec.template.spec.containers[hub].image", "quay.io/a/b:1", "quay.io/a/b:2", 33)
	f.Add(`data["a.py"]`, "x\ny\n", "x\nz\n", 20)
	f.Add("\x1b[2J.a[", "\u202e\r", "生命生命生命生命", 25)
	f.Fuzz(func(t *testing.T, path, before, after string, width int) {
		if width < 20 || width > 300 {
			return
		}
		n := secrets{}
		field := resource.Field{Path: path, Before: before, After: after}
		short := n.short(field, width)
		if cells(short) > width {
			t.Errorf("%d cells in %d: %q", cells(short), width, short)
		}
		step := plan.Step{Changes: []resource.Change{{Action: resource.Update, Fields: []resource.Field{field}}}}
		var b strings.Builder
		style := Style{Width: max(width, leastWidth)}
		style.fields(&b, n, step)
		for line := range strings.SplitSeq(b.String()+short, "\n") {
			if cells(line) > max(style.width(), width) {
				t.Errorf("%d cells in %d: %q", cells(line), style.width(), line)
			}
			bad := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
			if i := strings.IndexFunc(line, bad); i >= 0 {
				t.Errorf("a terminal would obey %q", line[i:])
			}
		}
	})
}

func TestArrow(t *testing.T) {
	for _, test := range []struct {
		reason, key, before, after string
		width                      int
		want                       string
	}{
		{"it fits", "image ", "hub:1", "hub:2", 30, "image hub:1 → hub:2"},
		{"what both begin with goes first", "image ", "quay.io/jupyterhub/k8s-hub:4.0", "quay.io/jupyterhub/k8s-hub:4.1", 30, "image …4.0 → …4.1"},
		{"the end of a key says most", "c.GitHubRepoProvider.per_repo_quota = ", "300", "500", 30, "…er.per_repo_quota = 300 → 500"},
		{"both values are cut", "a ", strings.Repeat("x", 40), strings.Repeat("y", 40), 21, "a xxxxxxx… → yyyyyyy…"},
		{"a short one leaves room for the other", "a ", "1", strings.Repeat("y", 40), 21, "a 1 → yyyyyyyyyyyyyy…"},
	} {
		if got := arrow(test.key, test.before, test.after, test.width); got != test.want {
			t.Errorf("%s: got %q, want %q", test.reason, got, test.want)
		}
	}
}

func TestNames(t *testing.T) {
	for path, want := range map[string]string{
		"spec.template.spec.containers[hub].image":                "image",
		"spec.template.spec.containers[hub]":                      "containers[hub]",
		`data["jupyterhub_config.py"]`:                            "jupyterhub_config.py",
		`spec.template.metadata.annotations["checksum/config-a"]`: "checksum/config-a",
		"args[2]":         "args[2]",
		"local_ssd.count": "local_ssd.count",
		"spec.replicas":   "replicas",
		"data.key":        "key",
		"":                "",
		"[":               "[",
	} {
		if got := shortName(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 5 * time.Millisecond: "5ms", 40 * time.Second: "40s", 90 * time.Second: "1m30s", 10 * time.Minute: "10m",
		20 * time.Minute: "20m", 5*time.Hour + 10*time.Minute + 3*time.Second: "5h10m", 2 * time.Hour: "2h", -time.Second: "-1s",
	} {
		if got := span(d); got != want {
			t.Errorf("%d: got %s, want %s", d, got, want)
		}
	}
}

// Sensitive values are told apart, and told as the same, within one plan.
func TestSecretsAreNamedStably(t *testing.T) {
	n := secrets{}
	var got []string
	for _, v := range []any{
		resource.Secret("a"), resource.Secret("b"), resource.Secret("a"), plan.Masked{Digest: "ff"}, plan.Masked{Digest: "ff"}, plan.Masked{},
		[]any{resource.Secret("b")}, map[string]any{"k": resource.Secret("c")},
	} {
		got = append(got, n.value(v))
	}
	want := "secret#1 secret#2 secret#1 secret#3 secret#3 secret [secret#2] {k: secret#4}"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got %s, want %s", s, want)
	}
}

func TestWrap(t *testing.T) {
	for _, test := range []struct{ reason, text, want string }{
		{"it fits", "a b", "  a b|"},
		{"at a space", "aaaaaaaaaa bbbbbbbbbb ccc", "  aaaaaaaaaa bbbbbbbbbb|  ccc|"},
		{"a word that is too long", strings.Repeat("x", 30), "  xxxxxxxxxxxxxxxxxxxxxxxx|  xxxxxx|"},
		{"wide characters", strings.Repeat("生", 13), "  生生生生生生生生生生生生|  生|"},
		{"lines stay lines", "a\n\nb", "  a||  b|"},
	} {
		if got := strings.ReplaceAll(wrap(test.text, "  ", 26), "\n", "|"); got != test.want {
			t.Errorf("%s: got %q, want %q", test.reason, got, test.want)
		}
	}
	start := time.Now()
	wrap(strings.Repeat("x", 4<<20), "", 80) // the work must not grow with the square
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("4 MiB took %s", took)
	}
}
