package expand

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hubcap/engine/chart"
	"hubcap/schema"
)

// What is checked of typed attributes beside each on its own: that the chart has a
// place for them, that they are of effect there, and that they go with what lower
// layers say.

// looks are values that tell the chart of a hub of that type from any other.
var looks = map[schema.HubType][]string{
	schema.JupyterHub: {"hub", "singleuser"},
	schema.BinderHub:  {"jupyterhub", "config", "service"},
}

// looksLike reports whether the values at a path are those of a hub of that type: by
// the name of the chart there, which is that of the type, or by its values.
func (v *hubValues) looksLike(kind schema.HubType, root []string) bool {
	if v.chart.NameAt(root...) == string(kind) {
		return true
	}
	for _, key := range looks[kind] {
		if !v.chart.Knows(slices.Concat(root, []string{key})...) {
			return false
		}
	}
	return true
}

// isElsewhere reports whether the chart's values of such a hub do not lie where the
// attributes of this one would be put, and says where they do.
func (v *hubValues) isElsewhere() bool {
	if v.looksLike(v.hub.Type, v.root) || len(v.settings) == 0 && v.hub.ValuesRoot == "" {
		return false
	}
	name := v.chart.Name() + " " + v.chart.Version()
	what := map[schema.HubType]string{schema.JupyterHub: "a JupyterHub", schema.BinderHub: "a BinderHub"}
	if v.hub.Type == schema.JupyterHub && !v.isWritten("type") && v.looksLike(schema.BinderHub, v.root) {
		v.refuse("type", "Missing type", "Chart %s is that of a BinderHub, and without type %s is a JupyterHub. Write type = \"binderhub\".", name, v.hub.Address)
		return true
	}
	places := slices.Concat([][]string{nil}, v.chart.Places())
	i := slices.IndexFunc(places, func(root []string) bool { return v.looksLike(v.hub.Type, root) })
	advice := "Use the chart of " + what[v.hub.Type] + ", or write " + v.hub.Address.String() + " as a chart block."
	switch {
	case i == 0:
		advice = "They lie at the top: remove values_root."
	case i > 0:
		advice = "They lie under " + strconv.Quote(strings.Join(places[i], ".")) + ": write values_root = " + strconv.Quote(strings.Join(places[i], ".")) + "."
	case v.hub.Type == schema.BinderHub && v.looksLike(schema.JupyterHub, v.root):
		advice = "It is the chart of a JupyterHub: write type = \"jupyterhub\"."
	}
	if v.hub.ValuesRoot == "" {
		v.refuse(v.settings[0].attr, "Attribute without effect", "Chart %s has no values of %s at the top, where typed attributes of %s would be put. %s",
			name, what[v.hub.Type], v.hub.Address, advice)
		v.diags[len(v.diags)-1].Subject = at(v.settings[0].block, v.settings[0].attr)
		return true
	}
	v.refuse("values_root", "Unknown values root", "Chart %s has no values of %s under %q. %s", name, what[v.hub.Type], v.hub.ValuesRoot, advice)
	return true
}

// openKeys are tables of values that charts hand on as they are.
var openKeys = []string{"config", "extraPodSpec", "extraEnv", "nodeSelector"}

// targets refuses typed attributes that the chart has no value for.
func (v *hubValues) targets() {
	name := v.chart.Name() + " " + v.chart.Version()
	refused := map[string]bool{}
	for _, s := range v.settings {
		path := s.path
		if i := slices.IndexFunc(path, func(key string) bool { return slices.Contains(openKeys, key) }); i >= 0 {
			path = path[:i+1]
		}
		if refused[s.attr] || v.chart.Knows(path...) {
			continue
		}
		refused[s.attr] = true
		what := s.attr
		if len(path) > 0 && path[len(path)-1] == "extraPodSpec" && strings.HasPrefix(s.attr, "qos.") {
			what = "the priority_class of " + s.attr
		}
		v.refuse(s.attr, "Attribute without effect", "Chart %s has no value %s, so %s would have no effect there. Remove it, or use a version of the chart that has it.",
			name, strings.Join(path, "."), what)
		v.diags[len(v.diags)-1].Subject = at(s.block, s.attr)
	}
}

// finally returns the value that a path has in the end, but for what lists add.
func (v *hubValues) finally(path []string) any {
	if reaches(v.hub.Values, path) {
		value, _ := v.known.Value(path...)
		return value
	}
	for _, s := range slices.Backward(v.settings) {
		if slices.Equal(s.path, path) {
			return s.value
		}
	}
	value, _ := v.known.Value(path...)
	return value
}

