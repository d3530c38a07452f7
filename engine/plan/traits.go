package plan

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// Charts pass traits through to the programs: whatever has a typed value can be set as
// a trait, too, by hub.config or by a line of hub.extraConfig. The rules below say of
// which traits a change does more than restart their program.

// A traitRule says what another value of some traits does.
type traitRule struct {
	class  string // ends the name of the class: subclasses have the traits of their parents
	traits []string
	typed  string // the chart value that counts where the trait is not set
	preset string // what counts where neither is
	only   string // the one value that does it; empty: any other than before
	does   resource.Class
	says   string
}

const (
	homesGo   = "new servers start without the homes that people have: the old ones stay, and are not mounted where they were"
	serversGo = "the hub does not find the servers that run: who is on one is cut off"
	keysGo    = "the hub's keys go: everybody is logged out, and what is encrypted with them (auth state) cannot be read any more"
	databases = "the hub starts with another database: what the old one knows of users, tokens and running servers is not in it"
)

var traitRules = []traitRule{
	{class: "JupyterHub", traits: []string{"db_url"}, typed: "hub.db.url", does: resource.ClassDestructive, says: databases},
	{class: "JupyterHub", traits: []string{"spawner_class"}, preset: "kubespawner.KubeSpawner", does: resource.ClassDestructive, says: serversGo},
	{class: "JupyterHub", traits: []string{"base_url"}, typed: "hub.baseUrl", preset: "/", does: resource.ClassDestructive, says: serversGo},
	{class: "JupyterHub", traits: []string{cookieTrait}, typed: "hub.cookieSecret", does: resource.ClassDestructive, says: keysGo},
	{class: "CryptKeeper", traits: []string{cryptTrait}, does: resource.ClassDestructive, says: keysGo},
	{class: "Spawner", traits: []string{"namespace", "user_namespace_template", "component_label"}, does: resource.ClassDestructive, says: serversGo},
	{class: "Spawner", traits: []string{"enable_user_namespaces"}, preset: "false", does: resource.ClassDestructive, says: serversGo},
	{class: "Spawner", traits: []string{"pvc_name_template"}, typed: "singleuser.storage.dynamic.pvcNameTemplate", does: resource.ClassDestructive, says: homesGo},
	{class: "Spawner", traits: []string{"slug_scheme"}, preset: "safe", does: resource.ClassDestructive, says: homesGo},
	{class: "Spawner", traits: []string{"volumes", "volume_mounts"}, does: resource.ClassDestructive, says: homesGo},
	{class: "Spawner", traits: []string{"storage_pvc_ensure", "user_storage_pvc_ensure"}, only: "false", does: resource.ClassDestructive, says: homesGo},
	{class: "BinderHub", traits: []string{"use_registry"}, preset: "true", does: resource.ClassCacheWipe, says: "images are kept elsewhere: every repository is built again"},
	{class: "BinderHub", traits: []string{"pod_quota"}, only: "0", does: resource.ClassOutage, says: "the bound of launches is 0: nobody is let in"},
	{class: "LaunchQuota", traits: []string{"total_quota"}, only: "0", does: resource.ClassOutage, says: "the bound of launches is 0: nobody is let in"},
}

// The traits that are keys: charts carry them beside the values, too.
const (
	cookieTrait = "cookie_secret"
	cryptTrait  = "keys"
)

// traitClass returns the worst of what changed traits do, and says all of it.
func traitClass(c *resource.Change, before, after string) (resource.Class, []string) {
	was, is := traitsOf(before, c.ID.Namespace), traitsOf(after, c.ID.Namespace)
	class, notes := resource.ClassNoop, []string(nil)
	for _, r := range traitRules {
		for _, key := range sortedSet(append(slices.Collect(maps.Keys(was.set)), slices.Collect(maps.Keys(is.set))...)) {
			of, trait, _ := strings.Cut(key, ".")
			if !strings.HasSuffix(of, r.class) || !slices.Contains(r.traits, trait) || !r.changed(was.value(r, key), is.value(r, key)) || keptKey(c, key) {
				continue
			}
			class, notes = max(class, r.does), append(notes, r.says+" ("+key+")")
		}
	}
	for key, does := range map[string]string{"hub.existingSecret": keysGo, "hub.cookieSecret": keysGo, "hub.baseUrl": serversGo} {
		trait := typedTraits[key]
		if _, set := is.set[trait]; set || chartValue(was.leaves, key, "") == chartValue(is.leaves, key, "") || keptKey(c, trait) {
			continue
		}
		if _, set := was.set[trait]; !set {
			class, notes = max(class, resource.ClassDestructive), append(notes, does+" ("+key+")")
		}
	}
	return class, sortedSet(notes)
}

