package modules

import (
	"bufio"
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed versions
var versions embed.FS

// VersionsName is how diagnostics call the folder of [Versions].
const VersionsName = "builtin:versions"

// Versions returns the folder with the list of chart versions that are known to
// be bad, in HCL.
func Versions() fs.FS {
	folder, err := fs.Sub(versions, "versions")
	if err != nil {
		panic(fmt.Sprintf("modules: the embedded folder versions cannot be opened: %v", err))
	}
	return folder
}

// JupyterHubs returns the version of JupyterHub in each release of the jupyterhub
// chart, by version of the chart.
func JupyterHubs() map[string]string {
	text, err := fs.ReadFile(versions, "versions/jupyterhub.txt")
	if err != nil {
		panic(fmt.Sprintf("modules: the embedded list of JupyterHub's releases cannot be read: %v", err))
	}
	hubs := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		chart, app, found := strings.Cut(lines.Text(), " ")
		if found && !strings.HasPrefix(chart, "#") {
			hubs[chart] = app
		}
	}
	return hubs
}
