package adopt

import (
	"slices"
	"strconv"
	"strings"

	"hubcap/schema"
)

// A class is the resources of one component as a qos_class.
type class struct{ cpuRequest, cpuLimit, memoryRequest, memoryLimit, priority string }

// qosPaths says where the resources and the pod spec of a component are set, as
// engine/expand does.
func (h *hub) qosPaths(t *taking) []struct {
	component string
	root      []string
	resources []string
	podSpec   []string
} {
	daemon, _ := h.builder(t)
	all := []struct {
		component string
		root      []string
		resources []string
		podSpec   []string
	}{
		{"hub", h.jupyter, []string{"hub", "resources"}, []string{"hub", "extraPodSpec"}},
		{"proxy", h.jupyter, []string{"proxy", "chp", "resources"}, []string{"proxy", "chp", "extraPodSpec"}},
		{"user_scheduler", h.jupyter, []string{"scheduling", "userScheduler", "resources"}, []string{"scheduling", "userScheduler", "extraPodSpec"}},
		{"placeholder", h.jupyter, []string{"scheduling", "userPlaceholder", "resources"}, []string{"scheduling", "userPlaceholder", "extraPodSpec"}},
		{"binder", h.root, []string{"resources"}, []string{"extraPodSpec"}},
		{"build", h.root, []string{"config", "KubernetesBuildExecutor", "resources"}, nil},
		{"dind", h.root, []string{daemon, "resources"}, []string{daemon, "extraPodSpec"}},
	}
	switch {
	case h.release.Hub != schema.BinderHub:
		all = all[:4]
	case daemon == "":
		all = all[:6]
	}
	return all
}

// userClass takes the resources of user servers as a class, when all four bounds are
// numbers: KubeSpawner's units are others than Kubernetes', and the hub restarts when
// a value is spelt in another way. A guaranteed class would set more than these.
func (h *hub) userClass(t *taking) (class, bool) {
	var c class
	var numbers []float64
	for _, b := range []struct {
		what, bound string
		into        *string
	}{{"cpu", "guarantee", &c.cpuRequest}, {"cpu", "limit", &c.cpuLimit}, {"memory", "guarantee", &c.memoryRequest}, {"memory", "limit", &c.memoryLimit}} {
		quantity, n, isNumber := quantityOf(b.what, t.at(h.jupyter, "singleuser", b.what, b.bound))
		if !isNumber {
			return c, false
		}
		*b.into = quantity
		numbers = append(numbers, n)
	}
	isGuaranteed := numbers[0] == numbers[1] && numbers[2] == numbers[3]
	if isGuaranteed || numbers[0] > numbers[1] || numbers[2] > numbers[3] {
		return c, false
	}
	for _, what := range []string{"cpu", "memory"} {
		t.done(h.jupyter, "singleuser", what, "guarantee")
		t.done(h.jupyter, "singleuser", what, "limit")
	}
	priority := []string{"hub", "config", "KubeSpawner", "priority_class_name"}
	if name, _ := t.at(h.jupyter, priority...).(string); objectName(name) {
		c.priority = name
		t.done(h.jupyter, priority...)
	}
	return c, true
}

// leastBytes is the least memory that a class takes.
const leastBytes = 1 << 20

// quantityOf returns a number of cores or bytes as a quantity that gives just that
// number again.
func quantityOf(what string, v any) (quantity string, n float64, isNumber bool) {
	switch v := v.(type) {
	case int64:
		n = float64(v)
	case float64:
		n = v
	default:
		return "", 0, false
	}
	whole := int64(n)
	switch {
	case what == "cpu" && n > 0 && float64(whole) == n:
		return strconv.FormatInt(whole, 10), n, true
	case what == "cpu" && n > 0 && float64(int64(n*1000+0.5))/1000 == n:
		return strconv.FormatInt(int64(n*1000+0.5), 10) + "m", n, true
	case what == "memory" && n >= leastBytes && float64(whole) == n:
		for _, unit := range []struct {
			size int64
			name string
		}{{1 << 30, "Gi"}, {1 << 20, "Mi"}} {
			if whole%unit.size == 0 {
				return strconv.FormatInt(whole/unit.size, 10) + unit.name, n, true
			}
		}
		return strconv.FormatInt(whole, 10), n, true
	}
	return "", 0, false
}

