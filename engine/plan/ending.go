package plan

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hubcap/engine/resource"
)

// Some changes end sessions, or take homes away, after they were made: by the culler
// that gets them to work, by a hub that ends all servers when it stops, by volumes that
// servers are started without.

// ending returns why sessions end by a change that has its class, or "".
func (b *builder) ending(c *resource.Change) string { return b.endingOf(c, b.live) }

// endingOf is ending where configurations are as at has them before the change.
func (b *builder) endingOf(c *resource.Change, at func(resource.ID) resource.Object) string {
	switch {
	case c.Action == resource.Create:
	case isConfig(c.ID.Kind) && c.Action != resource.Delete:
		if before, after := valuesText(c.Before), valuesText(c.After); before != "" && after != "" {
			return strings.Join(slices.Concat(cullsSooner(before, after), deletesUsers(before, after), servicesCull(before, after)), "; ")
		}
	case isHubWorkload(c) && c.Class >= resource.ClassRestart && cleansUp(c.ID, c.Before, at):
		return "the hub ends every server when it stops (JupyterHub.cleanup_servers)"
	}
	return ""
}

var cleanup = regexp.MustCompile(`cleanup_servers["'\\]*\s*[:=]\s*["'\\]*(?i:true|1|yes|on)\b`)

// live returns an object as it lives, nil when it does not.
func (b *builder) live(id resource.ID) resource.Object {
	if o, wanted := b.observed[id]; wanted && o.Live != nil {
		return o.Live.Object
	}
	return b.orphans[id].Object
}

// wanted returns an object as it is wanted; what nobody asks for is as it lives.
func (b *builder) wanted(id resource.ID) resource.Object {
	if o, wanted := b.observed[id]; wanted {
		return o.Desired.Object
	}
	return b.live(id)
}

// cleansUp reports whether a hub is set to end all servers when it stops: by the
// configurations that its pods read, as at has them.
func cleansUp(hub resource.ID, workload resource.Object, at func(resource.ID) resource.Object) bool {
	for _, ref := range references(workload) {
		if !isConfig(ref.kind) {
			continue
		}
		config := at(resource.ID{Cluster: hub.Cluster, Kind: ref.kind, Namespace: hub.Namespace, Name: ref.name})
		for _, field := range []string{"data", "stringData"} {
			files, _ := config.Value(field)
			for _, file := range asMap(files) {
				if content, isText := resource.Reveal(file).(string); isText && cleanup.MatchString(decoded(content)) {
					return true
				}
			}
		}
	}
	return false
}

// chartValue returns one of the values that JupyterHub's chart carries, on its own or
// below BinderHub's; what is not there, or null, is as the chart has it by itself.
func chartValue(values map[string]string, key, byItself string) string {
	for _, prefix := range []string{".", ".jupyterhub."} {
		if v := values[prefix+key]; v != "" && v != "null" && v != "~" {
			return v
		}
	}
	return byItself
}

// A culler is what the culler of a hub is set to; numbers are seconds.
type culler struct {
	timeout, maxAge, every      float64
	admins, users, removesNamed bool
	deletesClaims               bool // of users and named servers that it deletes
}

// deletesClaims reports whether KubeSpawner deletes the volume claims of users and named
// servers that are deleted: it does unless it is told not to.
func deletesClaims(values map[string]string) bool {
	return chartValue(values, "hub.config.KubeSpawner.delete_pvc", "true") != "false"
}

