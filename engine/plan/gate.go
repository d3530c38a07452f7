package plan

import (
	"time"

	"hubcap/engine/resource"
)

// A Gate is what must hold after a step has converged, and for how long. Exactly
// one of its checks is set.
type Gate struct {
	Name     string        `json:"name"`
	Bake     time.Duration `json:"bake_ns"`     // must hold for so long
	Interval time.Duration `json:"interval_ns"` // between two samples
	Failures int           `json:"failures"`    // so many bad samples fail the gate; at least 1

	// Of says among how many of the last samples the bad ones count; 0: they
	// count when they come in a row.
	Of             int            `json:"of,omitempty"`
	WarmUp         time.Duration  `json:"warm_up_ns,omitempty"`  // at the start of the bake, of which nothing counts
	MaxBake        time.Duration  `json:"max_bake_ns,omitempty"` // to which missing evidence extends the bake; 0: about twice Bake
	OnInconclusive OnInconclusive `json:"on_inconclusive,omitempty"`
	Advisory       bool           `json:"advisory,omitempty"` // tells, and decides nothing

	// Components are those whose steps the gate is about ("hub"); empty: all. In
	// a step it is empty: the step's component is one of them.
	Components []string `json:"components,omitempty"`

	HTTP       *HTTPCheck       `json:"http,omitempty"`
	Pods       *PodsCheck       `json:"pods,omitempty"`
	Prometheus *PrometheusCheck `json:"prometheus,omitempty"`
	Builds     *BuildsCheck     `json:"builds,omitempty"`
	Launch     *LaunchCheck     `json:"launch,omitempty"`
	Exec       *ExecCheck       `json:"exec,omitempty"`
	Manual     *ManualCheck     `json:"manual,omitempty"`
}

// Check names the kind of check that g makes.
func (g Gate) Check() string {
	switch {
	case g.HTTP != nil:
		return "http"
	case g.Pods != nil:
		return "pods"
	case g.Prometheus != nil:
		return "prometheus"
	case g.Builds != nil:
		return "builds"
	case g.Launch != nil:
		return "launch"
	case g.Exec != nil:
		return "exec"
	case g.Manual != nil:
		return "manual"
	}
	return ""
}

// shortestWindow is the least time over which a rate is worth asking for: most
// are scraped twice in it.
const shortestWindow = time.Minute

// Delay is how long after the step has converged the first sample is worth taking:
// a query looks back, and must not see what was before.
func (g Gate) Delay() time.Duration {
	if g.Prometheus == nil {
		return g.WarmUp
	}
	return g.WarmUp + min(g.Prometheus.Window, shortestWindow)
}

// OnInconclusive says what a gate does that cannot tell, after the longest bake.
type OnInconclusive string

// What an inconclusive gate does. Empty means HoldWhenUnclear.
const (
	HoldWhenUnclear OnInconclusive = "hold"
	FailWhenUnclear OnInconclusive = "fail"
)

// An HTTPCheck asks one URL.
type HTTPCheck struct {
	URL        string        `json:"url"`
	Status     []int         `json:"status"` // any of these is good; default 200
	Contains   string        `json:"contains,omitempty"`
	Timeout    time.Duration `json:"timeout_ns"`               // of one request
	MaxLatency time.Duration `json:"max_latency_ns,omitempty"` // of a good answer, to its last byte; 0: any
}

// A PodsCheck looks at the pods of the component that was changed, of a whole
// block, or at the user servers of a hub.
type PodsCheck struct {
	Block       string `json:"block,omitempty"` // "hub.prod": all its pods; empty: the component's
	MaxRestarts int    `json:"max_restarts"`    // since the step began
	MaxPending  int    `json:"max_pending"`

	PendingAfter     time.Duration `json:"pending_after_ns,omitempty"` // a pod counts as pending at this age
	MaxTerminating   *int          `json:"max_terminating,omitempty"`  // pods that should be gone; nil: any number
	TerminatingAfter time.Duration `json:"terminating_after_ns,omitempty"`

	Users     bool          `json:"users,omitempty"`      // the user servers instead
	Namespace string        `json:"namespace,omitempty"`  // of the user servers
	MaxAge    time.Duration `json:"max_age_ns,omitempty"` // at which a user server should be gone; 0: any
}

