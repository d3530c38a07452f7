//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestSensitiveVariable runs every command on a hub whose administrator's password
// is a variable. The world's end looks for it in all that was written and said.
func TestSensitiveVariable(t *testing.T) {
	w := newWorld(t, "class", "hubcap", copyExample(t, "kubeconfig-only"))
	first, second := "Xylophon-47-Quittung", "Zitronenfalter-93-Amboss"
	w.hidden = []string{first, second}
	with := func(password string, args ...string) []string {
		return append(args, "--var=admin_password="+password)
	}
	w.hubcap(reader, 2, with(first, "plan", "--detailed-exitcode", "-v")...)
	w.hubcap(applier, 0, with(first, "apply", "--auto-approve", "-v")...)
	w.hubcap(reader, 0, with(first, "plan", "--detailed-exitcode")...)

	file := filepath.Join(w.dir, "change.plan")
	w.hubcap(reader, 2, with(second, "plan", "--detailed-exitcode", "-v", "--out="+file)...).has(t, "secret#")
	for _, format := range []string{"json", "markdown"} {
		w.hubcap(reader, 0, with(second, "plan", "-v", "-o", format)...)
		w.hubcap(reader, 0, "show", "-v", "-o", format, file)
	}
	w.hubcap(reader, 0, with(second, "drift")...)
	w.hubcap(reader, 0, with(second, "status")...)
	w.unchanged(func() { // the file was made with another password than this one
		w.hubcap(applier, 7, with(first, "apply", file)...)
	})
	w.hubcap(applier, 0, with(second, "apply", "-v", file)...)
	w.hubcap(reader, 0, with(second, "plan", "--detailed-exitcode")...)
	values := kubectl(t, "-n", "class", "get", "secret", "hub", "-o", "go-template={{range .data}}{{. | base64decode}}{{end}}")
	if !strings.Contains(values, second) {
		t.Error("the hub's Secret does not hold the password: the test would look for nothing")
	}
	w.hubcap(applier, 0, with(second, "rollback", "--auto-approve", "-v")...)
	w.hubcap(reader, 0, with(first, "plan", "--detailed-exitcode")...)
	kubectl(t, "-n", "class", "patch", "secret", "hub", "--type=merge", "-p", `{"stringData":{"extra":"by-hand-only"}}`)
	kubectl(t, "-n", "class", "annotate", "secret", "hub", "hubcap.dev/address=elsewhere", "--overwrite")
	w.hubcap(reader, 2, with(first, "drift", "-o", "json")...)
	for _, format := range []string{"text", "json"} {
		w.hubcap(reader, 0, with(first, "history", "-v", "-o", format)...)
		w.hubcap(reader, 0, with(first, "history", w.runs()[0].ID, "-v", "-o", format)...)
	}
}
