package resource

// Places are where user servers are counted.
type Places struct {
	Namespaces []string
	Pools      bool // on the nodes of each GKE node pool, too
	Carriers   bool // and what hubs cannot do without on these nodes
}

// A Census is how many user servers run where, when it was taken.
type Census struct {
	Sessions     int            // in the namespaces that were asked for
	PerNamespace map[string]int // namespace → user servers
	PerPool      map[string]int // live name of a GKE node pool → user servers on its nodes
	PoolsUnknown string         `json:",omitempty"` // why nobody was counted on the pools although it was asked for

	// Unknown says why a count failed: nothing is known of the namespaces that
	// PerNamespace does not have.
	Unknown string `json:",omitempty"`

	// Carriers are the pods on a GKE node pool, by its live name, that hubs cannot do
	// without. nil: nobody looked.
	Carriers map[string][]Carrier `json:",omitempty"`
}

// A Carrier is a pod that a hub cannot do without.
type Carrier struct {
	Namespace string
	Component string // as the charts label it: "hub", "proxy"
}
