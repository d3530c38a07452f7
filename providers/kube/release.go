package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine/resource"
)

// Where Helm keeps what it did: a Secret for each revision of each release, with
// these labels and this one key.
const (
	releaseSelector = "owner=helm"
	releaseType     = "helm.sh/release.v1"
	releaseKey      = "release"
	releasesAtOnce  = 8
)

// A Release is what Helm recorded of the revision of a release that counts: the
// newest that was deployed, or was being deployed when Helm died.
type Release struct {
	Name      string
	Namespace string
	Revision  int
	Status    string // "deployed", "pending-upgrade", "failed"

	Chart    ReleaseChart
	Values   resource.Object    // the author's own; every text is [resource.Sensitive]
	Manifest resource.Sensitive // YAML of the objects, without hooks
	Hooks    []resource.Sensitive

	First, Last time.Time // deployed; zero where the record does not say
	ServerSide  bool      // applied by server-side apply, as Helm 4 does
	Manager     string    // field manager that wrote the record: "helm"

	Newer []RevisionNote // revisions after this one, which do not count: failed ones
}

// A RevisionNote names one revision of a release and how it ended.
type RevisionNote struct {
	Revision int
	Status   string
}

// Pending reports whether Helm began this revision and never said how it ended.
// Helm itself then refuses to go on.
func (r *Release) Pending() bool { return strings.HasPrefix(r.Status, "pending-") }

// Settled reports whether Helm says of this revision that it is what is deployed.
func (r *Release) Settled() bool { return r.Status == "deployed" }

// Where names the cluster for people: the context, or the host where there is
// none.
func (c *Client) Where() string { return c.where }

// Releases are the releases of a cluster that could be read, by namespace and
// name, and what could not.
type Releases struct {
	Found      []Release
	Leaving    []LeavingRelease
	Unreadable []resource.Unreadable
}

// A LeavingRelease is one that Helm began to uninstall, and is at it or died at it.
type LeavingRelease struct {
	Namespace, Name string
	Revision        int
}