// cullerOf reads the culler's settings. One that is off waits for ever, and a number
// that cannot be read is none at all.
func cullerOf(values map[string]string) culler {
	if chartValue(values, "cull.enabled", "true") == "false" {
		return culler{timeout: math.Inf(1), maxAge: math.Inf(1), every: math.Inf(1), deletesClaims: deletesClaims(values)}
	}
	seconds := func(key, byItself string) float64 {
		n, err := strconv.ParseFloat(chartValue(values, key, byItself), 64)
		if err != nil {
			return math.NaN()
		}
		return n
	}
	is := func(key, byItself string) bool { return chartValue(values, key, byItself) != "false" }
	c := culler{
		timeout: seconds("cull.timeout", "3600"), maxAge: seconds("cull.maxAge", "0"), every: seconds("cull.every", "600"),
		admins: is("cull.adminUsers", "true"), users: is("cull.users", "false"), removesNamed: is("cull.removeNamedServers", "false"),
		deletesClaims: deletesClaims(values),
	}
	if c.maxAge == 0 {
		c.maxAge = math.Inf(1)
	}
	return c
}

// sooner reports whether a time is, or may be, shorter than it was.
func sooner(was, is float64) bool { return !(is >= was) && !(math.IsNaN(is) && math.IsNaN(was)) }

// cullsSooner says which sessions the culler ends that it would have left alone, in two
// texts of values.
func cullsSooner(before, after string) []string {
	return endsSooner(cullerOf(leaves(before)), cullerOf(leaves(after)))
}

// claimsToo says what goes with a user or a named server that is deleted.
const claimsToo = ", and their volume claims with them (KubeSpawner.delete_pvc)"

// endsSooner says which sessions a culler ends that it would have left alone.
func endsSooner(was, is culler) []string {
	var said []string
	if sooner(was.maxAge, is.maxAge) {
		said = append(said, fmt.Sprintf("sessions older than %s are ended by the culler, in use or not", inWords(is.maxAge)))
	}
	if sooner(was.timeout, is.timeout) {
		said = append(said, fmt.Sprintf("sessions idle longer than %s are ended by the culler", inWords(is.timeout)))
	}
	if sooner(was.every, is.every) {
		said = append(said, fmt.Sprintf("the culler looks every %s: it ends sessions sooner", inWords(is.every)))
	}
	if !was.admins && is.admins {
		said = append(said, "sessions of admins are ended by the culler, too")
	}
	claims := ""
	if is.deletesClaims {
		claims = claimsToo
	}
	now := is.deletesClaims && !was.deletesClaims
	if is.users && (!was.users || now) {
		said = append(said, "users whose servers are ended are deleted by the culler"+claims)
	}
	if is.removesNamed && (!was.removesNamed || now) {
		said = append(said, "named servers are deleted by the culler"+claims)
	}
	return said
}

// inWords says a number of seconds: "2h", "1m30s".
func inWords(seconds float64) string {
	if math.IsNaN(seconds) {
		return "a time that cannot be read"
	}
	text := time.Duration(seconds * float64(time.Second)).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// noHomes is the type of storage with which servers have no home that stays.
const noHomes = "none"

// otherHomes says that new servers start without the homes that there were, in two
// texts of values, or "".
func otherHomes(before, after string) string {
	was, is := leaves(before), leaves(after)
	const storage = "singleuser.storage."
	kind := chartValue(was, storage+"type", "dynamic")
	if kind == noHomes {
		return ""
	}
	keys := map[string]string{"type": "dynamic", "homeMountPath": "/home/jovyan"}
	switch kind {
	case "static":
		keys["static.pvcName"], keys["static.subPath"] = "", "{username}"
	case "dynamic":
		keys["dynamic.pvcNameTemplate"] = ""
	}
	var changed []string
	for key, byItself := range keys {
		a, z := homeValue(was, storage+key, byItself), homeValue(is, storage+key, byItself)
		if a != z {
			changed = append(changed, storage+key)
		}
	}
	if len(changed) == 0 {
		return ""
	}
	return "new servers start without the homes that people have (" + strings.Join(sortedSet(changed), ", ") +
		"): the old ones stay, and are not mounted where they were"
}

// homeValue is a value of the storage; the names that KubeSpawner has given claims by
// itself are one: it finds the old ones.
func homeValue(values map[string]string, key, byItself string) string {
	v := chartValue(values, key, byItself)
	if v == "claim-{username}{servername}" || v == "claim-{escaped_user_server}" {
		return ""
	}
	return v
}
