package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hubcap/engine/resource"
)

// ErrDocument says that a document is not a plan that this hubcap can carry out.
var ErrDocument = errors.New("not a plan of this version")

// Encode returns p as a document, canonical and without any sensitive value, and
// the values that it hides by their places, for the cluster's store. Equal plans
// have equal bytes. It fails rather than let a sensitive value through.
func Encode(p *Plan, m Mask) (document []byte, secrets map[string]string, err error) {
	masked, secrets, err := m.mask(p)
	if err != nil {
		return nil, nil, fmt.Errorf("encode plan: %w", err)
	}
	if masked.ID, err = digest(masked); err != nil {
		return nil, nil, fmt.Errorf("encode plan: %w", err)
	}
	if document, err = marshal(masked); err != nil {
		return nil, nil, fmt.Errorf("encode plan: %w", err)
	}
	return document, secrets, nil
}

// identify returns the plan's ID: the digest of its document.
func identify(p *Plan, m Mask) (string, error) {
	masked, _, err := m.mask(p)
	if err != nil {
		return "", err
	}
	return digest(masked)
}

func digest(masked *Plan) (string, error) {
	document, err := marshal(masked)
	if err != nil {
		return "", err
	}
	return documentDigest(document, masked.FormatVersion), nil
}

// documentDigest returns the sha256 of a document in hex, without the line that says
// what its ID is: everything that a plan file can contribute is in it. It is of the
// text, not of what it means, so that later versions read what earlier ones wrote.
// Format 1 left out when the plan was made, too.
func documentDigest(document []byte, version string) string {
	undated := strings.HasPrefix(version, "1.")
	sum := sha256.New()
	for line := range bytes.Lines(document) {
		isLeftOut := bytes.HasPrefix(line, []byte(`  "id": `)) || undated && bytes.HasPrefix(line, []byte(`  "created": `))
		if !isLeftOut {
			sum.Write(line)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func marshal(p *Plan) ([]byte, error) {
	if err := eachValue(p, refuseMaskKeys); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// refuseMaskKeys refuses a masked plan with an object that looks like a masked
// value.
func refuseMaskKeys(v any) error {
	switch v := v.(type) {
	case map[string]any:
		if _, has := v[maskKey]; has {
			return errMaskKey
		}
		for _, e := range v {
			if err := refuseMaskKeys(e); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range v {
			if err := refuseMaskKeys(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachValue calls visit with every value of p that comes from outside.
func eachValue(p *Plan, visit func(v any) error) error {
	var values []any
	for _, s := range p.Steps() {
		for _, c := range s.Changes {
			values = append(values, map[string]any(c.Before), map[string]any(c.After))
			for _, f := range c.Fields {
				values = append(values, f.Before, f.After)
			}
			for _, f := range c.Foreign {
				values = append(values, f.Wanted, f.Live)
			}
		}
	}
	for _, d := range p.Drift {
		for _, f := range d.Fields {
			values = append(values, f.Wanted, f.Live)
		}
	}
	values = append(values, map[string]any(p.Outputs))
	for _, v := range values {
		if err := visit(v); err != nil {
			return err
		}
	}
	return nil
}

// Decode parses a document. Sensitive values come back as [Masked]; [Unmask] puts
// them back. A document that was changed since it was written, that hubcap did not
// write as it is, or whose version this hubcap does not read, is an [ErrDocument].
func Decode(document []byte) (*Plan, error) {
	p, err := decode(document)
	if err != nil {
		return nil, fmt.Errorf("decode plan: %w: %w", ErrDocument, err)
	}
	return p, nil
}

func decode(document []byte) (*Plan, error) {
	var p Plan
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	if err := d.Decode(&p); err != nil {
		return nil, err
	}
	if !readable(p.FormatVersion) {
		return nil, fmt.Errorf("its format is %q, this hubcap reads %s", p.FormatVersion, strings.Join(readableVersions, " and "))
	}
	if err := canonical(document); err != nil {
		return nil, err
	}
	whole, err := normal(&p)
	if err != nil {
		return nil, err
	}
	if err := whole.check(); err != nil {
		return nil, err
	}
	if documentDigest(document, p.FormatVersion) != whole.ID {
		return nil, errors.New("it was changed since it was written")
	}
	return whole, whole.writtenAs(document)
}

// writtenAs reports how a document of this hubcap's own version is not what it writes:
// a key that it does not know, another order, a number spelt otherwise.
func (p *Plan) writtenAs(document []byte) error {
	if p.FormatVersion != FormatVersion {
		return nil
	}
	again, err := marshal(p)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, document) {
		return fmt.Errorf("it is not as hubcap writes it, from line %d on", firstOther(document, again))
	}
	return nil
}

// readableVersions are the formats that this hubcap reads, each up to its minor version.
// Only [FormatVersion] can be applied: what older versions wrote is shown, resumed and
// rolled back.
var readableVersions = []string{"1.0", FormatVersion}

// readable reports whether this hubcap reads plans of format v: a major version that it
// knows and no later minor one.
func readable(v string) bool {
	major, minor, found := strings.Cut(v, ".")
	n, err := strconv.Atoi(minor)
	return found && err == nil && n >= 0 && slices.ContainsFunc(readableVersions, func(known string) bool {
		knownMajor, knownMinor, _ := strings.Cut(known, ".")
		latest, _ := strconv.Atoi(knownMinor)
		return major == knownMajor && n <= latest
	})
}

// normal turns numbers and masks into what objects hold.
func normal(p *Plan) (*Plan, error) {
	c := *p
	for w := range c.Waves {
		for s := range c.Waves[w].Steps {
			for i := range c.Waves[w].Steps[s].Changes {
				if err := normalChange(&c.Waves[w].Steps[s].Changes[i]); err != nil {
					return nil, err
				}
			}
		}
	}
	for i := range c.Drift {
		if err := normalForeign(c.Drift[i].Fields); err != nil {
			return nil, err
		}
	}
	if c.Outputs != nil {
		outputs, err := normalValue(map[string]any(c.Outputs))
		if err != nil {
			return nil, err
		}
		m, isMap := outputs.(map[string]any)
		if !isMap {
			return nil, errMaskKey
		}
		c.Outputs = m
	}
	return &c, nil
}

func normalChange(c *resource.Change) error {
	for _, o := range []*resource.Object{&c.Before, &c.After} {
		if *o == nil {
			continue
		}
		v, err := normalValue(map[string]any(*o))
		if err != nil {
			return err
		}
		m, isMap := v.(map[string]any)
		if !isMap {
			return errMaskKey
		}
		*o = m
	}
	for i := range c.Fields {
		var err error
		f := &c.Fields[i]
		if f.Before, err = normalValue(f.Before); err != nil {
			return err
		}
		if f.After, err = normalValue(f.After); err != nil {
			return err
		}
	}
	return normalForeign(c.Foreign)
}

func normalForeign(fields []resource.Foreign) (err error) {
	for i := range fields {
		f := &fields[i]
		if f.Wanted, err = normalValue(f.Wanted); err != nil {
			return err
		}
		if f.Live, err = normalValue(f.Live); err != nil {
			return err
		}
	}
	return nil
}

func normalValue(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i, nil
		}
		return v.Float64()
	case map[string]any:
		if hidden, has := v[maskKey]; has {
			text, isText := hidden.(string)
			if len(v) != 1 || !isText {
				return nil, errMaskKey
			}
			return Masked{Digest: text}, nil
		}
		for key, e := range v {
			n, err := normalValue(e)
			if err != nil {
				return nil, err
			}
			v[key] = n
		}
	case []any:
		for i, e := range v {
			n, err := normalValue(e)
			if err != nil {
				return nil, err
			}
			v[i] = n
		}
	}
	return v, nil
}

// check reports what a plan must have and a decoded one lacks.
func (p *Plan) check() error {
	seen := make(map[StepID]bool)
	for _, s := range p.Steps() {
		if s.ID == "" || seen[s.ID] {
			return fmt.Errorf("step %q: no ID of its own", s.ID)
		}
		seen[s.ID] = true
		if s.OnFailure != Rollback && s.OnFailure != Stop {
			return fmt.Errorf("step %s: on_failure is %q", s.ID, s.OnFailure)
		}
		if negative(s.Impact) || s.Back != nil && negative(*s.Back) {
			return fmt.Errorf("step %s: a count is less than nothing", s.ID)
		}
		if s.Relies != nil && (s.Relies.Counted < 0 || s.Relies.Max != relyOn(s.Relies.Counted)) {
			return fmt.Errorf("step %s: relies_on.max does not follow from the count", s.ID)
		}
		for _, c := range s.Changes {
			if negative(c.Impact) {
				return fmt.Errorf("step %s: change %s: a count is less than nothing", s.ID, c.ID)
			}
			bad := c.Action == 0 || c.Class == 0 || c.ID.Kind == "" || c.ID.Name == "" ||
				(c.Action == resource.Delete) != (c.After == nil)
			if bad {
				return fmt.Errorf("step %s: change %s is incomplete", s.ID, c.ID)
			}
		}
		for _, g := range s.Guards {
			if g.Check() == "" || g.Level != Advisory && g.Level != Soft && g.Level != Hard {
				return fmt.Errorf("step %s: guard %q is incomplete", s.ID, g.Name)
			}
		}
		for _, g := range s.Gates {
			if g.Check() == "" || g.Interval <= 0 || g.Bake < 0 || g.Failures < 1 {
				return fmt.Errorf("step %s: gate %q is incomplete", s.ID, g.Name)
			}
		}
	}
	return nil
}

func negative(i resource.Impact) bool {
	return min(i.SessionsLost, i.SessionsInterrupted, i.PodsRestarted) < 0 || i.LaunchGap < 0
}
