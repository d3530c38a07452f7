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

	"helm.sh/helm/v4/pkg/chart/common"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"

	"hubcap/engine/resource"
)

// What a chart makes of a sensitive value is sensitive in every spelling that a
// template can give it: quoted, encoded, digested, cut. It is found by what the chart
// does: it is rendered a second time with other texts in the place of the sensitive
// ones (see [resource.StandIn]), those of live Secrets included, and what differs depends on one.
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

// standIns returns values with another text in the place of every sensitive one.
func standIns(values map[string]any) map[string]any {
	return resource.MapLeaves(copyTable(values), func(leaf any) any {
		if s, isSensitive := leaf.(resource.Sensitive); isSensitive {
			return resource.StandIn(s.Reveal())
		}
		return leaf
	}).(map[string]any)
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

	whole, named, open []string       // objects, and places, that a warning is about
	shown              *TemplateError // the first key that shows a secret and cannot be hidden
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
			if err := d.identity(o, d.twin.objects[i]); err != nil {
				return err
			}
			d.named = append(d.named, "the name of "+name)
		}
	}
	if !found {
		d.whole = append(d.whole, name)
		return d.hideWhole(o)
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
	if d.shown != nil {
		d.shown.File = o.Source
		return d.shown
	}
	return nil
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

// renamed finds the object of the same template and place.
func (d *dependent) renamed(o Object) (int, bool) {
	for i, other := range d.twin.objects {
		if other.Source == o.Source && other.Index == o.Index && !d.taken[i] {
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
		d.keys(v, like, at)
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
			return resource.SecretOf(v, resource.Spellings(v, text)...)
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

// tell says in a line each what could not be narrowed.
func (d *dependent) tell() {
	w := &d.rendering.warnings
	if len(d.whole) > 0 {
		w.add("it cannot be told what of %s depends on a sensitive value, so all of it is hidden: with another value the chart renders otherwise", some(d.whole))
	}
	if len(d.named) > 0 {
		w.add("%s depends on a sensitive value, and a name cannot be hidden", some(d.named))
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
