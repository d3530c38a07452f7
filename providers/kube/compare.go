package kube

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
)

// A comparison holds one desired object beside its live one.
type comparison struct {
	p         *Provider
	kind      *kind
	desired   resource.Desired           // prepared
	live      *unstructured.Unstructured // nil when there is none
	lacksSeal bool                       // the next write gives it a seal
	makes     bool                       // its namespace is missing and about to be made
	leaving   string                     // why nothing may be written: its namespace, or it, is being deleted
	from      *resource.Takeover         // whose the live object is, when it is to be taken over
	written   map[string]any             // the object as they wrote it; nil when that is not known
	leads     []lead                     // fields that were given up

	plain  map[string]any // desired with secrets revealed
	wants  *fieldpath.Set // the fields that applying would make ours
	owns   *fieldpath.Set // the fields that are ours now
	gains  *fieldpath.Set // the fields that a take-over makes ours
	arms   *fieldpath.Set // those of them that may not be beside what is wanted; nil: there are none
	fields *fieldpath.Set // all three together

	answer *unstructured.Unstructured // to the dry run; nil: the server was not asked, or refused

	veiled resource.Object // live, with what is sensitive marked; nil until it is asked for
}

// observe decides locally whether anything differs, and asks the server for a dry
// run only then. What is being deleted is never as wanted: it is refused, unless it is
// to be made anew anyway.
func (c *comparison) observe(ctx context.Context) (*resource.Observation, error) {
	if c.leaving != "" {
		o := &resource.Observation{Desired: c.desired, Refused: c.leaving}
		if c.live != nil {
			o.Live = c.p.live(c.live, c.desired.Object)
		}
		return o, nil
	}
	o, err := c.observeStanding(ctx)
	if err == nil && o.Refused == "" && len(o.Replace) == 0 && c.desired.GivesBack == nil && c.desired.Hook == nil {
		o.Refused = deletion(c.live)
	}
	if err == nil && c.live != nil {
		if ahead := c.aheadOf(); len(ahead) > 0 {
			o.Foreign = append(o.Foreign, ahead...)
			o.Unmoved = c.unmoved(o.Live.Applied)
		}
	}
	return o, err
}

// observeStanding is observe for an object that stays.
func (c *comparison) observeStanding(ctx context.Context) (*resource.Observation, error) {
	if c.live != nil && c.desired.Presence != resource.Ensured && c.desired.GivesBack == nil {
		c.desired.Object = resource.KeepSensitive(c.desired.Object, resource.Object(c.live.Object))
	}
	o := &resource.Observation{Desired: c.desired}
	if c.live == nil {
		return o, c.observeNew(ctx, o)
	}
	o.Live = c.p.live(c.live, c.desired.Object)
	if c.desired.Presence == resource.Ensured {
		o.Same = true
		return o, nil
	}
	if c.desired.GivesBack != nil {
		return o, c.observeReturn(ctx, o)
	}
	claim := c.p.claim(c.live, c.desired)
	if o.Refused = claim.reason; o.Refused != "" {
		return o, nil
	}
	c.from, o.TakesOver = claim.from, claim.from
	typed := c.measure()
	o.Seals = c.lacksSeal
	if typed && c.from == nil && c.same() {
		if o.Same = !o.Seals; o.Seals {
			o.Before = c.part(c.live)
			o.Preview = o.Before.Copy()
		}
		return o, nil
	}
	arms, full, implied := c.p.alternatives(c.desired.Object, c.live)
	if implied {
		c.desired.Object, o.Wanted = full, full
		if typed = c.measure(); typed && c.from == nil && c.same() && !o.Seals {
			return &resource.Observation{Desired: o.Desired, Live: o.Live, Same: true}, nil
		}
	}
	if typed && !arms.Empty() {
		c.takeArms(arms, o)
	}
	if !typed { // only the server can tell what applying would make ours
		c.fields = c.held().Union(fieldpath.SetFromValue(valueOf(c.plain)).Difference(unowned))
	}
	o.Before = c.part(c.live)
	o.Defaults = defaults(c.live, c.fields.Difference(c.held()))
	o.Owners = c.owners()
	o.Unmoved = c.unmoved(o.Live.Applied)
	o.Foreign = c.foreign(o.Live.Applied)
	o.Notes = append(o.Notes, c.overruled()...)
	return o, c.preview(ctx, o)
}

