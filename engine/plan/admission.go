package plan

import (
	"slices"
	"strconv"
	"strings"

	"hubcap/engine/resource"
)

// admissionKeys are the chart values that bound how many people are let in: a
// larger number lets in more, and so does none.
var admissionKeys = []string{
	"per_repo_quota", "per_repo_quota_higher", "total_quota", "pod_quota", "quota",
	"concurrentSpawnLimit", "concurrent_spawn_limit", "activeServerLimit", "active_server_limit",
}

// banKey lists the repositories that are not launched.
const banKey = "banned_specs"

// admissionOf says what a step does to how many people are let in. It lowers
// admission only when it does nothing else.
func admissionOf(s Step) Admission {
	lowered, other := false, false
	for _, c := range s.Changes {
		switch before, after := valuesText(c.Before), valuesText(c.After); {
		case c.Action == resource.Update && before != "" && after != "":
			raises, lowers, more := compareAdmission(leaves(before), leaves(after))
			if raises {
				return RaisesAdmission
			}
			lowered, other = lowered || lowers, other || more
		case !onlyStamped(c):
			other = true
		}
	}
	if lowered && !other {
		return LowersAdmission
	}
	return ""
}

// onlyStamped reports whether nothing changes in a workload but the digests of
// what it reads, or in a configuration but what hubcap notes of it.
func onlyStamped(c resource.Change) bool {
	return c.Action == resource.Update && !slices.ContainsFunc(c.Fields, func(f resource.Field) bool {
		return !strings.HasPrefix(f.Path, `spec.template.metadata.annotations["checksum`)
	})
}

// compareAdmission compares the leaves of chart values.
func compareAdmission(before, after map[string]string) (raises, lowers, other bool) {
	for path, was := range before {
		is, still := after[path]
		if still && is == was {
			continue
		}
		switch key := lastKey(path); {
		case strings.Contains(path, banKey+"["):
			goes := !banned(after, was)
			raises, lowers = raises || goes, lowers || !goes
		case slices.Contains(admissionKeys, key):
			raises = raises || !still || unbounded(is) || bound(is) > bound(was) && !unbounded(was)
			lowers = true
		case strings.Contains(path, "spec_config["):
		default:
			other = true
		}
	}
	for path, is := range after {
		if _, had := before[path]; had {
			continue
		}
		switch key := lastKey(path); {
		case key == "quota" && (unbounded(is) || bound(is) > bound(perRepo(after))):
			raises = true
		case strings.Contains(path, banKey+"["), slices.Contains(admissionKeys, key):
			lowers = true
		case strings.Contains(path, "spec_config["):
		default:
			other = true
		}
	}
	return raises, lowers && !raises, other
}

// unbounded reports whether a bound is none: BinderHub and JupyterHub take zero so.
func unbounded(s string) bool { return bound(s) == 0 }

func bound(s string) float64 {
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

// perRepo returns the bound of the repositories that have none of their own.
func perRepo(values map[string]string) string {
	for path, v := range values {
		if lastKey(path) == "per_repo_quota" {
			return v
		}
	}
	return "100" // BinderHub's own
}

func banned(values map[string]string, pattern string) bool {
	for path, v := range values {
		if v == pattern && strings.Contains(path, banKey+"[") {
			return true
		}
	}
	return false
}

func lastKey(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// leaves returns the scalars of a text of YAML as hubcap and Helm write it, by
// their paths. It need not understand every YAML: what it does not is a
// difference that is told apart by its line.
func leaves(text string) map[string]string {
	type level struct {
		indent int
		path   string
		items  int
	}
	out := make(map[string]string)
	stack := []level{{indent: -1}}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \r\n")
		body := strings.TrimLeft(line, " ")
		if body == "" || body[0] == '#' {
			continue
		}
		indent := len(line) - len(body)
		isItem := body == "-" || strings.HasPrefix(body, "- ")
		for len(stack) > 1 && (stack[len(stack)-1].indent > indent || stack[len(stack)-1].indent == indent && (!isItem || stack[len(stack)-1].items < 0)) {
			stack = stack[:len(stack)-1]
		}
		if isItem {
			top := &stack[len(stack)-1]
			item := level{indent: indent + 1, path: top.path + "[" + strconv.Itoa(max(top.items, 0)) + "]", items: -1}
			top.items = max(top.items, 0) + 1
			stack = append(stack, item)
			body = strings.TrimLeft(strings.TrimPrefix(body, "-"), " ")
			indent += 2
			if body == "" {
				continue
			}
		}
		top := stack[len(stack)-1]
		key, value, isKey := strings.Cut(body, ":")
		if !isKey || value != "" && value[0] != ' ' {
			out[top.path] = strings.Trim(body, `"'`)
			continue
		}
		path := top.path + "." + strings.Trim(key, `"'`)
		if value = strings.TrimSpace(value); value == "" {
			stack = append(stack, level{indent: indent, path: path})
			continue
		}
		out[path] = strings.Trim(value, `"'`)
	}
	return out
}
