package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// The components whose restart people feel in a way of their own.
const (
	hubComponent    = "hub"
	proxyComponent  = "proxy"
	binderComponent = "binder"
	buildComponent  = "image-builder"
)

// passing are the components that everybody's connection passes through.
var passing = map[string]bool{proxyComponent: true, "autohttps": true, "ingress": true}

// interrupts reports whether everybody is cut off while a component is away.
func interrupts(c resource.Component) bool { return passing[c.Name] }

// essential reports whether a hub cannot do without a component.
func essential(c resource.Component) bool {
	return interrupts(c) || c.Name == hubComponent || c.Name == binderComponent
}

// workloads are the kinds that run pods.
var workloads = map[string]bool{
	"Deployment": true, "StatefulSet": true, "DaemonSet": true, "ReplicaSet": true,
	"ReplicationController": true, "Job": true, "CronJob": true, "Pod": true,
}

// restarts gathers, by component, the configurations that its restarting pods
// read: what a configuration does depends on whether its reader restarts.
func restarts(changes []resource.Change) map[resource.Component]map[reference]bool {
	read := make(map[resource.Component]map[reference]bool)
	for i := range changes {
		w := &changes[i]
		if w.Action != resource.Update || !workloads[w.ID.Kind] || !touchesTemplate(w) {
			continue
		}
		if read[w.Component] == nil {
			read[w.Component] = make(map[reference]bool)
		}
		for _, ref := range references(w.After) {
			read[w.Component][ref] = true
		}
	}
	return read
}

// classify says what c does to the system. restarted is what restarts returns.
func (b *builder) classify(c *resource.Change, restarted map[resource.Component]map[reference]bool) {
	switch {
	case c.Action == resource.Delete:
		c.Class = b.deleteClass(c)
	case c.Seals && onlyOwner(c):
		c.Class = resource.ClassAdopt
	case isPool(c.ID):
		b.classifyPool(c)
	case c.Action == resource.Create && isHubWorkload(c) && !b.Back && b.replaced(c.Address.Block()):
		c.Class = resource.ClassDestructive // see startsEmpty
	case b.ceases(c):
		c.Class = resource.ClassDestructive
		c.Notes = append(c.Notes, "removes the hub: what comes in its place is none")
	case c.Action == resource.Create:
		c.Class = resource.ClassLive
	case onlyOwner(c):
		c.Class = resource.ClassAdopt
	case workloads[c.ID.Kind]:
		c.Class = b.workloadClass(c)
	case len(c.Fields) == 0 && c.Action == resource.Update:
		c.Class = resource.ClassNoop
		c.Notes = append(c.Notes, "only its ownership changes")
	case isConfig(c.ID.Kind):
		c.Class = configClass(c, restarted[c.Component])
		if fields := ruleless(c); len(fields) > 0 {
			c.Class = max(c.Class, unknown(c, fields))
		}
	default:
		c.Class = known(c)
	}
	if class, why := b.rightsClass(c); class > c.Class {
		c.Notes = append(c.Notes, why)
		c.Class = class
		c.Impact.Unknown = c.Impact.Unknown || class != resource.ClassOutage
		b.rightless[c.ID] = class == resource.ClassOutage
	}
	if class, why := b.barrierClass(c); class > c.Class {
		c.Notes = append(c.Notes, why)
		c.Class = class
		c.Impact.Unknown = c.Impact.Unknown || class != resource.ClassOutage
		b.barring[c.ID] = class == resource.ClassOutage
	}
	if c.Action == resource.Update && goneSecret(c) != "" && b.isStranded(c) {
		c.Class, b.rightless[c.ID] = max(c.Class, resource.ClassOutage), true
	}
	for _, why := range []string{b.ending(c), dooms(c)} {
		if why != "" {
			c.Notes = append(c.Notes, why)
			c.Class = max(c.Class, resource.ClassDestructive)
		}
	}
	if c.GivesBack != nil {
		c.Notes = append(c.Notes, "goes back to "+c.GivesBack.From)
	}
	if c.Component.Name == buildComponent && c.Class == resource.ClassRestart {
		c.Notes = append(c.Notes, "builds on its nodes fail while it restarts")
	}
}

// classifyPool says what a change of a node pool does.
func (b *builder) classifyPool(c *resource.Change) {
	switch c.Action {
	case resource.Create:
		c.Class = resource.ClassLive
		return
	case resource.Replace:
		c.Class = resource.ClassReplacePool
		return
	}
	c.Class = poolClass(c.Fields)
	if carriers := b.carriers(c.ID); Disturbs(*c) && len(carriers) > 0 {
		c.Notes = append(c.Notes, carriedNote(carriers))
	}
}

func isConfig(kind string) bool { return kind == "Secret" || kind == "ConfigMap" }

