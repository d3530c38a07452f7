package resource

// A Census is how many user servers run where, when it was taken.
type Census struct {
	Sessions     int            // all of them
	PerNamespace map[string]int // namespace → user servers
	PerPool      map[string]int // live name of a GKE node pool → user servers on its nodes
}
