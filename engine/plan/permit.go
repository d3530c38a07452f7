package plan

import (
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// keepKinds are the kinds that hold what cannot be made again; a plan deletes
// one only when it was named itself.
var keepKinds = map[string]string{
	"PersistentVolumeClaim":    "persistent volume claims are deleted only by name",
	"PersistentVolume":         "persistent volumes are deleted only by name",
	"Namespace":                "namespaces are deleted only by name",
	"CustomResourceDefinition": "custom resource definitions are deleted only by name",
}

// backupWords end the names of kinds that hold copies of people's work, whoever's custom
// resources they are: VolumeSnapshot, VolumeSnapshotContent, Backup, ScheduledBackup.
var backupWords = []string{"Snapshot", "SnapshotContent", "Backup"}

// keptKind returns why what is of a kind is deleted only when it was named itself.
func keptKind(id resource.ID) (reason string, keep bool) {
	if reason, keep = keepKinds[id.Kind]; keep {
		return reason, true
	}
	if slices.ContainsFunc(backupWords, func(word string) bool { return strings.HasSuffix(id.Kind, word) }) {
		return "snapshots and backups are deleted only by name", true
	}
	return "", false
}

// isCustom reports whether a group is one that custom resources have: Kubernetes's own
// that have a dot are those in kubernetesGroups.
func isCustom(id resource.ID) bool {
	return strings.Contains(id.Group, ".") && !slices.Contains(kubernetesGroups, id.Group)
}

var kubernetesGroups = []string{
	"admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "authentication.k8s.io", "authorization.k8s.io",
	"certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "flowcontrol.apiserver.k8s.io", "networking.k8s.io",
	"node.k8s.io", "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
}

// permit returns the changes that may be made. Deletions that may not be become
// [Kept], other changes [Refused], and so is what a way back leaves of a hub.
func (b *builder) permit(changes []resource.Change) []resource.Change {
	var permitted []resource.Change
	for _, c := range changes {
		switch reason := b.objection(&c); {
		case reason == "":
			permitted = append(permitted, c)
		case c.Action == resource.Delete && !b.insists(&c, reason):
			b.plan.Kept = append(b.plan.Kept, Kept{ID: c.ID, Address: c.Address, Reason: reason})
		default:
			b.plan.Refused = append(b.plan.Refused, Refused{ID: c.ID, Address: c.Address, Reason: reason, Origin: c.Origin})
		}
	}
	b.undeclared()
	return permitted
}

// objection returns why c may not be made, or "".
func (b *builder) objection(c *resource.Change) string {
	if reason := b.losesClaims(c); reason != "" {
		return reason
	}
	if reason := b.hubReason(c); reason != "" && c.Action != resource.Delete {
		return reason
	}
	switch {
	case c.Action == resource.Create:
		return b.startsEmpty(c)
	case c.Action == resource.Delete:
		return b.keepReason(c)
	case c.Action == resource.Replace && c.Before != nil:
		return b.replaceReason(c)
	case c.Action == resource.Update && isPool(c.ID):
		return b.rollingReason(c)
	}
	return ""
}

// keepReason returns why an object that is wanted no more is kept, or "".
func (b *builder) keepReason(c *resource.Change) string {
	itself := slices.Contains(b.Delete, c.ID.String()) || c.Address.Object != "" && slices.Contains(b.Delete, c.Address.String())
	if reason := b.protection(c); reason != "" {
		return reason
	}
	if reason := b.keepBackup(c); b.Back && reason != "" {
		return reason
	}
	if reason, keep := keptKind(c.ID); keep && !itself {
		return reason
	}
	if reason := b.keptSecret(c); reason != "" && !itself {
		return reason
	}
	_, wanted := b.blocks[c.Address.Block()]
	if isPool(c.ID) {
		return b.keepPool(c, wanted)
	}
	return b.hubReason(c)
}

// keepPool keeps a pool while user servers run on it.
func (b *builder) keepPool(c *resource.Change, wanted bool) string {
	users := b.sessionsOn(c.ID)
	if wanted {
		c.Notes = append(c.Notes, "old shape of "+c.Address.Block().String())
	}
	switch {
	case b.Census[c.ID.Cluster].PoolsUnknown != "":
		return "user servers on it cannot be counted: " + b.Census[c.ID.Cluster].PoolsUnknown
	case users == 0:
		return ""
	case wanted:
		return fmt.Sprintf("old pool of %s: %s still on it", c.Address.Block(), servers(users))
	case !b.named(c.Address, c.ID):
		return fmt.Sprintf("%s still on it: name %s to delete it all the same", servers(users), c.Address.Block())
	}
	return ""
}

// replaceReason objects to deleting and making anew what holds people's work.
func (b *builder) replaceReason(c *resource.Change) string {
	if b.observed[c.ID].Desired.Protected || b.protection(c) != "" {
		return "protected, and cannot be changed in place: " + strings.Join(b.observed[c.ID].Replace, ", ")
	}
	_, keep := keptKind(c.ID)
	if keep = keep || holdsSecret(c) && b.isRendered(c.Address); keep && !slices.Contains(b.Delete, c.Address.String()) && !slices.Contains(b.Delete, c.ID.String()) {
		return "would have to be deleted and made anew: " + strings.Join(b.observed[c.ID].Replace, ", ")
	}
	return ""
}

// rollingReason objects to a change that makes every node of a pool anew while
// user servers run on them.
func (b *builder) rollingReason(c *resource.Change) string {
	if poolClass(c.Fields) < resource.ClassNodeRolling {
		return ""
	}
	if unknown := b.Census[c.ID.Cluster].PoolsUnknown; unknown != "" {
		return "would make its nodes anew, and user servers on them cannot be counted: " + unknown
	}
	users := b.sessionsOn(c.ID)
	if users == 0 || b.named(c.Address, c.ID) {
		return ""
	}
	return fmt.Sprintf("would make its nodes anew with %s on them", servers(users))
}

// servers says how many user servers.
func servers(n int) string {
	if n == 1 {
		return "1 user server"
	}
	return fmt.Sprintf("%d user servers", n)
}

func (b *builder) sessionsIn(id resource.ID) int {
	if id.Namespace == "" {
		return 0
	}
	return b.Census[id.Cluster].PerNamespace[id.Namespace]
}

// sessionsOf returns how many user servers run where a block that is wanted no
// more has objects: they keep all of it, what belongs to no namespace too.
func (b *builder) sessionsOf(block resource.Address) int {
	if b.gone == nil {
		b.gone = make(map[resource.Address]int)
		for _, l := range b.orphans {
			gone := l.Address.Block()
			b.gone[gone] = max(b.gone[gone], b.sessionsIn(l.ID))
		}
	}
	return b.gone[block]
}

// uncounted returns why it is not known how many user servers run where a block that is
// wanted no more has objects, or "".
func (b *builder) uncounted(block resource.Address) string {
	for id, l := range b.orphans {
		census := b.Census[id.Cluster]
		if _, isCounted := census.PerNamespace[id.Namespace]; l.Address.Block() == block && id.Namespace != "" && !isCounted && census.Unknown != "" {
			return census.Unknown
		}
	}
	return ""
}

func (b *builder) sessionsOn(pool resource.ID) int {
	return b.Census[pool.Cluster].PerPool[pool.Name]
}

func isPool(id resource.ID) bool { return id.Kind == resource.KindNodePool }
