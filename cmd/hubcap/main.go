// Command hubcap is plan and apply for JupyterHub and BinderHub on Kubernetes and
// GKE.
//
// Place in the pipeline: its mouth; all it does is in cmd/internal/cli.
package main

import (
	"os"
	"runtime/debug"

	"hubcap/cmd/internal/cli"
)

func main() {
	collectLess()
	os.Exit(cli.Main())
}

// collectLess lets garbage grow to four times what is in use, while that is
// little: most of what is made while charts are rendered lives until the end, and
// looking at it again and again takes a third of the processor's time. GOGC and
// GOMEMLIMIT have the last word.
func collectLess() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(2 << 30)
	}
}
