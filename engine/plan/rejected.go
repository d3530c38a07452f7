package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"hubcap/engine/resource"
)

// A Rejection says that what a step wants was tried, failed its checks and was
// rolled back, or that a person rolled it back.
type Rejection struct {
	Run    string
	By     string // who rolled it back with that run; empty: the run itself did
	Reason string
	Time   time.Time
}

// rejected is the name of the verdicts about what was rolled back before.
const rejected = "rejected"

// Digest returns a digest of what the step wants: the same for every plan that
// wants the same of its component, whatever it finds. Secrets are in it under the
// mask's key only, and values that are drawn anew each time not at all.
func (s Step) Digest(m Mask) string {
	var wants []string
	for _, c := range s.Changes {
		after, err := replace(map[string]any(c.After), "", func(_ string, v any) (any, error) {
			if secret, isSensitive := v.(resource.Sensitive); isSensitive {
				return Masked{Digest: m.digest(secret)}, nil
			}
			return v, nil
		})
		if err != nil {
			panic("plan.Digest: masking cannot fail: " + err.Error())
		}
		text, err := json.Marshal(resource.WithoutNulls(after))
		if err != nil {
			panic("plan.Digest: an object is not JSON: " + err.Error())
		}
		wants = append(wants, fmt.Sprintf("%s %t %s\n", c.ID, c.Action == resource.Delete, text))
	}
	slices.Sort(wants)
	sum := sha256.Sum256([]byte(s.Component.String() + "\n" + strings.Join(wants, "")))
	return hex.EncodeToString(sum[:])
}

// reject notes which steps want what was rolled back before. Whoever wants it
// again has to say so, see [Plan.Retry]. hubcap's own records are not asked: that the
// next revision of a release has the number of the one that was rolled back says
// nothing of what it holds.
func (b *builder) reject() {
	if len(b.Rejected) == 0 || b.Back {
		return
	}
	for _, s := range b.plan.Steps() {
		r, was := b.Rejected[s.Digest(b.Mask)]
		if !was || s.Hook != "" || records(s) { // a hook that is owed runs again
			continue
		}
		by := "run " + r.Run
		if r.By != "" {
			by = r.By + " with run " + r.Run
		}
		b.said = append(b.said, Verdict{
			Name: rejected, Level: Deny, About: s.Component.Block, Origin: s.Changes[0].Origin,
			Text: fmt.Sprintf("%s as it is wanted was rolled back by %s at %s (%s)", s.Component, by,
				r.Time.UTC().Format("2006-01-02 15:04Z"), firstLine(r.Reason)),
			Reason: "change it, or try it again with --retry",
		})
	}
}

// records reports whether all that a step changes are hubcap's own records.
func records(s Step) bool {
	return !slices.ContainsFunc(s.Changes, func(c resource.Change) bool { return !resource.IsRecord(c.After) })
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// Forbidden returns the verdicts that deny the plan, but for those about what was
// rolled back before: these only ask for a word more.
func (p *Plan) Forbidden() []Verdict {
	return slices.DeleteFunc(p.Denied(), func(v Verdict) bool { return v.Name == rejected })
}

// Retry makes p try again what was rolled back before: that is told, and denies
// nothing any more.
func (p *Plan) Retry() {
	for i := range p.Verdicts {
		if p.Verdicts[i].Name == rejected {
			p.Verdicts[i].Level = Warn
		}
	}
}
