package chart

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	yamlv2 "go.yaml.in/yaml/v2"

	"hubcap/modules"
)

// odd is YAML whose way through JSON changes something, or fails.
var odd = []string{
	"", "null", "text", "[]", "{}", "- 1\n- a: [~, {}]", "a: 1.0\nb: -0.0\nc: 1e3\nd: 1e21\ne: .5\nf: 1e-7\ng: 9223372036854775808\nh: -9223372036854775808\ni: 18446744073709551615\nj: 123456789012345678901234567890",
	"a: .nan", "a: .inf", "a: -.Inf", "1: a\ntrue: b\non: c\n1.5: d\n", "1: a\n\"1\": b", "~: a", "[1, 2]: a", "{a: b}: c", "9223372036854775808: x",
	"a: 0o17\nb: 017\nc: 0x1f\nd: 1_000\ne: 0b11\nf: 12:30:45\ng: 2026-11-21\nh: 2026-11-21T10:00:00Z\ni: !!timestamp 2026-11-21",
	"a: yes\nb: No\nc: off\nd: y\ne: 'yes'", "a: \"\\xff\\u2028<>&\"", "a: !!binary /w==", "a: !!binary SGVsbG8=", "!!binary /w==: a",
	"a: &x {b: [1]}\nc: *x\nd: {<<: *x, e: 2}", "a: &x [1]\nb: *y", "a: |\n  x\n y", "a: >-\n  folded\n  text\n\n  more", "a: b: c", "\ta: b", "a: !!str 1\nb: !!int \"1\"\nc: !!float 1\nd: !own x",
	"a: 1\na: 2", "a: \"\x00\"", "\xff", "a: 1\n---\nb: 2", "%YAML 1.1\n---\na: 1", "a: " + strings.Repeat("[", 200) + strings.Repeat("]", 200),
}

// sameDecoded holds decode to what Kubernetes's own packages make of text.
func sameDecoded(t *testing.T, text string) {
	t.Helper()
	want, wantErr := decodeByJSON(text)
	got, gotErr := decode(text)
	if (wantErr == nil) != (gotErr == nil) || wantErr != nil && wantErr.Error() != "error converting YAML to JSON: "+gotErr.Error() && wantErr.Error() != gotErr.Error() {
		t.Errorf("%.200q: error %v, want %v", text, gotErr, wantErr)
	}
	if !reflect.DeepEqual(want, got) { // cmp.Diff takes for ever on nested lists
		t.Errorf("%.200q: got %#v, want %#v", text, got, want)
	}
}

func TestDecodesAsKubernetesDoes(t *testing.T) {
	for _, text := range odd {
		if text == "1: a\n\"1\": b" {
			continue // which one wins is up to the order of a map
		}
		sameDecoded(t, text)
	}
}

// TestDecodesChartsAsKubernetesDoes decodes every values file and whatever else
// is YAML in the charts that are here, and all that they render.
func TestDecodesChartsAsKubernetesDoes(t *testing.T) {
	dir, c := umbrella(t)
	builtin, err := modules.Chart("binderhub")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, tree := range []fs.FS{os.DirFS(dir), os.DirFS("testdata/everything"), builtin} {
		err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(name) != ".yaml" {
				return err
			}
			text, err := fs.ReadFile(tree, name)
			files++
			sameDecoded(t, string(text))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := c.prepare(Request{Release: "rel", Namespace: "ns"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.pass(&draw{}, newView(r.live, nil)); err != nil {
		t.Fatal(err)
	}
	for key := range r.decoded.known {
		for _, doc := range split(key[1]) {
			files++
			sameDecoded(t, doc.text)
		}
	}
	if files < 150 {
		t.Errorf("only %d texts compared", files)
	}
}

func FuzzDecode(f *testing.F) {
	for _, text := range odd {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var tree any
		if err := yamlv2.Unmarshal([]byte(text), &tree); err != nil {
			return
		}
		if _, err := asJSON(tree); err == nil { // else it goes the long way
			sameDecoded(t, text)
		}
	})
}
