package chart

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"helm.sh/helm/v4/pkg/chart/common"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"

	"hubcap/engine/resource"
)

// What a chart makes of a sensitive value is sensitive in every spelling that a
// template can give it: quoted, encoded, digested, cut. It is found by what the chart
// does: it is rendered a second time with other texts in the place of the sensitive
// ones (see standIn), those of live Secrets included, and what differs depends on one.
// Where that is not to be told, because the second rendering fails or comes to other
// objects, all of the object is sensitive, and a warning says so.

// A twin is a second rendering, as far as it came.
type twin struct {
	objects []Object        // plain
	blank   map[string]bool // templates that did not render
	none    bool            // nothing did
	err     error           // of the first attempt; nil when it rendered
}

// twins remembers second renderings by what they were rendered from: a command
// renders the same several times.
var twins = struct {
	sync.Mutex
	known map[[sha256.Size]byte]*twin
}{known: map[[sha256.Size]byte]*twin{}}

// mostTwins bounds what is remembered.
const mostTwins = 256

// mostBlanks bounds how many templates of one chart are left out because they do not
// render.
const mostBlanks = 8

// hasSecrets reports whether a sensitive value reaches the chart: by its values, or
// because it looked up a Secret.
func (r *rendering) hasSecrets() bool {
	return resource.HasSensitive(r.request.Values) || r.live.hasSecrets()
}

// depend marks what of objects depends on a sensitive value.
// The error is a name that shows a secret.
func (r *rendering) depend(objects []Object) error {
	if r.request.Draft || !r.hasSecrets() {
		return nil
	}
	other := r.twin()
	d := &dependent{rendering: r, twin: other, taken: map[int]bool{}}
	d.index()
	for _, o := range objects {
		if err := d.object(o); err != nil {
			return err
		}
	}
	d.tell()
	return nil
}

// twin returns the second rendering.
func (r *rendering) twin() *twin {
	key, keyed := r.key()
	if keyed {
		twins.Lock()
		known := twins.known[key]
		twins.Unlock()
		if known != nil {
			return known
		}
	}
	t := r.renderTwin()
	if keyed {
		twins.Lock()
		defer twins.Unlock()
		if len(twins.known) >= mostTwins {
			clear(twins.known)
		}
		twins.known[key] = t
	}
	return t
}

// key is a digest of all that a second rendering depends on. It reports false for a
// chart that has none of its own.
func (r *rendering) key() (key [sha256.Size]byte, keyed bool) {
	if r.source.digest == "" {
		return key, false
	}
	h := sha256.New()
	e := json.NewEncoder(h)
	request := r.request
	err := e.Encode([]any{
		r.source.digest, r.source.nulls, request.Release, request.Namespace, request.Revision, request.KubeVersion,
		request.APIVersions, resource.Reveal(copyTable(request.Values)), standIns(request.Values), r.live.said(),
	})
	h.Sum(key[:0])
	return key, err == nil
}

// renderTwin renders with stand-ins. A template that does not render with them is
// left out, where it can be told which.
func (r *rendering) renderTwin() *twin {
	t := &twin{blank: map[string]bool{}}
	request := r.request
	request.Values = standIns(request.Values)
	second, err := r.source.prepare(request)
	for err == nil {
		second.live, second.decoded = r.live.standIn(), r.decoded // most templates render the same text
		second.standIn = true
		var objects []Object
		if objects, err = second.fixpoint(&draw{number: 3}); err == nil {
			for _, o := range objects {
				o.Object = resource.Reveal(o.Object).(map[string]any)
				t.objects = append(t.objects, o)
			}
			return t
		}
		if t.err == nil {
			t.err = err
		}
		if len(t.blank) == mostBlanks || !blank(second.chart, err, t.blank) {
			break
		}
		err = nil
	}
	if t.err == nil {
		t.err = err
	}
	t.none = true
	return t
}

// blank empties the outermost template that a message names, which is no helper, and
// notes it in gone. It reports false when there is none.
func blank(c *helmchart.Chart, err error, gone map[string]bool) bool {
	for _, found := range place.FindAllStringSubmatch(err.Error(), -1) {
		if full := found[1]; !gone[full] && !strings.HasPrefix(path.Base(full), "_") && emptyTemplate(c, full) {
			gone[full] = true
			return true
		}
	}
	return false
}

// emptyTemplate empties one template of a clone.
func emptyTemplate(c *helmchart.Chart, full string) bool {
	for i, t := range c.Templates {
		if path.Join(c.ChartFullPath(), t.Name) == full {
			c.Templates = slices.Clone(c.Templates)
			c.Templates[i] = &common.File{Name: t.Name, ModTime: time.Time{}, Data: nil}
			return true
		}
	}
	for _, child := range c.Dependencies() {
		if emptyTemplate(child, full) {
			return true
		}
	}
	return false
}

// A dependent marks objects by what they are in a twin.
type dependent struct {
	rendering *rendering
	twin      *twin
	byName    map[string]int
	taken     map[int]bool

	whole, named, open []string // objects, and places, that a warning is about
}

func (d *dependent) index() {
	d.byName = map[string]int{}
	for i, o := range d.twin.objects {
		d.byName[nameOf(o)] = i
	}
}

