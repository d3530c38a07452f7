package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of fault. Those from OpError on shape the operation that a request
// starts, and let the request itself through.
const (
	Status       FaultKind = "status"        // answer with Fault.Status and do nothing
	Delay        FaultKind = "delay"         // answer after Fault.Delay
	Cut          FaultKind = "cut"           // cut the connection and do nothing
	LoseResponse FaultKind = "lose_response" // do it, then cut the connection

	OpError  FaultKind = "op_error" // the operation ends with an error and without effect
	Partial  FaultKind = "partial"  // it ends with an error; the pool exists with Fault.Nodes nodes, status ERROR
	Stockout FaultKind = "stockout" // as Partial, but RUNNING_WITH_ERROR and with the condition GCE_STOCKOUT
	Ignore   FaultKind = "ignore"   // it ends well, and nothing has changed
	Stuck    FaultKind = "stuck"    // it runs until it is cancelled or [Server.Release] is called
	Abort    FaultKind = "abort"    // it goes through ABORTING and ends as cancelled
)

// A Fault makes one request, or several, go wrong. It fires on requests whose
// method and path match.
type Fault struct {
	Method string        `json:"method,omitempty"` // empty: any
	Path   string        `json:"path,omitempty"`   // regular expression on the URL's path; empty: any
	Nth    int           `json:"nth,omitempty"`    // fire from the nth match on, counted from 1; 0 is 1
	Times  int           `json:"times,omitempty"`  // fire so many times; 0 is 1, negative is for ever
	Kind   FaultKind     `json:"kind"`
	Delay  time.Duration `json:"-"` // "delay" in JSON, as text: "1.5s"

	Status  int    `json:"status,omitempty"` // of Status; default 503
	Reason  string `json:"reason,omitempty"` // "failedPrecondition"; default by status
	Message string `json:"message,omitempty"`
	Code    int64  `json:"code,omitempty"`  // google.rpc.Code of an operation's error; default 8
	Field   string `json:"field,omitempty"` // where it is told: "error", "statusMessage"; default both
	Nodes   int    `json:"nodes,omitempty"` // of Partial and Stockout

	path *regexp.Regexp
	seen int
}

type faultJSON Fault

// MarshalJSON encodes the fault with its delay as text.
func (f Fault) MarshalJSON() ([]byte, error) {
	delay := ""
	if f.Delay != 0 {
		delay = f.Delay.String()
	}
	return json.Marshal(struct {
		faultJSON
		Delay string `json:"delay,omitempty"`
	}{faultJSON(f), delay})
}

// UnmarshalJSON decodes what MarshalJSON encodes.
func (f *Fault) UnmarshalJSON(data []byte) error {
	wire := struct {
		*faultJSON
		Delay string `json:"delay"`
	}{faultJSON: (*faultJSON)(f)}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	if wire.Delay == "" {
		return nil
	}
	var err error
	f.Delay, err = time.ParseDuration(wire.Delay)
	return err
}

// shapes reports whether the fault is of those that shape an operation.
func (f *Fault) shapes() bool {
	switch f.Kind {
	case OpError, Partial, Stockout, Ignore, Stuck, Abort:
		return true
	}
	return false
}

// Inject arms a fault. It errs when the fault has no known kind or its path is
// not a regular expression.
func (s *Server) Inject(f Fault) error {
	switch f.Kind {
	case Status, Delay, Cut, LoseResponse:
	default:
		if !f.shapes() {
			return fmt.Errorf("inject fault: unknown kind %q", f.Kind)
		}
	}
	path, err := regexp.Compile(f.Path)
	if err != nil {
		return fmt.Errorf("inject fault: %w", err)
	}
	f.path, f.seen = path, 0
	f.Nth = max(f.Nth, 1)
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
	return nil
}

// ClearFaults disarms all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// match counts the request on every armed fault and returns the first that
// fires.
func (s *Server) match(method, path string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var fired *Fault
	for _, f := range s.faults {
		if f.Method != "" && f.Method != method || !f.path.MatchString(path) {
			continue
		}
		f.seen++
		due := f.seen >= f.Nth && (f.Times < 0 || f.seen < f.Nth+f.Times)
		if due && fired == nil {
			fired = f
		}
	}
	if fired == nil {
		return nil
	}
	c := *fired
	return &c
}

// before does what a fault does ahead of the request's handling; it reports
// whether the request is to be handled.
func (s *Server) before(w http.ResponseWriter, r *http.Request, f *Fault) bool {
	switch f.Kind {
	case Status:
		code := f.Status
		if code == 0 {
			code = http.StatusServiceUnavailable
		}
		s.log(r, code)
		status, body := refusalOf(code, f.Reason, f.Message).response()
		writeJSON(w, status, body)
		return false
	case Cut:
		s.log(r, 0)
		panic(http.ErrAbortHandler)
	case Delay:
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		case <-s.ctx.Done():
			panic(http.ErrAbortHandler)
		}
	}
	return true
}

// shaping returns the fault if it shapes an operation, else nil.
func (f *Fault) shaping() *Fault {
	if f == nil || !f.shapes() {
		return nil
	}
	return f
}
