package memory

import (
	"fmt"
	"slices"

	"hubcap/engine/resource"
)

// sizePath is where a claim says how large it is. It grows, and never shrinks.
const sizePath = "spec.gigabytes"

func sizeOf(o resource.Object) (int64, bool) {
	v, _ := o.Value("spec", "gigabytes")
	n, isNumber := v.(int64)
	return n, isNumber
}

// shrinks reports whether want asks for less storage than a claim has.
func shrinks(r *record, want resource.Object) bool {
	has, isNumber := sizeOf(r.Object)
	asked, isNumberToo := sizeOf(want)
	return r.ID.Kind == "PersistentVolumeClaim" && isNumber && isNumberToo && asked < has
}

// isGrown reports whether somebody else enlarged a claim, and want asks for no less than
// was written last: the size is left to them then.
func isGrown(r *record, want resource.Object) bool {
	asked, _ := sizeOf(want)
	wrote, ours := sizeOf(r.Applied)
	_, isEdited := r.Edits[sizePath]
	return !ours || isEdited && asked >= wrote
}

// withoutSize returns want as it is written to a claim that somebody else enlarged, and
// what is foreign in that.
func (w *World) withoutSize(r *record, want resource.Object, foreign []resource.Foreign) (resource.Object, []resource.Foreign) {
	asked, _ := sizeOf(want)
	has, _ := sizeOf(r.Object)
	by := r.Edits[sizePath]
	foreign = slices.DeleteFunc(foreign, func(f resource.Foreign) bool { return f.Path == sizePath })
	foreign = append(foreign, resource.Foreign{
		Path: sizePath, Manager: by.Manager, Time: by.Time, Wanted: asked, Live: has,
		Note: fmt.Sprintf("live has %d, config %d: a claim cannot shrink; write %d", has, asked, has),
	})
	return sizeless(want), foreign
}

// owned returns what hubcap wrote last, without the size of a claim that somebody else
// has set since.
func owned(r *record) resource.Object {
	_, isEdited := r.Edits[sizePath]
	if _, ours := sizeOf(r.Applied); r.ID.Kind != "PersistentVolumeClaim" || !isEdited || !ours {
		return r.Applied
	}
	return sizeless(r.Applied)
}

func sizeless(o resource.Object) resource.Object {
	o = o.Copy()
	spec := asMap(o["spec"])
	if delete(spec, "gigabytes"); len(spec) == 0 {
		delete(o, "spec")
	}
	return o
}
