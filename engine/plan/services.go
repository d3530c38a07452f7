package plan

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A hub's own services may cull, too, and the hub itself may delete users.

// deletesUsers says that a hub deletes users when it starts who may not log in, in two
// texts of values.
func deletesUsers(before, after string) []string {
	const trait = "delete_invalid_users"
	deletes := func(text string) bool {
		for key, values := range traitsOf(text, "").set {
			if strings.HasSuffix(key, "Authenticator."+trait) && slices.Contains(values, "true") {
				return true
			}
		}
		return false
	}
	if !deletes(after) || deletes(before) && (deletesClaims(leaves(before)) || !deletesClaims(leaves(after))) {
		return nil
	}
	said := "the hub deletes the users who may not log in when it starts (Authenticator." + trait + ")"
	if deletesClaims(leaves(after)) {
		said += claimsToo
	}
	return []string{said}
}

var (
	serviceWord  = regexp.MustCompile(`^\.(?:jupyterhub\.)?(hub\.services\.[^.\[]+|hub\.config\.JupyterHub\.services\[\d+\])\.command\[(\d+)\]$`)
	cullerModule = regexp.MustCompile(`idle[_-]culler|cull[_-]idle`)
)

// serviceCullers returns what the services of a hub that cull are set to, by their path.
func serviceCullers(values map[string]string) map[string]culler {
	words := make(map[string]map[int]string)
	for path, v := range values {
		if m := serviceWord.FindStringSubmatch(path); m != nil {
			if words[m[1]] == nil {
				words[m[1]] = make(map[int]string)
			}
			n, _ := strconv.Atoi(m[2]) // digits
			words[m[1]][n] = v
		}
	}
	all := make(map[string]culler)
	for service, numbered := range words {
		var command []string
		for _, n := range slices.Sorted(maps.Keys(numbered)) {
			command = append(command, strings.Fields(numbered[n])...)
		}
		if cullerModule.MatchString(strings.Join(command, " ")) {
			all[service] = commandCuller(command, deletesClaims(values))
		}
	}
	return all
}

// commandCuller reads the options of jupyterhub-idle-culler.
func commandCuller(command []string, claims bool) culler {
	options := make(map[string]string)
	for i, word := range command {
		key, value, has := strings.Cut(word, "=")
		if !has && i+1 < len(command) && !strings.HasPrefix(command[i+1], "-") {
			value = command[i+1]
		}
		options[strings.ReplaceAll(strings.TrimLeft(key, "-"), "_", "-")] = value
	}
	seconds := func(option string, byItself float64) float64 {
		value, set := options[option]
		if !set {
			return byItself
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return math.NaN()
		}
		return n
	}
	is := func(option string, byItself bool) bool {
		value, set := options[option]
		return set && strings.ToLower(value) != "false" || !set && byItself
	}
	c := culler{
		timeout: seconds("timeout", 600), maxAge: seconds("max-age", 0), admins: is("cull-admin-users", true), users: is("cull-users", false),
		removesNamed: is("remove-named-servers", false), deletesClaims: claims,
	}
	if c.every = seconds("cull-every", 0); c.every == 0 {
		c.every = c.timeout / 2
	}
	if c.maxAge == 0 {
		c.maxAge = math.Inf(1)
	}
	return c
}

// servicesCull says which sessions the services of a hub end that they would have left
// alone, in two texts of values. A service that comes ends what its hub's culler left.
func servicesCull(before, after string) []string {
	was, is := serviceCullers(leaves(before)), serviceCullers(leaves(after))
	var said []string
	for service, c := range is {
		old, had := was[service]
		if !had {
			old = cullerOf(leaves(before))
		}
		for _, what := range endsSooner(old, c) {
			said = append(said, what+" ("+service+")")
		}
	}
	return sortedSet(said)
}