// object marks one object. One that has no counterpart, or whose template did not
// render, is marked as a whole.
func (d *dependent) object(o Object) error {
	name := o.Object.Text("kind") + " " + o.Object.Text("metadata", "name")
	i, found := d.byName[nameOf(o)]
	if !found && !d.twin.blank[o.Source] && !d.twin.none {
		if i, found = d.renamed(o); found {
			if d.shows(o.Object.Text("metadata", "name"), d.twin.objects[i].Object.Text("metadata", "name")) {
				return &TemplateError{File: o.Source, Cause: "makes the name of a " + o.Object.Text("kind") + " of a sensitive value, and a name cannot be hidden"}
			}
			d.named = append(d.named, name)
		}
	}
	if !found {
		d.whole = append(d.whole, name)
		hideWhole(o.Object)
		return nil
	}
	d.taken[i] = true
	for key, value := range o.Object {
		if key == "apiVersion" || key == "kind" {
			continue
		}
		other, has := d.twin.objects[i].Object[key]
		if key == "metadata" {
			d.metadata(value, other, name)
			continue
		}
		o.Object[key] = d.value(value, other, has, name+" "+key)
	}
	return nil
}

// shows reports whether what is otherwise in two names is a part of a secret, and not
// a digest of one.
func (d *dependent) shows(name, twin string) bool {
	for _, piece := range spellings(name, twin) {
		for _, secret := range d.rendering.request.Unnamed {
			p, whole := bare(piece), bare(secret)
			if len(p) >= leastSpelling && (strings.Contains(whole, p) || strings.Contains(p, whole)) {
				return true
			}
		}
	}
	return false
}

// bare is a text with its letters and digits alone, in lower case: what is left of it
// in a name.
func bare(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}

// metadata marks all but what tells an object from others, which cannot be hidden.
func (d *dependent) metadata(value, other any, at string) {
	table, _ := value.(map[string]any)
	like, _ := other.(map[string]any)
	for key, e := range table {
		if key != "name" && key != "namespace" {
			twin, has := like[key]
			table[key] = d.value(e, twin, has, at+" metadata."+key)
		}
	}
}

// renamed finds the object of the same template, place and kind.
func (d *dependent) renamed(o Object) (int, bool) {
	for i, other := range d.twin.objects {
		if other.Source == o.Source && other.Index == o.Index && other.Object.Text("kind") == o.Object.Text("kind") && !d.taken[i] {
			return i, true
		}
	}
	return 0, false
}

// value returns v with what is marked that is otherwise in its twin.
func (d *dependent) value(v, twin any, has bool, at string) any {
	switch v := v.(type) {
	case map[string]any:
		like, isTable := twin.(map[string]any)
		if !isTable {
			return resource.Hide(v)
		}
		for key, e := range v {
			other, has := like[key]
			v[key] = d.value(e, other, has, at+"."+key)
		}
		return v
	case []any:
		like, isList := twin.([]any)
		if !isList || len(like) != len(v) {
			return resource.Hide(v)
		}
		for i, e := range v {
			v[i] = d.value(e, like[i], true, fmt.Sprintf("%s[%d]", at, i))
		}
		return v
	case string:
		if text, isText := twin.(string); !isText || text != v {
			return resource.SecretOf(v, spellings(v, text)...)
		}
		return v
	case resource.Sensitive, nil: // of the first kind: it depends on chance, and is marked
		return v
	}
	if has && !resource.Equal(v, twin) {
		d.open = append(d.open, at)
	}
	return v
}

// hideWhole marks every text of an object but what tells it from others, and by which
// its parts are found.
func hideWhole(o resource.Object) {
	for key, value := range o {
		switch key {
		case "apiVersion", "kind":
		case "metadata":
			meta, _ := value.(map[string]any)
			for field, e := range meta {
				if field != "name" && field != "namespace" && field != "labels" {
					meta[field] = resource.Hide(e)
				}
			}
		default:
			o[key] = resource.Hide(value)
		}
	}
}

// leastSpelling is how long a piece of a text is that is looked for elsewhere.
const leastSpelling = 4

// spellings returns the pieces of a text that are otherwise in its twin: what the
// template made of the sensitive value.
func spellings(text, twin string) []string {
	a, b := []rune(text), []rune(twin)
	if len(a) != len(b) { // all between what both begin and end with
		for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
			a, b = a[1:], b[1:]
		}
		for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
			a, b = a[:len(a)-1], b[:len(b)-1]
		}
		if len(a) < leastSpelling {
			return nil
		}
		return []string{string(a)}
	}
	var pieces []string
	const gap = 3 // symbols within a secret are the same in both
	start, last := -1, -1
	flush := func() {
		if start >= 0 && last-start+1 >= leastSpelling {
			pieces = append(pieces, string(a[start:last+1]))
		}
		start = -1
	}
	for i := range a {
		switch {
		case a[i] != b[i]:
			if start < 0 {
				start = i
			}
			last = i
		case start >= 0 && i-last > gap:
			flush()
		}
	}
	flush()
	return pieces
}

// tell says in a line each what could not be narrowed.
func (d *dependent) tell() {
	w := &d.rendering.warnings
	if len(d.whole) > 0 {
		w.add("it cannot be told what of %s depends on a sensitive value, so all of it is hidden: with another value the chart renders otherwise", some(d.whole))
	}
	if len(d.named) > 0 {
		w.add("the name of %s depends on a sensitive value, and a name cannot be hidden", some(d.named))
	}
	if len(d.open) > 0 {
		w.add("%s depends on a sensitive value and is shown, since it is no text", some(d.open))
	}
}

// some names a few of many.
func some(names []string) string {
	slices.Sort(names)
	names = slices.Compact(names)
	const shown = 3
	if len(names) > shown {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
	}
	return strings.Join(names, ", ")
}