// isTyped reports whether a typed attribute sets one of the paths.
func (v *hubValues) isTyped(attr string) bool {
	return slices.ContainsFunc(v.settings, func(s setting) bool { return s.attr == attr })
}

// effects says which attributes have no effect, or contradict a lower layer.
func (v *hubValues) effects() {
	v.switches()
	v.cullingRange()
	if v.hub.Type != schema.BinderHub {
		return
	}
	v.cleanerRange()
	v.quotaRange()
	v.binderVersion()
}

// switches warns about attributes of what is switched off.
func (v *hubValues) switches() {
	for _, part := range []struct {
		attrs  []string // beginnings
		except string
		on     []string
	}{
		{[]string{"qos.user_scheduler", "images.user_scheduler"}, "", v.hubs("scheduling", "userScheduler", "enabled")},
		{[]string{"qos.placeholder"}, "", v.hubs("scheduling", "userPlaceholder", "enabled")},
		{[]string{"culling."}, "culling.enabled", v.hubs("cull", "enabled")},
		{[]string{"qos.image_cleaner", "images.image_cleaner", "image_cleaner."}, "image_cleaner.enabled", v.own("imageCleaner", "enabled")},
	} {
		if v.finally(part.on) != false {
			continue
		}
		seen := map[string]bool{}
		for _, s := range v.settings {
			isOf := slices.ContainsFunc(part.attrs, func(prefix string) bool { return strings.HasPrefix(s.attr, prefix) })
			if isOf && s.attr != part.except && !seen[s.attr] {
				seen[s.attr] = true
				v.warn(s.attr, "Attribute without effect", "%s is false, so %s has no effect until it is switched on.", strings.Join(part.on, "."), s.attr)
			}
		}
	}
}