// A PrometheusCheck asks a Prometheus and holds the answer against bounds. Every
// bound that is set must hold. In the expressions of a step, $namespace, $release
// and $hub are filled in; $window and $bake are when a sample is taken.
type PrometheusCheck struct {
	Cluster string        `json:"cluster,omitempty"` // whose Prometheus; empty: of the step's cluster
	Query   string        `json:"query"`             // gives one number
	Max     *float64      `json:"max,omitempty"`
	Min     *float64      `json:"min,omitempty"`
	Window  time.Duration `json:"window_ns"` // longest $window

	Before   *BeforeCheck  `json:"before,omitempty"`
	Control  *ControlCheck `json:"control,omitempty"`
	Slope    *SlopeCheck   `json:"slope,omitempty"`
	Evidence *Evidence     `json:"evidence,omitempty"`
}

// A BeforeCheck compares with what was right before the step's first write.
type BeforeCheck struct {
	Bounds
	Window time.Duration `json:"window_ns"` // $window of the query then
}

// A ControlCheck compares with hubs that were not changed, at the same time.
type ControlCheck struct {
	Bounds
	Among []resource.Address `json:"among,omitempty"` // blocks that may be controls; empty: all hubs of the same type
	Hubs  []Control          `json:"hubs"`            // those that are
}

// A Control is an unchanged hub and the query about it.
type Control struct {
	Block   resource.Address `json:"block"`
	Cluster string           `json:"cluster"` // whose Prometheus
	Query   string           `json:"query"`
}

// Bounds of a comparison. Nil is no bound.
type Bounds struct {
	MaxRatio      *float64 `json:"max_ratio,omitempty"`
	MinRatio      *float64 `json:"min_ratio,omitempty"`
	MaxDifference *float64 `json:"max_difference,omitempty"`
	MinDifference *float64 `json:"min_difference,omitempty"`

	// Floor is what both sides of a ratio are at least, so that the step from 0
	// to 1 is no explosion.
	Floor float64 `json:"floor"`
}

// A SlopeCheck fits a line through the values of the bake.
type SlopeCheck struct {
	// Per gives the work that was done, a number that only grows: then the slope
	// is per unit of it. Empty: per hour.
	Per string `json:"per,omitempty"`

	// Load gives what the value depends on besides, such as the servers that run:
	// its part is taken out. Empty: nothing.
	Load string `json:"load,omitempty"`

	Max    *float64      `json:"max,omitempty"`   // of the slope
	Limit  *float64      `json:"limit,omitempty"` // that the line must not reach …
	Within time.Duration `json:"within_ns"`       // … in so long

	MinPoints  int     `json:"min_points"` // fewer are no evidence
	MinWork    float64 `json:"min_work,omitempty"`
	Confidence float64 `json:"confidence"` // of the interval that the slope is in, as 0.95
}

// Evidence is how much must have been seen before a verdict counts.
type Evidence struct {
	Query   string  `json:"query"`
	AtLeast float64 `json:"at_least"`
	Unit    string  `json:"unit,omitempty"` // "launches"
}

// A BuildsCheck holds the builds that people wait for against the pods that
// build.
type BuildsCheck struct {
	Namespace  string   `json:"namespace"` // of the build pods
	Cluster    string   `json:"cluster,omitempty"`
	InProgress string   `json:"in_progress"`           // query: builds that are asked for
	MaxPerPod  *float64 `json:"max_per_pod,omitempty"` // builds in progress for each pod that runs
	MaxPending *int     `json:"max_pending,omitempty"` // build pods that do not run yet
	MaxShare   *float64 `json:"max_share,omitempty"`   // of the running build pods that one repository has
	MinBuilds  int      `json:"min_builds"`            // fewer builds in progress capture nothing
}

// A Site is where a block lives.
type Site struct {
	Block     resource.Address
	Cluster   string
	Namespace string // empty when it has none of its own
	Release   string
	Type      string // of a hub: "jupyterhub", "binderhub"; empty for anything else
	URL       string // of a hub, for people
}