// takeArms makes the other arms of a union ours, as a take-over does with its fields.
func (c *comparison) takeArms(arms *fieldpath.Set, o *resource.Observation) {
	if c.arms = arms; c.gains == nil {
		c.gains = fieldpath.NewSet()
	}
	wrote := othersOwn(c.live, c.p.manager())
	if c.written != nil {
		wrote = wrote.Union(c.p.setOf(c.written)) // also where the server has forgotten who did
	}
	c.gains = c.gains.Union(arms.Intersection(wrote)) // a default comes back by itself
	c.fields = c.held().Union(c.wants)
	for _, path := range leaves(arms) {
		o.Alternatives = append(o.Alternatives, pathText(path))
	}
}

// measure works out the sets of fields. It reports false when the desired object
// has no known type, or does not fit it.
func (c *comparison) measure() bool {
	c.plain = resource.Reveal(c.desired.Object).(map[string]any)
	c.owns, _ = ownedBy(c.live, c.p.manager())
	if c.from != nil {
		c.gains = c.gained()
	}
	wants, err := c.p.Client.types.fieldSet(c.plain)
	if err != nil {
		return false
	}
	c.wants = wants
	c.fields = c.held().Union(wants)
	return true
}

// held returns the fields that are ours by the time of the write.
func (c *comparison) held() *fieldpath.Set {
	if c.gains == nil {
		return c.owns
	}
	return c.owns.Union(c.gains)
}

// same is the local decision that writing would change nothing: what is ours is
// exactly what applying would make ours, and all of it has the wanted value.
func (c *comparison) same() bool {
	wants, owns, plain := c.wants, c.owns, c.plain
	if !c.isTampered() && (wants.Has(sensitiveField) || owns.Has(sensitiveField)) {
		wants, owns = wants.Difference(sensitivePath), owns.Difference(sensitivePath)
		o := c.desired.Object.Copy()
		delete(tableAt(o, "metadata", "annotations"), resource.AnnotationSensitive)
		plain = resource.Reveal(o).(map[string]any)
	}
	if others := notOurs(c.desired.Owners); len(c.desired.Owners) > 0 {
		if !haveTheirs(c.live, c.p.manager(), c.desired.Owners) {
			return false
		}
		owns = owns.Union(others.Intersection(wants))
	}
	if !wants.Equals(owns) || c.live.GetLabels()[LabelConfig] != c.p.Owner {
		return false
	}
	return covers(restrict(c.live, owns), canonical(plain))
}

// isTampered reports an object whose memory of its sensitive fields is not the one that
// was written with it. It is put right; an object that remembers less than is known by
// now, or nothing because an older version wrote it, is told with the next write, and
// is not written for that.
func (c *comparison) isTampered() bool {
	last := applied(c.live)
	_, digest := resource.Remembered(resource.Object(c.live.Object))
	return last != nil && last.Sensitive != "" && last.Sensitive != digest
}

func tableAt(o resource.Object, path ...string) map[string]any {
	v, _ := o.Value(path...)
	table, _ := v.(map[string]any)
	return table
}

// sensitiveField is where an object remembers its sensitive fields.
var (
	sensitiveField = fieldpath.MakePathOrDie("metadata", "annotations", resource.AnnotationSensitive)
	sensitivePath  = fieldpath.NewSet(sensitiveField)
)

// part returns the part of u that is ours or about to be, without our record.
func (c *comparison) part(u *unstructured.Unstructured) resource.Object {
	part := restrict(u, c.fields.Difference(appliedPath))
	c.fillHoles(part)
	v := veil{isSecret: isSecret(u)}
	if c.live != nil { // what the server would make of it remembers what is wanted, and not what was
		v = veilOf(c.live)
	}
	return c.p.veilTree(part, v, c.desired.Object)
}

func isSecret(u *unstructured.Unstructured) bool {
	return u.GetKind() == "Secret" && u.GroupVersionKind().Group == ""
}
