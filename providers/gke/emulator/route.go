package emulator

import (
	"net/http"
	"strings"
)

// A routed request is one whose path was taken apart.
type routed struct {
	cluster ClusterRef // Name is empty for requests on a location
	name    string     // of the node pool or operation
	fault   *Fault     // that is to shape the operation, if any
	handle  func(*Server, *routed, *http.Request) (any, *refusal)
}

type pattern struct {
	method, kind, verb string
}

var routes = map[pattern]func(*Server, *routed, *http.Request) (any, *refusal){
	{"GET", "clusters", ""}:                (*Server).listClusters,
	{"POST", "clusters", ""}:               (*Server).createCluster,
	{"GET", "cluster", ""}:                 (*Server).readCluster,
	{"PUT", "cluster", ""}:                 (*Server).updateCluster,
	{"DELETE", "cluster", ""}:              (*Server).deleteCluster,
	{"GET", "nodePools", ""}:               (*Server).listPools,
	{"POST", "nodePools", ""}:              (*Server).createPool,
	{"GET", "nodePool", ""}:                (*Server).readPool,
	{"PUT", "nodePool", ""}:                (*Server).updatePool,
	{"DELETE", "nodePool", ""}:             (*Server).deletePool,
	{"POST", "nodePool", "setAutoscaling"}: (*Server).setAutoscaling,
	{"POST", "nodePool", "setManagement"}:  (*Server).setManagement,
	{"POST", "nodePool", "setSize"}:        (*Server).setSize,
	{"GET", "operations", ""}:              (*Server).listOperations,
	{"GET", "operation", ""}:               (*Server).readOperation,
	{"POST", "operation", "cancel"}:        (*Server).cancelOperation,
}

// route takes a path apart; handle is nil when there is nothing there.
func route(method, path string) routed {
	var rt routed
	path, found := strings.CutPrefix(path, "/v1/")
	if !found {
		return rt
	}
	verb := ""
	if i := strings.LastIndexByte(path, ':'); i > strings.LastIndexByte(path, '/') {
		path, verb = path[:i], path[i+1:]
	}
	parts := strings.Split(path, "/")
	if len(parts) < 5 || len(parts) > 8 || parts[0] != "projects" || parts[2] != "locations" {
		return rt
	}
	rt.cluster.Project, rt.cluster.Location = parts[1], parts[3]
	rest := parts[4:]
	kind := rest[0]
	switch {
	case kind == "clusters" && len(rest) > 1:
		rt.cluster.Name = rest[1]
		kind = "cluster"
		if len(rest) > 2 && rest[2] == "nodePools" {
			kind = "nodePools"
		} else if len(rest) > 2 {
			return rt
		}
		if len(rest) == 4 {
			kind, rt.name = "nodePool", rest[3]
		}
	case kind == "operations" && len(rest) == 2:
		kind, rt.name = "operation", rest[1]
	case len(rest) != 1:
		return rt
	}
	rt.handle = routes[pattern{method, kind, verb}]
	return rt
}