// workloadClass tells a change of the pods from one beside them.
func (b *builder) workloadClass(c *resource.Change) resource.Class {
	if len(c.Fields) == 0 && c.Action == resource.Update {
		c.Notes = append(c.Notes, "only its ownership changes")
		return resource.ClassNoop
	}
	class := scaleClass(c)
	if fields := ruleless(c); len(fields) > 0 && c.Action == resource.Update {
		class = max(class, unknown(c, fields))
	}
	if c.Action != resource.Replace && !touchesTemplate(c) {
		return class
	}
	if was, is := databaseFrom(c.Before), databaseFrom(c.After); c.Component.Name == hubComponent && was != is && c.Action == resource.Update {
		c.Notes = append(c.Notes, otherDatabase(was, is))
		return resource.ClassDestructive
	}
	if m, migrates := b.migrationOf(c); migrates {
		_, isFile := databaseClaim(c.Before)
		if upgradesDB(c.After) || m.back && (isFile || upgradesDB(c.Before)) {
			c.Notes = append(c.Notes, m.words())
			return max(class, resource.ClassOneWay)
		}
		if m.sure {
			c.Notes = append(c.Notes, fmt.Sprintf("JupyterHub %s does not start with the database of %s, and the hub does not upgrade it (hub.db.upgrade)", m.to, m.from))
		}
	}
	return max(class, restartClass(c.Component))
}

func touchesTemplate(c *resource.Change) bool {
	prefixes := []string{"spec.template"}
	switch c.ID.Kind {
	case "CronJob":
		return false // running jobs go on, the next one is new
	case "Pod":
		prefixes = []string{"spec"}
	}
	return slices.ContainsFunc(c.Fields, func(f resource.Field) bool { return under(f.Path, prefixes) })
}

func restartClass(c resource.Component) resource.Class {
	switch {
	case c.Name == hubComponent:
		return resource.ClassHub
	case interrupts(c):
		return resource.ClassProxy
	case c.Name == binderComponent:
		return resource.ClassBinder
	}
	return resource.ClassRestart
}

func upgradesDB(o resource.Object) bool {
	return slices.ContainsFunc(containers(o), func(c map[string]any) bool {
		args, _ := c["args"].([]any)
		return slices.Contains(args, any("--upgrade-db"))
	})
}

// image returns the image of the container named hub.
func image(o resource.Object) string {
	for _, c := range containers(o) {
		if c["name"] == hubComponent {
			text, _ := c["image"].(string)
			return text
		}
	}
	return ""
}

// configClass says what a changed configuration does: what its readers in the
// same component do in this plan, or nothing but taking effect.
func configClass(c *resource.Change, restarted map[reference]bool) resource.Class {
	class := resource.ClassLive
	if restarted[reference{c.ID.Kind, c.ID.Name}] {
		class = restartClass(c.Component)
	}
	before, after := valuesText(c.Before), valuesText(c.After)
	if before == "" || after == "" {
		return class
	}
	if deletesClaims(leaves(after)) && !deletesClaims(leaves(before)) {
		c.Notes = append(c.Notes, "from now on volume claims go with users and named servers that are deleted (KubeSpawner.delete_pvc)")
	}
	if changed := changedSections(before, after); len(changed) == 1 && changed[0] == "singleuser" {
		c.Notes = append(c.Notes, "running servers keep their settings: only new ones get these")
	}
	if keys := databaseKeys(before, after); len(keys) > 0 {
		c.Notes = append(c.Notes, otherDatabase(strings.Join(keys, ", ")+" was another", "its new value"))
		return resource.ClassDestructive
	}
	if why := otherHomes(before, after); why != "" {
		c.Notes = append(c.Notes, why)
		return resource.ClassDestructive
	}
	does, says := traitClass(c, before, after)
	c.Notes = append(c.Notes, says...)
	if does > class {
		return does
	}
	if was, is := prefix(before), prefix(after); was != "" && is != "" && was != is {
		c.Notes = append(c.Notes, fmt.Sprintf("image prefix %s → %s: every repository is built again; undo is to go back to the old prefix", was, is))
		return resource.ClassCacheWipe
	}
	return class
}

// valuesText returns the chart values that a chart's Secret or ConfigMap carries.
// The text is secret: only what is said to be public may leave this package.
func valuesText(o resource.Object) string {
	return secretText(o, "values.yaml")
}

var prefixLine = regexp.MustCompile(`(?m)^\s*["']?image_prefix["']?:\s*["']?([^\s"']+)["']?\s*$`)

// prefix returns the image prefix that values set, or "".
func prefix(values string) string {
	if m := prefixLine.FindStringSubmatch(values); m != nil {
		return m[1]
	}
	return ""
}

// changedSections returns the top-level keys under which two texts of YAML differ.
func changedSections(before, after string) []string {
	b, a := sections(before), sections(after)
	var changed []string
	for key, text := range a {
		if b[key] != text {
			changed = append(changed, key)
		}
	}
	for key := range b {
		if _, still := a[key]; !still {
			changed = append(changed, key)
		}
	}
	slices.Sort(changed)
	return changed
}

func sections(text string) map[string]string {
	parts, key := make(map[string]string), ""
	for line := range strings.Lines(text) {
		if line[0] != ' ' && line[0] != '-' && line[0] != '#' && line[0] != '\n' {
			key, _, _ = strings.Cut(line, ":")
			key = strings.Trim(strings.TrimSpace(key), `"'`)
		}
		parts[key] += line
	}
	return parts
}