// Releases reads the release that each name in each of the namespaces has now,
// those that wanted picks; nil picks all. No namespaces means all of them. It lists metadata, and gets the one record of
// each release that counts. Nothing is written.
func (c *Client) Releases(ctx context.Context, namespaces []string, wanted func(namespace, name string) bool) (Releases, error) {
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	var out Releases
	var records []releaseRecord
	for _, namespace := range namespaces {
		found, err := c.releaseRecords(ctx, namespace)
		switch {
		case c.hopeless(ctx, err):
			return Releases{}, c.explain("list", "Helm releases", err)
		case err != nil:
			out.Unreadable = append(out.Unreadable, resource.Unreadable{
				What: "Helm releases" + inNamespace(namespace), Reason: c.explain("list", "Helm releases", err).Error(),
			})
		}
		records = append(records, found...)
	}
	records = slices.DeleteFunc(records, func(r releaseRecord) bool { return wanted != nil && !wanted(r.namespace, r.name) })
	out.Leaving = leaving(records)
	chosen := current(records)
	releases := make([]*Release, len(chosen))
	problems := make([]error, len(chosen))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(releasesAtOnce)
	for i, r := range chosen {
		group.Go(func() error {
			releases[i], problems[i] = c.release(ctx, r)
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return Releases{}, err
	}
	for i, r := range chosen {
		if problems[i] != nil {
			out.Unreadable = append(out.Unreadable, resource.Unreadable{
				What: fmt.Sprintf("Helm release %s in namespace %s", r.name, r.namespace), Reason: problems[i].Error(),
			})
			continue
		}
		out.Found = append(out.Found, *releases[i])
	}
	return out, nil
}

func inNamespace(namespace string) string {
	if namespace == "" {
		return ""
	}
	return " in namespace " + namespace
}

// A releaseRecord is the metadata of one revision's Secret.
type releaseRecord struct {
	namespace, name, secret, status string
	revision                        int
	newer                           []RevisionNote
}

// releaseRecords lists the metadata of all records in a namespace.
func (c *Client) releaseRecords(ctx context.Context, namespace string) ([]releaseRecord, error) {
	var records []releaseRecord
	o := metav1.ListOptions{LabelSelector: releaseSelector, FieldSelector: "type=" + releaseType, Limit: censusPage}
	resources := c.Metadata.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(namespace)
	for {
		var list *metav1.PartialObjectMetadataList
		err := retryRead(ctx, func() (err error) {
			list, err = resources.List(ctx, o)
			return err
		})
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			m := &list.Items[i]
			revision, err := strconv.Atoi(m.Labels["version"])
			if name := m.Labels["name"]; name != "" && err == nil {
				records = append(records, releaseRecord{namespace: m.Namespace, name: name, secret: m.Name, status: m.Labels["status"], revision: revision})
			}
		}
		if o.Continue = list.Continue; o.Continue == "" {
			return records, nil
		}
	}
}

// current returns the record of each release that counts, in the order of
// namespaces and names: the newest deployed or pending one, else the newest that
// failed. What was uninstalled is no release any more.
func current(records []releaseRecord) []releaseRecord {
	type key struct{ namespace, name string }
	byName := map[key][]releaseRecord{}
	for _, r := range records {
		k := key{r.namespace, r.name}
		byName[k] = append(byName[k], r)
	}
	var chosen []releaseRecord
	for _, all := range byName {
		slices.SortFunc(all, func(a, b releaseRecord) int { return b.revision - a.revision })
		if strings.HasPrefix(all[0].status, "uninstall") {
			continue
		}
		counts := func(r releaseRecord) bool { return r.status == "deployed" || strings.HasPrefix(r.status, "pending-") }
		i := slices.IndexFunc(all, counts)
		if i < 0 {
			i = 0
		}
		for _, r := range all[:i] {
			all[i].newer = append(all[i].newer, RevisionNote{Revision: r.revision, Status: r.status})
		}
		chosen = append(chosen, all[i])
	}
	slices.SortFunc(chosen, func(a, b releaseRecord) int {
		return strings.Compare(a.namespace+"/"+a.name, b.namespace+"/"+b.name)
	})
	return chosen
}

// leaving returns the releases whose newest revision is being uninstalled, in the
// order of namespaces and names.
func leaving(records []releaseRecord) []LeavingRelease {
	newest := map[[2]string]releaseRecord{}
	for _, r := range records {
		key := [2]string{r.namespace, r.name}
		if r.revision >= newest[key].revision {
			newest[key] = r
		}
	}
	var all []LeavingRelease
	for _, r := range newest {
		if r.status == "uninstalling" {
			all = append(all, LeavingRelease{Namespace: r.namespace, Name: r.name, Revision: r.revision})
		}
	}
	slices.SortFunc(all, func(a, b LeavingRelease) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return all
}

// release gets and decodes one record.
func (c *Client) release(ctx context.Context, r releaseRecord) (*Release, error) {
	var secret *corev1.Secret
	err := retryRead(ctx, func() (err error) {
		secret, err = c.Typed.CoreV1().Secrets(r.namespace).Get(ctx, r.secret, metav1.GetOptions{})
		return err
	})
	switch {
	case apierrors.IsNotFound(err):
		return nil, errors.New("its record went away while it was read")
	case err != nil:
		return nil, c.explain("read", "Secret "+r.namespace+"/"+r.secret, err)
	}
	found, err := DecodeRelease(secret.Data[releaseKey])
	if err != nil {
		return nil, fmt.Errorf("decode Secret %s/%s: %w", r.namespace, r.secret, err)
	}
	if found.Namespace == "" {
		found.Namespace = r.namespace
	}
	if found.Name != r.name || found.Namespace != r.namespace {
		return nil, fmt.Errorf("decode Secret %s/%s: it is the record of another release", r.namespace, r.secret)
	}
	if found.Status == "" {
		found.Status = r.status
	}
	found.Newer = r.newer
	for _, entry := range secret.ManagedFields {
		found.Manager = entry.Manager
	}
	return found, nil
}
