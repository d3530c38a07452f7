package kube

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"hubcap/engine/resource"
)

// stampedWeb returns the deployment web with a digest on its pods that reads the key
// colour of the ConfigMap settings.
func stampedWeb(t *testing.T, digest string, edits ...string) resource.Desired {
	t.Helper()
	d := webDesired(t, append([]string{
		"    metadata: {labels: {app: web}}", "    metadata: {labels: {app: web}, annotations: {checksum/settings: " + digest + "}}",
		"{name: B, value: b}", "{name: B, valueFrom: {configMapKeyRef: {name: settings, key: colour}}}",
	}, edits...)...)
	d.Release = &release
	return d
}

func settingsDesired(t *testing.T, data string) resource.Desired {
	t.Helper()
	return resource.Desired{
		ID:       resource.ID{Cluster: "prod", Kind: "ConfigMap", Namespace: "prod", Name: "settings"},
		Object:   resource.Object(tree(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: prod}\ndata: "+data)),
		Presence: resource.Managed, Release: &release,
	}
}

// asLive returns an object of the release as it lives.
func asLive(t *testing.T, d resource.Desired) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{Object: resourceCopy(canonical(resource.Reveal(d.Object).(map[string]any)))}
	u.SetAnnotations(map[string]string{annotationRelease: release.Name, annotationReleaseNS: release.Namespace})
	u.SetLabels(map[string]string{labelManagedBy: "Helm"})
	return u
}

func TestKeepChecksums(t *testing.T) {
	live := func(digest string) *unstructured.Unstructured { return asLive(t, stampedWeb(t, digest)) }
	noted := func(digest, note string) *unstructured.Unstructured {
		u := live(digest)
		u.SetLabels(map[string]string{LabelConfig: "conf"})
		u.SetAnnotations(map[string]string{resource.AnnotationChecksums: note})
		return u
	}
	const same = "{colour: blue, shape: round}"
	for _, tc := range []struct {
		reason   string
		web      resource.Desired
		live     *unstructured.Unstructured
		settings string // desired; live are colour blue and shape round
		want     string // digest that is written
	}{
		{"a digest of nothing is kept", stampedWeb(t, "real"), live("phantom"), same, "phantom"},
		{"the same digest needs nothing", stampedWeb(t, "real"), live("real"), same, "real"},
		{"what the pods read changes", stampedWeb(t, "real"), live("old"), "{colour: red, shape: round}", "real"},
		{"what the pods do not read changes", stampedWeb(t, "real"), live("phantom"), "{colour: blue, shape: square}", "phantom"},
		{"the pods change anyway", stampedWeb(t, "real", "example.org/web:1", "example.org/web:2"), live("old"), same, "real"},
		{"noted at the take-over", stampedWeb(t, "real"), noted("phantom", `{"checksum/settings":"real"}`), same, "phantom"},
		{"noted, and another is rendered by now", stampedWeb(t, "newer"), noted("phantom", `{"checksum/settings":"real"}`), same, "newer"},
		{"ours, and nothing noted: a run was cut off between the two", stampedWeb(t, "newer"), noted("old", ""), same, "newer"},
		{"a note that is no JSON", stampedWeb(t, "newer"), noted("old", "{"), same, "newer"},
	} {
		p := offline()
		settings := settingsDesired(t, tc.settings)
		s := &survey{
			p: p, desired: []resource.Desired{tc.web, settings}, hidden: make([]bool, 2),
			live: []*unstructured.Unstructured{tc.live, asLive(t, settingsDesired(t, same))},
			byID: map[resource.ID]int{tc.web.ID: 0, settings.ID: 1},
		}
		got := s.keepChecksums(0).Object
		if is := checksums(got)["checksum/settings"]; is != tc.want {
			t.Errorf("%s: %s, want %s", tc.reason, is, tc.want)
		}
		rendered := checksums(tc.web.Object)["checksum/settings"]
		note := got.Text("metadata", "annotations", resource.AnnotationChecksums)
		if wantNote := tc.want != rendered; wantNote != (note == `{"checksum/settings":"`+rendered+`"}`) || !wantNote && note != "" {
			t.Errorf("%s: the note is %q", tc.reason, note)
		}
		if checksums(tc.web.Object)["checksum/settings"] != rendered {
			t.Errorf("%s: the desired object was changed in place", tc.reason)
		}
	}
}

func TestConfigsOf(t *testing.T) {
	template := tree(t, `
spec:
  containers:
  - env:
    - {name: A, valueFrom: {secretKeyRef: {name: hub, key: token}}}
    envFrom: [{configMapRef: {name: env}}, {secretRef: {name: more}}]
  volumes:
  - {name: s, secret: {secretName: files}}
  - {name: c, configMap: {name: conf}}
  - {name: p, projected: {sources: [{secret: {name: part}}, {configMap: {name: piece}}]}}
`)
	got := map[configRef]bool{}
	for _, ref := range configsOf(template) {
		got[ref] = true
	}
	for _, want := range []configRef{
		{resource.ID{Kind: "Secret", Name: "hub"}, "token"}, {resource.ID{Kind: "ConfigMap", Name: "env"}, ""},
		{resource.ID{Kind: "Secret", Name: "more"}, ""}, {resource.ID{Kind: "Secret", Name: "files"}, ""},
		{resource.ID{Kind: "ConfigMap", Name: "conf"}, ""}, {resource.ID{Kind: "Secret", Name: "part"}, ""}, {resource.ID{Kind: "ConfigMap", Name: "piece"}, ""},
	} {
		if !got[want] {
			t.Errorf("not found: %+v in %v", want, got)
		}
		delete(got, want)
	}
	if len(got) > 0 {
		t.Errorf("found besides: %v", got)
	}
}
