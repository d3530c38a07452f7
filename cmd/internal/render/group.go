package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// symbolOf is the mark of a whole step: its changes' mark when they share one.
func symbolOf(step plan.Step) string {
	symbol := ""
	for _, c := range step.Changes {
		switch s := c.Action.Symbol(); {
		case symbol == "":
			symbol = s
		case symbol != s:
			return "~"
		}
	}
	return symbol
}

// objectName names the object of a change inside its block: "Deployment/hub".
func objectName(c resource.Change) string {
	if c.Address.Object != "" {
		return c.Address.Object
	}
	return c.ID.Kind + "/" + c.ID.Name
}

// what says in one line what a step changes, in at most width cells: the leaf
// that matters most, and how many more there are.
func (n secrets) what(step plan.Step, width int) string {
	fields := causes(step)
	if len(fields) == 0 {
		return cut(kinds(step), width)
	}
	suffix := ""
	if len(fields) > 1 {
		suffix = fmt.Sprintf(" (+%d)", len(fields)-1)
	}
	return n.short(fields[0], width-cells(suffix)) + suffix
}

// kinds says which objects a step makes or removes: "Deployment, 2 ConfigMaps".
func kinds(step plan.Step) string {
	var order []string
	counts := map[string]int{}
	for _, c := range step.Changes {
		if counts[c.ID.Kind]++; counts[c.ID.Kind] == 1 {
			order = append(order, c.ID.Kind)
		}
	}
	if len(step.Changes) == 1 {
		if c := step.Changes[0]; c.ID.Kind == resource.KindNodePool && c.After != nil {
			return pool(c.After)
		}
		return objectName(step.Changes[0])
	}
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(weight(a), weight(b)) })
	for i, kind := range order {
		if counts[kind] > 1 {
			order[i] = count(counts[kind], kind)
		}
	}
	return strings.Join(order, ", ")
}

// pool says the shape of a GKE node pool: "n2-highmem-8, 1 local SSD, 1–8 nodes".
func pool(o resource.Object) string {
	said := []string{o.Text("name")}
	if machine := o.Text("config", "machineType"); machine != "" {
		said = append(said, machine)
	}
	for _, path := range [][]string{
		{"localSsdCount"}, {"ephemeralStorageLocalSsdConfig", "localSsdCount"}, {"localNvmeSsdBlockConfig", "localSsdCount"},
	} {
		if n, _ := o.Value(append([]string{"config"}, path...)...); n != nil && n != int64(0) {
			said = append(said, fmt.Sprintf("%v local SSD", n))
		}
	}
	for _, bounds := range [][2]string{{"minNodeCount", "maxNodeCount"}, {"totalMinNodeCount", "totalMaxNodeCount"}} {
		least, _ := o.Value("autoscaling", bounds[0])
		most, _ := o.Value("autoscaling", bounds[1])
		if most != nil {
			if least == nil {
				least = 0
			}
			said = append(said, fmt.Sprintf("%v–%v nodes", least, most))
		}
	}
	return strings.Join(said, ", ")
}

// weight puts the kinds that run something first.
func weight(kind string) int {
	switch kind {
	case "NodePool", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob":
		return 0
	case "ConfigMap", "Secret", "Service":
		return 1
	}
	return 2
}

// causes returns the fields that make a step what it is, most telling first: the
// least noisy ones, leaf by leaf. A step that only makes or removes objects has
// none.
func causes(step plan.Step) []resource.Field {
	var all []resource.Field
	for _, c := range step.Changes {
		if c.Action == resource.Update || c.Action == resource.Replace {
			all = append(all, flatten(c.Fields)...)
		}
	}
	if len(all) == 0 {
		return nil
	}
	least := noise(slices.MinFunc(all, func(a, b resource.Field) int { return cmp.Compare(noise(a), noise(b)) }))
	var out []resource.Field
	seen := map[string]bool{}
	for _, f := range all {
		key := f.Path + fmt.Sprint(f.Before, f.After)
		if noise(f) == least && !seen[key] {
			seen[key] = true
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b resource.Field) int {
		return cmp.Or(cmp.Compare(telling(a), telling(b)), cmp.Compare(removal(a), removal(b)), cmp.Compare(depth(a), depth(b)))
	})
	return out
}

// removal ranks a field that goes away behind those that are set: beside them it mostly goes
// because of them, as the parameters of a strategy do with its type.
func removal(f resource.Field) int {
	if f.After == nil {
		return 1
	}
	return 0
}