func number(value any) (float64, bool) {
	switch n := value.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// contradicts refuses an attribute that breaks a rule together with a value that a
// lower layer or the chart sets. Where both are typed, the schema has said so.
func (v *hubValues) contradicts(attr string, other []string, summary, detail string, args ...any) {
	where := "values"
	if !reaches(v.hub.Values, other) {
		where = "the chart's own default"
		for _, f := range slices.Backward(v.hub.ValuesFiles) {
			if reaches(f.Values, other) {
				where = f.Path
				break
			}
		}
	}
	v.refuse(attr, summary, detail+" %s comes from %s: set both.", append(args, strings.Join(other, "."), where)...)
}

func (v *hubValues) cullingRange() {
	timeoutAt, ageAt := v.hubs("cull", "timeout"), v.hubs("cull", "maxAge")
	timeout, _ := number(v.finally(timeoutAt))
	age, _ := number(v.finally(ageAt))
	if age <= 0 || age >= timeout {
		return
	}
	const text = "Every server is stopped at an age of %v seconds, so the timeout of %v seconds never counts."
	switch isTimeout, isAge := v.isTyped("culling.timeout"), v.isTyped("culling.max_age"); {
	case isTimeout && !isAge:
		v.contradicts("culling.timeout", ageAt, "Maximum age below the timeout", text, age, timeout)
	case isAge && !isTimeout:
		v.contradicts("culling.max_age", timeoutAt, "Maximum age below the timeout", text, age, timeout)
	}
}

// leastBytes is the least that the image cleaner takes for an absolute threshold.
const leastBytes = 1e9

func (v *hubValues) cleanerRange() {
	highAt, lowAt, kindAt := v.own("imageCleaner", "imageGCThresholdHigh"), v.own("imageCleaner", "imageGCThresholdLow"), v.own("imageCleaner", "imageGCThresholdType")
	high, hasHigh := number(v.finally(highAt))
	low, hasLow := number(v.finally(lowAt))
	kind, _ := v.finally(kindAt).(string)
	isHigh, isLow, isKind := v.isTyped("image_cleaner.threshold_high"), v.isTyped("image_cleaner.threshold_low"), v.isTyped("image_cleaner.threshold_type")
	if !hasHigh || !isHigh && !isLow && !isKind {
		return
	}
	attr := "image_cleaner.threshold_high"
	if !isHigh {
		attr = map[bool]string{true: "image_cleaner.threshold_type", false: "image_cleaner.threshold_low"}[isKind]
	}
	switch {
	case kind == "absolute" && high < leastBytes && isHigh:
		v.refuse(attr, "Threshold out of range", "Absolute thresholds are bytes, and the cleaner takes none below %d.", int64(leastBytes))
	case kind == "absolute" && high < leastBytes:
		v.contradicts(attr, highAt, "Threshold out of range", "Absolute thresholds are bytes, and the cleaner takes none below %d; the high one is %v.", int64(leastBytes), high)
	case kind == "relative" && (high > 100 || low > 100):
		other := kindAt
		if isKind {
			other = map[bool][]string{true: highAt, false: lowAt}[high > 100]
		}
		v.contradicts(attr, other, "Threshold out of range", "Relative thresholds are percent.")
	case !hasLow || low < high:
	case isHigh && !isLow:
		v.contradicts(attr, lowAt, "Low threshold above the high one", "Cleaning starts at %v and ends at %v, so it would never end or never start.", high, low)
	case isLow && !isHigh:
		v.contradicts("image_cleaner.threshold_low", highAt, "Low threshold above the high one", "Cleaning starts at %v and ends at %v, so it would never end or never start.", high, low)
	}
}

func (v *hubValues) quotaRange() {
	oneAt, higherAt := v.own("config", "BinderHub", "per_repo_quota"), v.own("config", "BinderHub", "per_repo_quota_higher")
	isOne, isHigher := v.isTyped("limits.per_repo"), v.isTyped("limits.per_repo_higher")
	if isHigher && !v.hasHigherQuotas() {
		v.refuse("limits.per_repo_higher", "Attribute without effect",
			"BinderHub gives the higher limit to repositories that high_quota_specs of their provider names, and no layer of values does. Write it (config.GitHubRepoProvider.high_quota_specs), or a repo_limit block.")
	}
	one, _ := number(v.finally(oneAt))
	higher, _ := number(v.finally(higherAt))
	if isOne == isHigher || higher <= 0 || higher >= one {
		return
	}
	const text = "Repositories with a higher limit may have %v sessions, and all others %v."
	if isOne {
		v.contradicts("limits.per_repo", higherAt, "Higher limit below the normal one", text, higher, one)
	} else {
		v.contradicts("limits.per_repo_higher", oneAt, "Higher limit below the normal one", text, higher, one)
	}
}

// hasHigherQuotas reports whether values name repositories with a higher limit, or
// have code that may.
func (v *hubValues) hasHigherQuotas() bool {
	classes, _ := v.known.Value(v.own("config")...)
	table, _ := classes.(map[string]any)
	for _, traits := range table {
		traits, _ := traits.(map[string]any)
		if list, _ := traits["high_quota_specs"].([]any); len(list) > 0 {
			return true
		}
	}
	code, _ := v.known.Value(v.own("extraConfig")...)
	table, _ = code.(map[string]any)
	for _, text := range table {
		if text, _ := text.(string); strings.Contains(text, "high_quota_specs") {
			return true
		}
	}
	return false
}

// binderCount finds the number of a build: builds of BinderHub have no release numbers; they count commits.
var binderCount = regexp.MustCompile(`^1\.0\.0-0\.dev\.git\.(\d+)\.h[0-9a-f]+$`)

// traitsSince says with which commit of BinderHub a trait that hubcap sets came.
var traitsSince = []struct {
	attr, trait string
	since       int
}{
	{"qos.build", "KubernetesBuildExecutor.resources", 3954},
	{"limits.total", "LaunchQuota.total_quota", 2745},
	{"build_slots.max_age", "KubernetesCleaner.max_age", 2727},
	{"build_slots.node_pool", "KubernetesBuildExecutor.node_selector", 2726},
	{"build_image", "KubernetesBuildExecutor.build_image", 2726},
}

// binderVersion refuses attributes that the BinderHub of the chart is too old for.
// A build that does not tell its age passes.
func (v *hubValues) binderVersion() {
	version, _ := v.finally(v.own("image", "tag")).(string)
	if v.chart.Name() == "binderhub" && !binderCount.MatchString(version) && !strings.HasPrefix(v.hub.Chart.Source, chart.BuiltinPrefix) {
		version = v.chart.Version() // an image of the author's own, or a digest
	}
	count := 0
	switch found := binderCount.FindStringSubmatch(version); {
	case found != nil:
		count, _ = strconv.Atoi(found[1])
	case !strings.HasPrefix(version, "0."):
		return
	}
	for _, t := range traitsSince {
		if count >= t.since {
			continue
		}
		if i := slices.IndexFunc(v.settings, func(s setting) bool { return s.attr == t.attr }); i >= 0 {
			v.refuse(t.attr, "Attribute without effect", "BinderHub has %s since 1.0.0-0.dev.git.%d, and this one is %s.", t.trait, t.since, version)
			v.diags[len(v.diags)-1].Subject = at(v.settings[i].block, t.attr)
		}
	}
}
