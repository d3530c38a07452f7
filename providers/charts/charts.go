// Package charts fetches charts: from repositories that have an index, from OCI
// registries, and from the address of an archive. Versions that a lock file names
// are what is fetched; the rest is chosen within constraints.
//
// Place in the pipeline: between schema and engine/expand, which renders what is
// fetched here and fetches nothing itself. The outside system is the
// repositories.
package charts

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"hubcap/engine/chart"
)

// maxArchive bounds one archive, in bytes.
const maxArchive = 100 << 20

// atOnce is how many charts are fetched at the same time.
const atOnce = 4

// A Ref names a chart that has to be fetched.
type Ref struct {
	Repository string // "https://host/path" or "oci://host/path"; empty: Name is the URL of an archive
	Name       string
	Constraint string // on the version; empty: the newest release
}

// String names the chart as people do: "jupyterhub of https://host/path".
func (r Ref) String() string {
	if r.Repository == "" {
		return r.Name
	}
	return r.Name + " of " + r.Repository
}

func (r Ref) isOCI() bool { return strings.HasPrefix(r.Repository, "oci://") }

// An Archive is a chart's .tgz, checked against its digest.
type Archive struct {
	Version string
	Digest  string // "sha256:…" of Data
	Data    []byte
}

// A Mode says what may become of the lock.
type Mode int

// The modes.
const (
	Extend  Mode = iota + 1 // what it names stays, what is missing is added
	Frozen                  // what it does not name is a [*Problem]
	Upgrade                 // everything is chosen anew, within constraints
)

// A Problem says why a chart cannot be had, and which attribute to mend.
type Problem struct {
	Attr    string // "chart", "chart_version" or "repository"
	Summary string
	Detail  string // whole sentences

	unreachable bool // the repository could not be asked at all
}

func (p *Problem) Error() string { return p.Detail }

// A Change is an entry of the lock that was added or has moved.
type Change struct {
	Was Entry // zero when it was added
	Is  Entry
}

// A Resolution is what became of the refs: each is in Charts or in Problems.
type Resolution struct {
	Charts   map[Ref]Archive
	Problems map[Ref]*Problem
	Lock     *Lock    // as it has to be now; nothing was written
	Changes  []Change // against the lock that was given, in its order
	Warnings []string
}

// A Resolver fetches charts. The zero Resolver keeps nothing and uses the
// proxies of the environment.
type Resolver struct {
	Cache     string       // folder of what was fetched; empty: nothing is kept
	Client    *http.Client // nil: one with time limits and the environment's proxies
	UserAgent string
	Pause     time.Duration // before a failed request is made again; zero: half a second

	// Credentials is a file as "helm registry login" writes it; empty: Helm's own,
	// and then Docker's.
	Credentials string

	// Repositories is a file as "helm repo add --username" writes it; empty: nobody
	// logs in to repositories that are no registries.
	Repositories string

	mu      sync.Mutex
	indexes map[string]func() (*index, *Problem)
}

// Resolve fetches the charts that refs name, each once. The lock is not changed.
func (r *Resolver) Resolve(ctx context.Context, refs []Ref, lock *Lock, mode Mode) Resolution {
	refs = slices.Clone(refs)
	slices.SortFunc(refs, compareRefs)
	refs = slices.Compact(refs)
	found := make([]outcome, len(refs))
	places := make(chan struct{}, atOnce)
	var wait sync.WaitGroup
	for i, ref := range refs {
		wait.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			found[i] = r.resolve(ctx, ref, lock, mode)
		})
	}
	wait.Wait()
	return r.gather(refs, found, lock, mode)
}

// An outcome is what became of one ref.
type outcome struct {
	archive Archive
	problem *Problem
	warning string
	cached  bool // chosen from the cache alone: not worth a lock
}

func (r *Resolver) gather(refs []Ref, found []outcome, lock *Lock, mode Mode) Resolution {
	out := Resolution{Charts: map[Ref]Archive{}, Problems: map[Ref]*Problem{}, Lock: lock.clone()}
	if mode == Upgrade {
		out.Lock.keep(refs)
	}
	for i, ref := range refs {
		o := found[i]
		if o.warning != "" {
			out.Warnings = append(out.Warnings, o.warning)
		}
		if o.problem != nil {
			out.Problems[ref] = o.problem
			continue
		}
		out.Charts[ref] = o.archive
		was, _ := lock.Find(ref)
		is := Entry{Ref: ref, Version: o.archive.Version, Digest: o.archive.Digest}
		if !o.cached && was != is {
			out.Lock.put(is)
			out.Changes = append(out.Changes, Change{Was: was, Is: is})
		}
	}
	return out
}

// resolve fetches one chart.
func (r *Resolver) resolve(ctx context.Context, ref Ref, lock *Lock, mode Mode) outcome {
	entry, isLocked := lock.Find(ref)
	switch {
	case isLocked && mode != Upgrade:
		a, problem := r.locked(ctx, entry)
		return outcome{archive: a, problem: problem}
	case mode == Frozen:
		return outcome{problem: &Problem{
			Attr: "chart", Summary: "Chart that is not in the lock file",
			Detail: fmt.Sprintf("The lock file has no entry for %s%s, and with --locked none is made. Run hubcap plan without it and commit %s.",
				ref, within(ref), LockFile),
		}}
	}
	a, problem := r.newest(ctx, ref)
	if problem != nil && problem.unreachable && mode != Upgrade {
		if kept, isKept := r.kept(ref); isKept {
			return outcome{archive: kept, cached: true,
				warning: fmt.Sprintf("%s cannot be reached: %s %s is from the cache, and the lock file is left alone", place(ref), ref.Name, kept.Version)}
		}
	}
	return outcome{archive: a, problem: problem}
}