// noise ranks fields that only follow from others below those that cause them.
func noise(f resource.Field) int {
	switch path := strings.ToLower(f.Path); {
	case strings.Contains(path, "checksum"), strings.Contains(path, "helm.sh/chart"),
		strings.Contains(path, "generation"), strings.Contains(path, "app.kubernetes.io/version"):
		return 2
	case strings.Contains(path, "annotations"), strings.Contains(path, "labels"):
		return 1
	}
	return 0
}

func telling(f resource.Field) int {
	if strings.HasSuffix(f.Path, ".image") || f.Path == "image" {
		return 0
	}
	if chartValue.MatchString(f.Path) {
		return 1
	}
	before, isText := f.Before.(string)
	after, staysText := f.After.(string)
	if isText && staysText && strings.Contains(before+after, "\n") {
		return 3
	}
	return 2
}

// depth is how far below the top a chart's value lies: what a person sets, as in
// imageBuilderType, lies above what follows from it.
func depth(f resource.Field) int {
	m := chartValue.FindStringSubmatch(f.Path)
	if m == nil {
		return 0
	}
	return len(segments(m[1]))
}

// flatten breaks fields whose values are trees into fields whose values are not.
func flatten(fields []resource.Field) []resource.Field {
	var out []resource.Field
	for _, f := range fields {
		if !isTree(f.Before) && !isTree(f.After) {
			out = append(out, f)
			continue
		}
		before, after := leavesOf(f.Path, f.Before), leavesOf(f.Path, f.After)
		was := map[string]any{}
		for _, l := range before {
			was[l.path] = l.value
		}
		is := map[string]bool{}
		for _, l := range after {
			is[l.path] = true
			if b, existed := was[l.path]; !existed || !resource.Equal(b, l.value) {
				out = append(out, resource.Field{Path: l.path, Before: was[l.path], After: l.value})
			}
		}
		for _, l := range before {
			if !is[l.path] {
				out = append(out, resource.Field{Path: l.path, Before: l.value})
			}
		}
	}
	return out
}

func leavesOf(path string, v any) []leaf {
	if v == nil {
		return nil
	}
	return leaves(path, v)
}

func isTree(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) > 0
	case []any:
		return len(v) > 0 && !isFlat(v)
	}
	return false
}

// short words one field in at most width cells: "image 0.9.0 → 0.9.1".
func (n secrets) short(f resource.Field, width int) string {
	name := shortName(f.Path)
	if before, after, areTexts := texts(f); areTexts {
		lines := diffText(before, after)
		if b, a, isOne := oneLine(lines); isOne {
			key, b, a := apart(clean(b), clean(a))
			if key == "" {
				key = name + ": "
			}
			return arrow(key, b, a, width)
		}
		added, removed := tally(lines)
		return cut(fmt.Sprintf("%s +%d −%d lines", name, added, removed), width)
	}
	before, after := n.value(f.Before), n.value(f.After)
	switch {
	case f.Before == nil:
		return cut(name+" "+after+" (new)", width)
	case f.After == nil:
		return cut(name+" "+before+" → (none)", width)
	}
	return arrow(name+" ", before, after, width)
}

// texts returns the two texts of a field when they are worth comparing by line.
func texts(f resource.Field) (before, after string, areTexts bool) {
	before, isText := f.Before.(string)
	after, staysText := f.After.(string)
	if !isText || !staysText {
		return "", "", false
	}
	return before, after, strings.Contains(strings.TrimSuffix(before, "\n"), "\n") ||
		strings.Contains(strings.TrimSuffix(after, "\n"), "\n")
}

// apart splits two lines into the words they begin with in common and what
// differs; a word is never cut.
func apart(before, after string) (key, b, a string) {
	n := common(before, after)
	cutAt := strings.LastIndexAny(before[:n], " \t") + 1
	return before[:cutAt], before[cutAt:], after[cutAt:]
}

func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// leastKey is what always stays of a key.
const leastKey = 10

// arrow writes "key before → after" in at most width cells. What both begin with
// is left out first, then the key and the values are cut.
func arrow(key, before, after string, width int) string {
	line := func() string { return key + before + " → " + after }
	if cells(line()) > width {
		if at := strings.LastIndexAny(before[:common(before, after)], "/:@") + 1; at > 3 {
			before, after = "…"+before[at:], "…"+after[at:]
		}
	}
	if cells(line()) > width {
		// The values say more than the start of a long key.
		key = cutLeft(key, max(width-cells(before)-cells(after)-3, min(cells(key), leastKey)))
	}
	if room := width - cells(key) - 3; cells(before)+cells(after) > room {
		half := max(room/2, 1)
		if cells(before) < half {
			half = room - cells(before)
		} else if cells(after) < half {
			before = cut(before, room-cells(after))
		} else {
			before = cut(before, room-half)
		}
		after = cut(after, max(half, room-cells(before)))
	}
	return cut(line(), width)
}
