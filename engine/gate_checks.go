package engine

import (
	"time"

	"hubcap/engine/plan"
	"hubcap/schema"
)

func launchCheck(l schema.LaunchCheck) *plan.LaunchCheck {
	out := &plan.LaunchCheck{Via: plan.Via(l.Via), URL: l.URL, Spec: l.Spec, User: l.User, Timeout: l.Timeout}
	if s := l.TokenSecret; s != nil {
		out.Token = &plan.TokenSource{Secret: s.Secret, Key: s.Key}
	}
	return out
}

func execCheck(e schema.ExecCheck) *plan.ExecCheck {
	return &plan.ExecCheck{Command: e.Command, Dir: e.Dir, Timeout: e.Timeout}
}

// peopleTime is how long a manual gate waits for somebody, unless it says
// otherwise. Then the run is held, and asks again when it is resumed.
const peopleTime = 24 * time.Hour
