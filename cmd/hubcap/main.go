// Command hubcap is plan and apply for JupyterHub and BinderHub on Kubernetes and
// GKE.
//
// Place in the pipeline: its mouth; all it does is in cmd/internal/cli.
package main

import (
	"os"

	"hubcap/cmd/internal/cli"
)

func main() { os.Exit(cli.Main()) }
