package plan

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hubcap/engine/resource"
)

// BackupComponent is the name of the component that a backup of a hub's database
// is.
const BackupComponent = "database-backup"

// AnnotationBackup marks the Job of a backup, and says which file it makes. Such a
// Job is no object of the config: Kubernetes removes it after a while.
const AnnotationBackup = "hubcap.dev/backup"

// annotationRestore holds the commands that bring the backup back.
const annotationRestore = "hubcap.dev/restore"

// Where JupyterHub's chart keeps the database of a hub.
const (
	databaseDir  = "/srv/jupyterhub"
	databaseFile = "jupyterhub.sqlite"
)

// How long the Job of a backup may take, and stays when it has ended. Its file
// stays until somebody removes it.
const (
	backupTimeout = 30 * time.Minute
	backupKept    = 7 * 24 * time.Hour
)

//go:embed backup.py
var backupScript string

// backups puts a backup before every hub that upgrades its database. Where none
// can be made the hub's step is held, until somebody says that there is one.
func (b *builder) backups(changes []resource.Change) []resource.Change {
	if b.Back && !b.Asked {
		return changes
	}
	for i := range changes {
		c := &changes[i]
		m, migrates := b.migrationOf(c)
		if !migrates || c.Class != resource.ClassOneWay {
			continue
		}
		block := c.Address.Block()
		if m.back {
			b.mustBeSaid(c, m.words()+", then override this")
			continue
		}
		claim, isFile := databaseClaim(c.Before)
		switch {
		case slices.Contains(b.ByHand, block):
			b.mustBeSaid(c, m.words()+". Its database is backed up by hand (database_backup): back it up, then override this")
		case !isFile:
			b.mustBeSaid(c, m.words()+". Its database is none that hubcap can copy: back it up, then override this")
		default:
			job := b.backup(c, claim)
			c.Needs = append(slices.Clone(c.Needs), job.ID)
			c.Notes = append(c.Notes, fmt.Sprintf("to go back after it, the commands are in: kubectl -n %s get job %s -o jsonpath='{.metadata.annotations.hubcap\\.dev/restore}'",
				job.ID.Namespace, job.ID.Name))
			changes = append(changes, job)
		}
	}
	return changes
}

// OneWay names the verdict that a step of a block has no way back.
func OneWay(block resource.Address) string { return "one_way." + block.String() }

// mustBeSaid notes a verdict of hubcap's own, which holds the step of c.
func (b *builder) mustBeSaid(c *resource.Change, text string) {
	b.said = append(b.said, Verdict{
		Name: OneWay(c.Address.Block()), Level: Hold, About: c.Address.Block(), Text: text, Origin: c.Origin,
	})
}

// A claimed is the volume of a claim, as the hub's container mounts it.
type claimed struct {
	volume, mount map[string]any
}

// databaseClaim returns where a hub keeps its database, when that is a file on a
// volume claim.
func databaseClaim(o resource.Object) (claimed, bool) {
	for _, container := range containers(o) {
		if container["name"] != hubComponent {
			continue
		}
		for _, mount := range elements(container["volumeMounts"]) {
			if path, _ := mount["mountPath"].(string); strings.TrimRight(path, "/") != databaseDir {
				continue
			}
			for _, volume := range elements(podSpec(o)["volumes"]) {
				if volume["name"] == mount["name"] && volume["persistentVolumeClaim"] != nil {
					return claimed{volume: volume, mount: mount}, true
				}
			}
		}
	}
	return claimed{}, false
}

// backup returns the Job that copies the database of the hub that c upgrades. It
// runs the image that the hub runs, which is on the node, and beside the hub: a
// volume that only one node can attach is attached there.
func (b *builder) backup(c *resource.Change, claim claimed) resource.Change {
	stamp := b.Created.UTC().Format("20060102-150405")
	file := databaseFile + ".hubcap-" + stamp
	block := c.Address.Block()
	id := resource.ID{Cluster: c.ID.Cluster, Group: "batch", Kind: "Job", Namespace: c.ID.Namespace, Name: "hub-database-backup-" + stamp}
	address := block
	address.Object = "Job/" + id.Name
	labels := map[string]any{"app.kubernetes.io/managed-by": "hubcap", "app.kubernetes.io/component": BackupComponent}
	job := resource.Object{
		"apiVersion": "batch/v1", "kind": "Job",
		"metadata": map[string]any{
			"name": id.Name, "namespace": id.Namespace, "labels": labels,
			"annotations": map[string]any{AnnotationBackup: file, annotationRestore: restoring(c, claim, file)},
		},
		"spec": map[string]any{
			"backoffLimit":            int64(0),
			"activeDeadlineSeconds":   int64(backupTimeout / time.Second),
			"ttlSecondsAfterFinished": int64(backupKept / time.Second),
			"template": map[string]any{
				"metadata": map[string]any{"labels": maps.Clone(labels)},
				"spec":     b.backupPod(c, claim, file),
			},
		},
	}
	return resource.Change{
		ID: id, Address: address, Component: resource.Component{Block: block, Name: BackupComponent},
		Action: resource.Create, Class: resource.ClassLive, After: job, Origin: c.Origin,
		Notes: []string{fmt.Sprintf("copies %s to %s on the same volume and checks the copy", databaseFile, file)},
	}
}