// typedTraits are the traits of typed values that traitClass judges itself.
var typedTraits = map[string]string{"hub.cookieSecret": "JupyterHub.cookie_secret", "hub.baseUrl": "JupyterHub.base_url"}

// changed reports whether a trait is another. Lists that only grow keep what was there.
func (r traitRule) changed(was, is []string) bool {
	switch {
	case slices.Equal(was, is):
		return false
	case r.only != "":
		return slices.Equal(is, []string{r.only})
	case len(was) > 0 && (r.typed+r.preset == ""):
		return slices.ContainsFunc(was, func(s string) bool { return !slices.Contains(is, s) && s != "[]" && s != "{}" })
	}
	return true
}

// keptKey reports whether what a chart carries of a key beside the values stays.
func keptKey(c *resource.Change, trait string) bool {
	at := "hub.config." + trait
	was, is := secretText(c.Before, at), secretText(c.After, at)
	if strings.HasSuffix(trait, "."+cryptTrait) && was != "" { // they are tried one after the other
		now := strings.Split(is, ";")
		return !slices.ContainsFunc(strings.Split(was, ";"), func(key string) bool { return !slices.Contains(now, key) })
	}
	return was != "" && was == is
}

// Traits are what the values of a chart set for the classes of its programs.
type traits struct {
	leaves map[string]string
	set    map[string][]string // by class and trait: all that is below it, sorted
}

var (
	traitPath  = regexp.MustCompile(`^\.(?:jupyterhub\.)?(?:hub\.)?config\.(\w+)\.(\w+)(.*)$`)
	traitLine  = regexp.MustCompile(`\bc\.(\w+)\.(\w+)\s*=\s*([^\n]*)`)
	itemNumber = regexp.MustCompile(`\[\d+\]`)
	unescape   = strings.NewReplacer(`\"`, `"`, `\n`, "\n")
)

// traitsOf reads the traits in a text of values. own is the namespace of the hub.
func traitsOf(text, own string) traits {
	t := traits{leaves(text), make(map[string][]string)}
	add := func(class, trait, inner, value string) {
		value = traitValue(trait, value, own)
		if value != "" || inner != "" {
			t.set[class+"."+trait] = append(t.set[class+"."+trait], itemNumber.ReplaceAllString(inner, "")+value)
		}
	}
	for path, v := range t.leaves {
		if m := traitPath.FindStringSubmatch(path); m != nil {
			add(m[1], m[2], m[3], v)
		}
	}
	for _, m := range traitLine.FindAllStringSubmatch(unescape.Replace(text), -1) {
		add(m[1], m[2], "", strings.Trim(strings.TrimSpace(m[3]), `"'`))
	}
	for key, values := range t.set {
		t.set[key] = sortedSet(values)
	}
	return t
}

// value returns what counts of a trait: as it is set, or else as its rule says.
func (t traits) value(r traitRule, key string) []string {
	if values, set := t.set[key]; set {
		return values
	}
	_, trait, _ := strings.Cut(key, ".")
	typed := ""
	if r.typed != "" {
		typed = chartValue(t.leaves, r.typed, "")
	}
	if typed = traitValue(trait, typed, ""); typed == "" {
		typed = traitValue(trait, r.preset, "")
	}
	if typed == "" {
		return nil
	}
	return []string{typed}
}

// traitValue returns a value of a trait in the one way to write it that is compared; ""
// is what the program has by itself.
func traitValue(trait, value, own string) string {
	switch lower := strings.ToLower(value); lower {
	case "true", "false":
		return lower
	case "null", "~", "none":
		return ""
	}
	switch {
	case trait == "namespace" && value == own:
		return ""
	case trait == "base_url" && value != "":
		return strings.TrimSuffix("/"+strings.Trim(value, "/"), "/") + "/"
	case trait == "spawner_class" && (value == "kubespawner" || value == "kubespawner.spawner.KubeSpawner"):
		return "kubespawner.KubeSpawner"
	case trait == "component_label" && value == userServer:
		return ""
	case trait == "pvc_name_template":
		return homeValue(map[string]string{".x": value}, "x", "")
	}
	return value
}

// userServer is the component that charts label user servers with.
const userServer = "singleuser-server"

// secretText returns one text that a Secret or ConfigMap carries, "" without.
func secretText(o resource.Object, key string) string {
	for _, at := range []string{"data", "stringData"} {
		v, _ := o.Value(at, key)
		if text, isText := resource.Reveal(v).(string); isText {
			return decoded(text)
		}
	}
	return ""
}
