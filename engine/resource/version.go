package resource

// A Fault is what there is to say against the version of a chart.
type Fault struct {
	Chart   Chart     `json:"chart"`
	Kind    FaultKind `json:"fault"`
	Name    string    `json:"name,omitempty"` // of the known_bad or policy block that says so
	Reason  string    `json:"reason,omitempty"`
	FixedIn string    `json:"fixed_in,omitempty"` // first version without it
	Link    string    `json:"link,omitempty"`
	Origin  Range     `json:"origin,omitzero"` // where the block names its chart
}

// FaultKind tells what is wrong with a version.
type FaultKind string

// The kinds of faults.
const (
	KnownBad   FaultKind = "known-bad"
	PreRelease FaultKind = "pre-release"
	NotAllowed FaultKind = "not-allowed" // by the policy that Name names
)

// String says the fault in words: "chart jupyterhub 0.6.0-dcb92ba (in binderhub)
// is known to be bad: …".
func (f Fault) String() string {
	what := "chart " + f.Chart.Chart + " " + f.Chart.Version
	if f.Chart.Parent != "" {
		what += " (in " + f.Chart.Parent + ")"
	}
	switch f.Kind {
	case KnownBad:
		what += " is known to be bad: " + f.Reason
		if f.FixedIn != "" {
			what += ". Fixed in " + f.FixedIn
		}
	case PreRelease:
		what += " is a pre-release"
	case NotAllowed:
		what += " is not allowed: " + f.Reason
	}
	return what
}
