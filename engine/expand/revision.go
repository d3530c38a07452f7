package expand

import (
	"fmt"
	"strconv"
	"strings"

	"hubcap/engine/chart"
	"hubcap/engine/resource"
)

// A chart may ask whether it is installed or upgraded, and which revision of its
// release it renders. Helm counts the times that somebody ran it; for hubcap that
// would be a difference in every plan. So the revision is kept beside the chart's
// objects, in a ConfigMap that only charts that ask have, and a plan renders first
// what lives: only where that shows something to change is the next revision
// rendered. Applying it is a fixed point.

// revisionKey is where the ConfigMap has the revision.
const revisionKey = "revision"

// releaseRecord is which record the ConfigMap is.
const releaseRecord = "revision"

// releaseComponent is the component that the ConfigMap is.
const releaseComponent = "release"

// recordName returns the name of the ConfigMap of a release.
func recordName(release string) string { return "hubcap-release-" + release }

// revision returns the revision that a block's chart is to render; zero when it
// does not ask.
func (e *expansion) revision(m *maker, c *chart.Chart, release string) (int, error) {
	if !c.AsksRevision() {
		return 0, nil
	}
	facts := e.facts[m.cluster]
	living, err := livingRevision(facts, m.namespace, release)
	switch {
	case err != nil:
		return 0, fmt.Errorf("find the revision of release %s: %w", release, err)
	case living == 0:
		return 1, nil
	case facts.Changing[m.block.Address]:
		return living + 1, nil
	}
	return living, nil
}

// livingRevision returns the revision that was applied last: by hubcap or, before
// it took over, by Helm; zero when there is none.
func livingRevision(facts Facts, namespace, release string) (int, error) {
	if facts.Lookup == nil {
		return 0, nil
	}
	record, err := facts.Lookup("v1", "ConfigMap", namespace, recordName(release))
	if err != nil {
		return 0, err
	}
	if text, _ := resource.Reveal(resource.Object(record)).(map[string]any); len(text) > 0 {
		n, err := strconv.Atoi(resource.Object(text).Text("data", revisionKey))
		if err == nil && n > 0 {
			return n, nil
		}
	}
	list, err := facts.Lookup("v1", "Secret", namespace, "")
	if err != nil {
		return 0, err
	}
	items, _ := list["items"].([]any)
	latest := 0
	for _, item := range items {
		secret, _ := item.(map[string]any)
		number, isRecord := strings.CutPrefix(resource.Object(secret).Text("metadata", "name"), "sh.helm.release.v1."+release+".v")
		if n, err := strconv.Atoi(number); isRecord && err == nil {
			latest = max(latest, n)
		}
	}
	return latest, nil
}

// IsRevision reports whether o is the ConfigMap that keeps the revision of a release.
func IsRevision(o resource.Object) bool {
	return o.Text("metadata", "annotations", resource.AnnotationRecord) == releaseRecord
}

// recordRevision adds the ConfigMap that keeps the revision.
func (m *maker) recordRevision(release string, revision int) {
	m.asks = true
	m.make(resource.Object{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{
			"name": recordName(release), "annotations": map[string]any{resource.AnnotationRecord: releaseRecord},
		},
		"data": map[string]any{revisionKey: strconv.Itoa(revision)},
	}, releaseComponent, "hubcap itself")
}
