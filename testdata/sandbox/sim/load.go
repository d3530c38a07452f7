package sim

import (
	"fmt"
	"time"
)

// A Load is what people do to one hub, and what the hub can bear. Times and rates
// are in simulated time. Fields that are not given keep their values.
type Load struct {
	Seed              uint64  `json:"seed"` // other than before: other people come; the same seed, the same ones
	LaunchesPerMinute float64 `json:"launches_per_minute"`
	SessionMinutes    float64 `json:"session_minutes"` // mean time a user stays
	BuildShare        float64 `json:"build_share"`     // of the launches, those that need a build first
	BuildMinutes      float64 `json:"build_minutes"`
	Repos             []Repo  `json:"repos"`    // what is launched; empty: one repository
	Capacity          float64 `json:"capacity"` // sessions at which a sound hub uses a whole core

	UnderloadAbove float64 `json:"underload_above"`  // launches a minute from which "underload" fails
	LeakMiB        float64 `json:"leak_mib"`         // memory that "leak" loses with each spawn
	LeakThreads    float64 `json:"leak_threads"`     // threads that "leak" loses with each spawn
	FloodPerUser   float64 `json:"flood_per_user"`   // requests a second that "flood" makes for each user left over
	BinderConnects float64 `json:"binder_connects"`  // launches after which "binder-599" has no connection left
	PerRepoQuota   int     `json:"per_repo_quota"`   // when the binder's own settings have none; 0: none
	StartSeconds   float64 `json:"start_seconds"`    // of a hub without users
	PerUserStart   float64 `json:"per_user_seconds"` // longer for each user the hub knows
}

// A Repo is a repository and its share of the launches.
type Repo struct {
	Name   string  `json:"name"` // user/repo
	Weight float64 `json:"weight"`
}

// DefaultLoad is a hub where nobody is.
func DefaultLoad() Load {
	return Load{
		SessionMinutes: 20, BuildMinutes: 3, Capacity: 1500,
		Repos:          []Repo{{"binder-examples/requirements", 3}, {"jupyterlab/jupyterlab-demo", 5}, {"ipython/ipython-in-depth", 2}},
		UnderloadAbove: 20, LeakMiB: 4, LeakThreads: 20, FloodPerUser: 0.5, BinderConnects: 40,
		StartSeconds: 20, PerUserStart: 0.1,
	}
}

func (l Load) check() error {
	for name, v := range map[string]float64{
		"launches_per_minute": l.LaunchesPerMinute, "session_minutes": l.SessionMinutes, "build_share": l.BuildShare,
		"build_minutes": l.BuildMinutes, "capacity": l.Capacity, "start_seconds": l.StartSeconds,
	} {
		if v < 0 {
			return fmt.Errorf("read load: %s is %v, want 0 or more", name, v)
		}
	}
	switch {
	case l.LaunchesPerMinute > 600:
		return fmt.Errorf("read load: launches_per_minute is %v, more than the 600 that are simulated", l.LaunchesPerMinute)
	case l.BuildShare > 1:
		return fmt.Errorf("read load: build_share is %v, want a share up to 1", l.BuildShare)
	case l.SessionMinutes == 0 || l.Capacity == 0:
		return fmt.Errorf("read load: session_minutes and capacity must be more than 0")
	case len(l.Repos) == 0:
		return fmt.Errorf("read load: repos is empty")
	}
	for _, r := range l.Repos {
		if r.Weight <= 0 {
			return fmt.Errorf("read load: the weight of %s is %v, want more than 0", r.Name, r.Weight)
		}
	}
	return nil
}

func minutes(m float64) time.Duration { return time.Duration(m * float64(time.Minute)) }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
