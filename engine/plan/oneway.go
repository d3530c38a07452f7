package plan

import (
	"fmt"
	"strings"

	"hubcap/engine/resource"
)

// oneWayFields are fields that the server lets change in one direction, by kind: why
// there is no way back for them.
var oneWayFields = map[string]map[string]string{
	"PersistentVolumeClaim": {
		"spec.resources.requests.storage": "a claim never shrinks",
		"spec.volumeName":                 "a claim stays bound",
	},
	"PersistentVolume": {
		"spec.capacity.storage": "a volume never shrinks",
	},
	"CustomResourceDefinition": {
		"spec.versions": "objects may be stored in the new version by then",
	},
}

// noteOneWay notes the fields of a change that cannot go back. The step it is in goes
// back all the same, but for them.
func noteOneWay(c *resource.Change) {
	if c.Action != resource.Update {
		return
	}
	for path, why := range oneWayFields[c.ID.Kind] {
		for _, f := range c.Fields {
			if f.Path == path || strings.HasPrefix(f.Path, path+".") || strings.HasPrefix(f.Path, path+"[") {
				c.Impact.OneWay = true
				c.Notes = append(c.Notes, fmt.Sprintf("there is no way back for %s: %s", path, why))
				break
			}
		}
	}
}
