package plan

import (
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// databaseFrom names the volume claim that a hub's pods keep their database on, ""
// when they mount none: then it is elsewhere, or nowhere.
func databaseFrom(o resource.Object) string {
	claim, has := databaseClaim(o)
	if !has {
		return "no volume claim"
	}
	where := "volume claim " + text(asMap(claim.volume["persistentVolumeClaim"])["claimName"])
	if path := text(claim.mount["subPath"]); path != "" {
		where += ", folder " + path
	}
	return where
}

// otherDatabase says that a hub starts with another database.
func otherDatabase(was, is string) string {
	return fmt.Sprintf("the hub starts with another database (%s → %s): what the old one knows of users, tokens and running servers is not in it", was, is)
}

// databaseValues are the chart values that say which database a hub has. Those for its
// password or how it is upgraded do not, and claims are seen on the hub's pods.
var databaseValues = []string{"hub.db.type", "hub.db.url"}

// databaseKeys returns the values that name another database in two texts of YAML.
func databaseKeys(before, after string) []string {
	was, is := leaves(before), leaves(after)
	var keys []string
	for _, path := range [][2]map[string]string{{was, is}, {is, was}} {
		for key, v := range path[0] {
			inner := strings.TrimPrefix(strings.TrimPrefix(key, "."), "jupyterhub.")
			if slices.Contains(databaseValues, inner) && path[1][key] != v {
				keys = append(keys, inner)
			}
		}
	}
	return sortedSet(keys)
}