// locked returns exactly what the lock names: from the cache, or fetched and
// compared.
func (r *Resolver) locked(ctx context.Context, e Entry) (Archive, *Problem) {
	if data, isKept := r.read(e.Digest); isKept {
		return Archive{Version: e.Version, Digest: e.Digest, Data: data}, nil
	}
	a, problem := r.fetch(ctx, e.Ref, e.Version)
	if problem != nil {
		return Archive{}, problem
	}
	if a.Digest != e.Digest {
		return Archive{}, &Problem{
			Attr: "chart", Summary: "Chart that is not the locked one",
			Detail: fmt.Sprintf("%s %s now has the digest %s, and the lock file says %s: somebody has put another archive in its place. "+
				"If that is as it should be, run hubcap plan --upgrade-charts.", e.Ref, e.Version, a.Digest, e.Digest),
		}
	}
	return a, nil
}

// newest fetches the newest version within the constraint.
func (r *Resolver) newest(ctx context.Context, ref Ref) (Archive, *Problem) {
	if ref.Repository == "" {
		return r.fetch(ctx, ref, "")
	}
	if exact, isExact := exactly(ref.Constraint); isExact && ref.isOCI() {
		return r.fetch(ctx, ref, exact)
	}
	versions, problem := r.versions(ctx, ref)
	if problem != nil {
		return Archive{}, problem
	}
	version, problem := choose(ref, versions)
	if problem != nil {
		return Archive{}, problem
	}
	return r.fetch(ctx, ref, version)
}

func (r *Resolver) versions(ctx context.Context, ref Ref) ([]string, *Problem) {
	if ref.isOCI() {
		return r.tags(ctx, ref)
	}
	ix, problem := r.index(ctx, ref.Repository)
	if problem != nil {
		return nil, problem
	}
	return ix.versions(ref)
}

// fetch downloads one version, checks that it is the chart it should be, and
// keeps it. Without a version it is whatever lies at the address.
func (r *Resolver) fetch(ctx context.Context, ref Ref, version string) (Archive, *Problem) {
	var data []byte
	var problem *Problem
	switch {
	case ref.Repository == "":
		data, problem = r.download(ctx, ref, ref.Name)
	case ref.isOCI():
		data, problem = r.pull(ctx, ref, version)
	default:
		data, problem = r.fromIndex(ctx, ref, version)
	}
	if problem != nil {
		return Archive{}, problem
	}
	c, err := chart.LoadArchive(bytes.NewReader(data))
	switch {
	case err != nil:
		return Archive{}, &Problem{Attr: "chart", Summary: "Archive that is no chart",
			Detail: fmt.Sprintf("What %s has as %s is no chart: %v.", place(ref), ref.Name, err)}
	case ref.Repository != "" && (c.Name() != baseName(ref.Name) || !sameVersion(c.Version(), version)):
		return Archive{}, &Problem{Attr: "chart", Summary: "Archive of another chart",
			Detail: fmt.Sprintf("What %s has as %s %s is %s %s.", place(ref), ref.Name, version, c.Name(), c.Version())}
	case !meets(ref.Constraint, c.Version()):
		return Archive{}, &Problem{Attr: "chart_version", Summary: "Version that is not allowed",
			Detail: fmt.Sprintf("%s is version %s, which %q does not allow.", ref, c.Version(), ref.Constraint)}
	}
	a := Archive{Version: c.Version(), Digest: digestOf(data), Data: data}
	r.keep(ref, a)
	return a, nil
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// place names where a ref's chart lies.
func place(ref Ref) string { return cmp.Or(ref.Repository, ref.Name) }

// baseName is the last part of a name, which in a registry may have several.
func baseName(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

func within(ref Ref) string {
	if ref.Constraint == "" {
		return ""
	}
	return fmt.Sprintf(" within %q", ref.Constraint)
}

func compareRefs(a, b Ref) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Repository, b.Repository), strings.Compare(a.Constraint, b.Constraint))
}

// unreachable words a request that got no answer.
func unreachable(ref Ref, err error) *Problem {
	attr := "repository"
	if ref.Repository == "" {
		attr = "chart"
	}
	status := (*statusError)(nil)
	if errors.As(err, &status) && (status.code == http.StatusUnauthorized || status.code == http.StatusForbidden) {
		return &Problem{Attr: attr, Summary: "Chart that may not be read",
			Detail: fmt.Sprintf("Fetching %s: %v. Log in with helm repo add --username; hubcap reads what it writes.", ref, err)}
	}
	if errors.Is(err, context.Canceled) {
		return &Problem{Attr: attr, Summary: "Interrupted", Detail: fmt.Sprintf("Fetching %s was interrupted.", ref)}
	}
	return &Problem{
		Attr: attr, Summary: "Chart repository that cannot be reached", unreachable: true,
		Detail: fmt.Sprintf("Fetching %s: %v. A chart that was fetched once and is in the lock file needs no repository.", ref, err),
	}
}
