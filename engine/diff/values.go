package diff

import (
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"

	"hubcap/engine/resource"
)

// The charts keep all their values in one text inside a Secret, because some of
// them are secret. A plan that said no more than "the text differs" would hide the
// one thing its reader wants to know. So such a text is taken apart: every path in
// it is shown, and the values of those paths that are known to be harmless. All
// others stay sensitive.

// plainValues matches the paths of chart values that hubcap's own attributes
// write, and that no one keeps a secret in. Paths are those of the charts'
// values (upstream's z2jh and binderhub charts).
var plainValues = regexp.MustCompile(`^(` + strings.Join([]string{
	`hub\.(concurrentSpawnLimit|activeServerLimit|consecutiveFailureLimit)`,
	`hub\.config\.(JupyterHub\.hub_routespec|Proxy\.extra_routes.*)`,
	`proxy\.chp\.(defaultTarget|errorTarget)`,
	`((hub|proxy\.chp|singleuser|imageCleaner|dind\.daemonset|pink\.daemonset)\.)?image\.(name|tag)`,
	`((hub|proxy\.chp|imageCleaner|dind|pink)\.)?(resources|nodeSelector)\..*`,
	`singleuser\.(startTimeout|(cpu|memory)\.(limit|guarantee)|nodeSelector\..*)`,
	`(cull|scheduling|prePuller)\..*`,
	`replicas`, `imageBuilderType`, `(dind|pink)\.host(LibDir|SocketDir)`,
	`imageCleaner\.(enabled|cordon|delay|interval|imageGC.*|host\..*)`,
	`config\.BinderHub\.(per_repo_quota(_higher)?|image_prefix|concurrent_build_limit|build_node_selector.*)`,
	`config\.LaunchQuota\.total_quota`,
	`config\.KubernetesBuildExecutor\.(build_image|node_selector.*)`,
	`config\.KubernetesCleaner\.max_age`,
	`config\.\w+Provider\.spec_config.*`,
	`Chart\.(Name|Version|AppVersion)`,
}, "|") + `)$`)

// opened compares two sensitive texts of chart values leaf by leaf. It reports
// whether path names such a text and both sides could be read as one.
func (f *finder) opened(path string, before, after any) bool {
	if !strings.HasSuffix(path, `.yaml"]`) {
		return false
	}
	b, bRead := decodeValues(before)
	a, aRead := decodeValues(after)
	if !bRead || !aRead {
		return false
	}
	inner := &finder{}
	inner.maps("", b, a)
	if len(inner.fields) == 0 { // only comments or order differ
		return false
	}
	for _, field := range inner.fields {
		if !plainValues.MatchString(field.Path) {
			field.Before, field.After = veil(field.Before), veil(field.After)
		}
		field.Path = path + "." + field.Path
		f.fields = append(f.fields, field)
	}
	return true
}

// decodeValues reads the value of one key of a Secret as a map of chart values.
func decodeValues(v any) (map[string]any, bool) {
	s, isSensitive := v.(resource.Sensitive)
	if !isSensitive {
		return nil, false
	}
	text, err := base64.StdEncoding.DecodeString(s.Reveal())
	if err != nil {
		return nil, false
	}
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, false
	}
	return whole(values).(map[string]any), true
}

// whole turns the numbers that a YAML decoder makes floats of, and that are whole,
// into integers.
func whole(v any) any {
	return resource.MapLeaves(v, func(leaf any) any {
		if f, isFloat := leaf.(float64); isFloat && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int64(f)
		}
		return leaf
	})
}

// veil hides a value, whatever it is; what is not there needs no hiding.
func veil(v any) any {
	switch v := v.(type) {
	case nil, resource.Sensitive:
		return v
	case string:
		return resource.Secret(v)
	default:
		return resource.Secret(fmt.Sprint(v))
	}
}