// inherited is what the pod of a backup has from the hub's: what lets it run on
// the hub's node and read the hub's files.
var inherited = []string{"securityContext", "nodeSelector", "tolerations", "imagePullSecrets", "priorityClassName", "runtimeClassName"}

func (b *builder) backupPod(c *resource.Change, claim claimed, file string) map[string]any {
	hub := podSpec(c.Before)
	container := map[string]any{
		"name": "backup", "image": image(c.Before),
		"command":      []any{"python3", "-c", backupScript, databaseDir + "/" + databaseFile, databaseDir + "/" + file},
		"volumeMounts": []any{resource.CopyValue(claim.mount)},
	}
	for _, own := range containers(c.Before) {
		if own["name"] != hubComponent {
			continue
		}
		for _, key := range []string{"securityContext", "imagePullPolicy"} {
			if v, has := own[key]; has {
				container[key] = resource.CopyValue(v)
			}
		}
	}
	pod := map[string]any{
		"restartPolicy": "Never", "automountServiceAccountToken": false, "enableServiceLinks": false,
		"containers": []any{container}, "volumes": []any{resource.CopyValue(claim.volume)},
	}
	for _, key := range inherited {
		if v, has := hub[key]; has {
			pod[key] = resource.CopyValue(v)
		}
	}
	if selector, has := c.Before.Value("spec", "selector"); has && b.replicas(*c) > 0 {
		term := map[string]any{"labelSelector": resource.CopyValue(selector), "topologyKey": "kubernetes.io/hostname"}
		pod["affinity"] = map[string]any{"podAffinity": map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": []any{term}}}
	}
	return pod
}

// restoring is the commands that bring a backup back, for a shell.
func restoring(c *resource.Change, claim claimed, file string) string {
	pod := map[string]any{
		"containers": []any{map[string]any{
			"name": "restore", "image": image(c.Before), "volumeMounts": []any{claim.mount},
			"command": []any{"cp", databaseDir + "/" + file, databaseDir + "/" + databaseFile},
		}},
		"volumes": []any{claim.volume},
	}
	if v, has := podSpec(c.Before)["securityContext"]; has {
		pod["securityContext"] = v
	}
	overrides, err := json.Marshal(map[string]any{"spec": pod})
	if err != nil {
		panic(fmt.Sprintf("plan: the pod of a restore is not JSON: %v", err))
	}
	var labels []string
	selector, _ := c.Before.Value("spec", "selector", "matchLabels")
	pods, _ := selector.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(pods)) {
		labels = append(labels, fmt.Sprintf("%s=%v", key, pods[key]))
	}
	kubectl := "kubectl -n " + c.ID.Namespace + " "
	return strings.Join([]string{
		"set -e",
		"# stops the hub, and puts the copy in the database's place; sessions go on",
		kubectl + "scale deployment " + c.ID.Name + " --replicas=0",
		kubectl + "wait --for=delete pod --timeout=5m -l " + strings.Join(labels, ","),
		kubectl + "run restore-database --restart=Never --rm -i --image=" + image(c.Before) + " --overrides='" + string(overrides) + "'",
		"# then put the old version into the config, and:",
		"# hubcap apply --override " + OneWay(c.Address.Block()) + "='database restored'",
		"",
	}, "\n")
}

// keepBackup returns why the Job of a backup stays on a way back, or "": it holds the
// commands that bring the database back. One that made no copy goes like anything that
// a run made, unless a person asked for the way back.
func (b *builder) keepBackup(c *resource.Change) string {
	if c.Before.Text("metadata", "annotations", AnnotationBackup) == "" {
		return ""
	}
	copies, _ := b.orphans[c.ID].Object.Value("status", "succeeded")
	if !b.Asked && number(copies) == 0 {
		return ""
	}
	return "it holds the commands that bring the database back, and goes by itself"
}

// withoutBackups leaves the Jobs of earlier backups alone: they go by themselves. Of
// those on a way back, see keepBackup.
func (b *builder) withoutBackups(changes []resource.Change) []resource.Change {
	if b.Back {
		return changes
	}
	return slices.DeleteFunc(changes, func(c resource.Change) bool {
		_, wanted := b.blocks[c.Address.Block()]
		return wanted && c.Action == resource.Delete && c.Before.Text("metadata", "annotations", AnnotationBackup) != ""
	})
}
