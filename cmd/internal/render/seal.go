package render

import (
	"slices"
	"strconv"
	"strings"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// isSealOnly reports a change that gives its object a seal and nothing else.
func isSealOnly(c resource.Change) bool {
	return c.Seals && c.Class == resource.ClassAdopt && c.TakesOver == nil && len(c.Fields) == 0
}

// sealsOnly reports a step of such changes. Each would be a line that says nothing:
// sealLine says it for all of them.
func sealsOnly(step plan.Step) bool {
	return len(step.Changes) > 0 && !slices.ContainsFunc(step.Changes, func(c resource.Change) bool { return !isSealOnly(c) })
}

// Seals counts the objects that a plan seals and changes in nothing else.
func Seals(p *plan.Plan) int {
	n := 0
	for _, step := range p.Steps() {
		for _, c := range step.Changes {
			if isSealOnly(c) {
				n++
			}
		}
	}
	return n
}

// sealLine says in one line what a plan seals; empty when nothing.
func sealLine(p *plan.Plan) string {
	n := Seals(p)
	if n == 0 {
		return ""
	}
	verb := "gets"
	if n > 1 {
		verb = "get"
	}
	return count(n, "object") + " of hubcap's " + verb + " a seal of this cluster's key; restarts nothing"
}

// sealed writes that line.
func (s Style) sealed(b *strings.Builder, p *plan.Plan) {
	if line := sealLine(p); line != "" {
		b.WriteString(wrap(line, "  ", s.width()) + "\n")
	}
}

// Unsealed words what bears hubcap's marks and has no valid seal, cluster by cluster:
// why, and whether a person may take it for hubcap's. lacking is how much of what the
// config wants the next apply seals.
func Unsealed(found []resource.Unsealed, lacking int, s Style) string {
	var b strings.Builder
	cluster, taken := "", 0
	for _, u := range found {
		if u.ID.Cluster != cluster {
			cluster = u.ID.Cluster
			b.WriteString("Cluster " + cluster + "\n")
		}
		verdict := "to seal"
		if u.Barred != "" {
			verdict = "never: " + u.Barred
		} else {
			taken++
		}
		says := "says nothing of its block"
		if !u.Says.Block.IsZero() {
			says = "says to be of " + u.Says.String()
		}
		b.WriteString(wrap(u.ID.String()+" ("+says+")", "  ", s.width()))
		b.WriteString(wrap("seal: "+u.Reason, "    ", s.width()))
		if u.Record != "" {
			b.WriteString(wrap("record: "+u.Record+"; hubcap acts on what is in it, with its own rights: look at it first", "    ", s.width()))
		}
		b.WriteString(wrap(verdict, "    ", s.width()))
	}
	if len(found) == 0 {
		b.WriteString("Nothing that is wanted no more lacks a valid seal.\n")
	} else {
		b.WriteString("\n" + wrap(were(len(found), "object")+" wanted no more and without a valid seal, "+strconv.Itoa(taken)+" of them to be sealed on your word.", "", s.width()))
	}
	if lacking > 0 {
		b.WriteString(wrap(count(lacking, "object")+" that the config wants: sealed by the next apply.", "", s.width()))
	}
	return b.String()
}

// A SealReport is what was found without a valid seal, and what was sealed, as -o json
// prints it.
type SealReport struct {
	FormatVersion string           `json:"format_version"`
	Objects       []UnsealedObject `json:"unsealed"`
	Wanted        int              `json:"sealed_by_next_apply"` // objects that the config wants
	Sealed        int              `json:"sealed"`
	Runs          []string         `json:"runs"`              // that the journals have it as
	Rotated       any              `json:"rotated,omitempty"` // by cluster: the keys, and the runs that are not acted on any more
}

// NewSealReport returns the report of what was found.
func NewSealReport(found []resource.Unsealed, wanted int) SealReport {
	r := SealReport{FormatVersion: "1.0", Objects: []UnsealedObject{}, Wanted: wanted, Runs: []string{}}
	for _, u := range found {
		says := ""
		if !u.Says.Block.IsZero() {
			says = u.Says.String()
		}
		r.Objects = append(r.Objects, UnsealedObject{ID: u.ID, Says: says, Reason: u.Reason, Record: u.Record, Never: u.Barred})
	}
	return r
}

// An UnsealedObject is one object without a valid seal.
type UnsealedObject struct {
	ID     resource.ID `json:"id"`
	Says   string      `json:"says_to_be_of,omitempty"` // anybody's word
	Reason string      `json:"reason"`
	Record string      `json:"record,omitempty"`
	Never  string      `json:"never,omitempty"` // why it cannot be sealed on a person's word
}