// qos makes classes of the resources of the components; components with the same
// share one.
func (h *hub) qos(t *taking) {
	type use struct {
		class      class
		components []string
	}
	var uses []use
	if c, isClass := h.userClass(t); isClass {
		uses = append(uses, use{class: c, components: []string{"user"}})
	}
	for _, where := range h.qosPaths(t) {
		c, isClass := classOf(h.whole(t, where.root, where.resources))
		if !isClass {
			continue
		}
		t.done(where.root, where.resources...)
		if where.podSpec != nil {
			priority := append(slices.Clone(where.podSpec), "priorityClassName")
			if name, _ := t.at(where.root, priority...).(string); objectName(name) {
				c.priority = name
				t.done(where.root, priority...)
			}
		}
		i := slices.IndexFunc(uses, func(u use) bool { return u.class == c })
		if i < 0 {
			uses = append(uses, use{class: c})
			i = len(uses) - 1
		}
		uses[i].components = append(uses[i].components, where.component)
	}
	if len(uses) == 0 {
		return
	}
	tree := map[string]any{}
	for _, u := range uses {
		name := h.w.names.free("qos_class", h.address.Name+"-"+strings.ReplaceAll(u.components[0], "_", "-"))
		for _, component := range u.components {
			tree[component] = code("qos_class." + name)
		}
		h.before = append(h.before, func(t *text) { u.class.write(t, name) })
	}
	h.attr(func(t *text) {
		t.gap()
		t.value("qos", tree)
	})
}

// whole returns the table at a path that values say something of, with what the
// chart says beneath it: a class stands for all of that.
func (h *hub) whole(t *taking, root, path []string) any {
	said := t.at(root, path...)
	complete, isComplete := h.release.Complete.Value(slices.Concat(root, path)...)
	if said == nil || !isComplete {
		return said
	}
	return complete
}

// objectName reports whether a text can be the name of a priority class.
func objectName(s string) bool {
	return s != "" && s == strings.ToLower(s) && !strings.ContainsAny(s, "_ /${}") && len(s) <= 253
}

// classOf returns the class of a table of requests and limits in texts. It must
// say something, and nothing else.
func classOf(v any) (class, bool) {
	table, _ := v.(map[string]any)
	var c class
	if len(table) == 0 {
		return c, false
	}
	into := map[string]*string{
		"requests.cpu": &c.cpuRequest, "requests.memory": &c.memoryRequest, "limits.cpu": &c.cpuLimit, "limits.memory": &c.memoryLimit,
	}
	for half, amounts := range table {
		if amounts == nil {
			continue // a default that is null says nothing
		}
		amounts, isTable := amounts.(map[string]any)
		if !isTable || len(amounts) == 0 {
			return c, false
		}
		for what, amount := range amounts {
			if amount == nil {
				continue
			}
			at, isKnown := into[half+"."+what]
			quantity, isText := amount.(string)
			if !isKnown || !isText || quantity == "" {
				return c, false
			}
			*at = quantity
		}
	}
	return c, c != class{}
}

func (c class) write(t *text, name string) {
	t.open("qos_class", name)
	mode := schema.Burstable
	isPinned := c.memoryRequest != "" && c.memoryRequest == c.memoryLimit
	switch {
	case isPinned && c.cpuRequest != "" && c.cpuRequest == c.cpuLimit:
		mode = schema.Guaranteed
	case isPinned:
		mode = schema.MemoryGuaranteed
	}
	attr := func(name, value string) {
		if value != "" {
			t.attr(name, quote(value))
		}
	}
	if mode != schema.Burstable {
		t.attr("mode", quote(string(mode)))
	}
	if mode == schema.Guaranteed {
		attr("cpu", c.cpuRequest)
	} else {
		attr("cpu_request", c.cpuRequest)
		attr("cpu_limit", c.cpuLimit)
	}
	if mode != schema.Burstable {
		attr("memory", c.memoryRequest)
	} else {
		attr("memory_request", c.memoryRequest)
		attr("memory_limit", c.memoryLimit)
	}
	attr("priority_class", c.priority)
	t.end()
}
