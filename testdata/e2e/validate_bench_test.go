//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hubcap/modules"
)

// BenchmarkValidate checks a config of 50 binders, as a ratio of processor time to
// helm template of the same chart, once for each of them.
func BenchmarkValidate(b *testing.B) {
	const hubs = 50
	hubcap, helm := os.Getenv("HUBCAP_BIN"), os.Getenv("HUBCAP_HELM")
	if hubcap == "" || helm == "" {
		b.Skip("HUBCAP_BIN and HUBCAP_HELM are not set (make bench does)")
	}
	dir := b.TempDir()
	var config strings.Builder
	config.WriteString("hubcap {\n  name = \"large\"\n}\n\ncluster \"main\" {\n  kubeconfig = \"none\"\n}\n")
	for i := range hubs {
		fmt.Fprintf(&config, "hub \"h%[1]d\" {\n  cluster   = cluster.main\n  namespace = \"h%[1]d\"\n  chart     = \"builtin:binderhub\"\n}\n", i)
	}
	if err := os.WriteFile(filepath.Join(dir, "hubs.hcl"), []byte(config.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	files, err := modules.Chart("binderhub")
	if err != nil {
		b.Fatal(err)
	}
	chart := filepath.Join(b.TempDir(), "binderhub")
	if err := os.CopyFS(chart, files); err != nil {
		b.Fatal(err)
	}
	var ours, theirs time.Duration
	for b.Loop() {
		ours += processorTime(b, hubcap, "validate", "--chdir", dir)
		b.StopTimer()
		for i := range hubs {
			theirs += processorTime(b, helm, "template", fmt.Sprintf("h%d", i), chart, "--kube-version", "v1.36.3")
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(ours)/float64(theirs), "×helm")
	b.ReportMetric(ours.Seconds()/float64(b.N), "cpu-s/op")
}

// processorTime runs a program and returns how long it kept processors busy.
func processorTime(b *testing.B, program string, args ...string) time.Duration {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), program, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v: %s", filepath.Base(program), err, out)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}
