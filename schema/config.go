// Package schema is the language: it turns files into a typed [Config], or into
// diagnostics that point at the lines to mend.
//
// Place in the pipeline: first. Everything is evaluated here — variables, locals,
// for_each, references, functions, modules — because nothing in hubcap is "known
// after apply". What the values mean for Kubernetes and GKE is engine/expand's.
package schema

import (
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/resource"
)

// Config is what the author wrote, evaluated, with modules flattened and
// for_each unrolled. Blocks are in the order of files and lines.
type Config struct {
	Settings    Settings
	Clusters    []Cluster
	QoSClasses  []QoSClass
	NodePools   []NodePool
	Hubs        []Hub
	RepoLimits  []RepoLimit
	RepoBans    []RepoBan
	ImageCaches []ImageCache
	Charts      []Chart
	Manifests   []Manifest
	Gates       []Gate
	Rollouts    []Rollout
	Guards      []Guard
	Events      []Event
	Outputs     []Output
	Notifies    []Notify
	Policies    []Policy
	KnownBad    []KnownBad
	Moved       []Moved
	Removed     []Removed
	Moments     []Moment

	Given []string // names of the root's variables that got a value from outside of the directory, sorted

	Files     map[string]*hcl.File // by name, for snippets in diagnostics
	Sensitive []resource.Sensitive // values of sensitive variables, and texts made of them, to be found wherever they end up
}

// A Block is what every block has: its address and where it stands.
type Block struct {
	Address resource.Address
	Range   hcl.Range            // of the block's header
	Attrs   map[string]hcl.Range // of each attribute that was set; nested as "local_ssd.count"
}

// At returns where attribute name was set, or the block's header.
func (b Block) At(name string) hcl.Range {
	if r, isSet := b.Attrs[name]; isSet {
		return r
	}
	return b.Range
}

// Settings is the hubcap block. There is at most one.
type Settings struct {
	Block
	Name             string // of this config; owns objects under it
	Origin           string // tells it from other configs of its name: drawn once, kept in the lock file; empty: not drawn yet
	RequiredVersion  string // constraint, "" for any
	FieldManager     string // default "hubcap"
	JournalNamespace string // default "hubcap"
}

// A Cluster is a GKE cluster, or any cluster reached by a kubeconfig.
type Cluster struct {
	Block
	GKE        *GKECluster // nil for kubeconfig only
	Kubeconfig string      // path; empty: the usual rules ($KUBECONFIG, ~/.kube/config)
	Context    string      // empty: the current one
	Identity   string      // pinned UID of kube-system; empty: not pinned
	Prometheus *Prometheus // that gates and guards ask; nil: none
}

// A Prometheus says where a cluster's Prometheus is and how to get in. Either URL
// or Service is set.
type Prometheus struct {
	URL         string
	Service     string             // "namespace/name:port", asked through the API server
	BearerToken resource.Sensitive // "" without
	Username    string             // of basic authentication
	Password    resource.Sensitive
	CA          string // certificates in PEM that the server's is checked against; empty: the system's
}

// A GKECluster names a cluster in the GKE API.
type GKECluster struct {
	Project  string
	Location string // zone or region
	Name     string
	Endpoint string // of the GKE API; empty: Google's
}

// QoSMode is how requests relate to limits.
type QoSMode string

// The QoS modes.
const (
	Guaranteed       QoSMode = "guaranteed"        // requests equal limits, cpu and memory
	MemoryGuaranteed QoSMode = "memory-guaranteed" // memory request equals its limit; cpu bursts
	Burstable        QoSMode = "burstable"
)

// A QoSClass is cpu and memory for one container. Quantities are Kubernetes
// quantities, validated; empty means not set.
type QoSClass struct {
	Block
	Mode          QoSMode
	CPURequest    string
	CPULimit      string
	MemoryRequest string
	MemoryLimit   string
	PriorityClass string
}

// SSDMode is how local SSDs reach the pods.
type SSDMode string

// The SSD modes.
const (
	SSDMounted   SSDMode = "mounted"   // formatted, at /mnt/disks/ssd0 …
	SSDEphemeral SSDMode = "ephemeral" // kubelet's ephemeral storage
	SSDBlock     SSDMode = "block"     // raw NVMe devices
)

// A NodePool is a GKE node pool. What the author left out is nil or empty, and
// then it is GKE's to choose and never a difference. A pool with "like" has the
// other's shape merged in already.
type NodePool struct {
	Block
	Cluster          resource.Address
	Like             resource.Address // zero when not cloned
	MovedFrom        resource.Address // its first address, see Moved; zero: this one
	PoolName         string           // pinned live name; empty: block name and shape digest
	MachineType      string
	ImageType        string
	MinCPUPlatform   string
	DiskType         string
	DiskSizeGB       *int64
	LocalSSD         *LocalSSD
	Autoscaling      *Autoscaling
	InitialNodes     *int64
	Locations        []string
	Labels           map[string]string
	Taints           []Taint
	Tags             []string
	ResourceLabels   map[string]string
	Metadata         map[string]string
	OAuthScopes      []string
	ServiceAccount   string
	Spot             *bool
	MaxPodsPerNode   *int64
	AutoRepair       *bool
	AutoUpgrade      *bool
	MaxSurge         *int64
	MaxUnavailable   *int64
	WorkloadMetadata string // GCE_METADATA or GKE_METADATA
	Until            *time.Time
	Protected        bool
}

// LocalSSD is how many local SSDs a node has, and how they are used.
type LocalSSD struct {
	Count int64
	Mode  SSDMode
}

// Autoscaling bounds a pool. Min and Max count nodes per zone, or in all zones
// when Total is set.
type Autoscaling struct {
	Min, Max       int64
	Total          bool
	LocationPolicy string // BALANCED or ANY; empty: GKE's
}

// A Taint is a node taint; Effect is spelt as Kubernetes spells it.
type Taint struct {
	Key, Value, Effect string
}

// HubType tells a JupyterHub from a BinderHub.
type HubType string

// The hub types.
const (
	JupyterHub HubType = "jupyterhub"
	BinderHub  HubType = "binderhub"
)

// A Hub is one JupyterHub or BinderHub.
type Hub struct {
	Block
	Type         HubType
	Cluster      resource.Address
	Namespace    string
	Release      string
	Chart        ChartSource
	ValuesRoot   string // dotted key under which the typed attributes land; empty: the top
	ValuesFiles  []ValuesFile
	Values       map[string]any // the author's own, last; values as in resource.Object
	Labels       map[string]string
	URL          string            // public address, for gates and people
	Images       map[string]string // component ("hub", "proxy", "binder", "singleuser") → image reference
	QoS          map[string]QoSRef // component → class; "user" is the user's server
	NodePools    map[string]resource.Address
	Culling      *Culling
	SpawnLimits  *SpawnLimits
	Limits       *Limits
	Routing      *Routing
	BuildSlots   *BuildSlots
	ImageCleaner *ImageCleaner
	Profiles     []any // kubespawner profile list, as is

	DatabaseBackup DatabaseBackup // before the database is upgraded; empty: by a Job where that can be

	Protected bool
	Adopt     bool // takes over objects that exist already, see Manifest
}

// A QoSRef is a reference to a qos_class block, resolved.
type QoSRef struct {
	Class QoSClass
	Range hcl.Range
}

// A ChartSource says where a chart comes from.
type ChartSource struct {
	Source     string // "builtin:binderhub", "./charts/x", "x.tgz", "oci://host/charts/x", the URL of an archive, or a name in Repository
	Repository string // "https://host/charts" or "oci://host/charts"; empty: Source says it all
	Version    string // constraint; empty: what is there
	Nulls      string // "helm4"; empty or "helm3": a null in a chart's own values deletes a default
	Dir        string // directory of the file that named it: relative paths start there

	Fetched *FetchedChart // of a remote chart; nil until someone has fetched it
}

// A FetchedChart is the archive of a remote chart.
type FetchedChart struct {
	Digest  string // "sha256:…"
	Archive []byte // the .tgz; never changed
}

// Remote returns where a chart that has to be fetched lies: a name in a
// repository, or the URL of an archive and no repository.
func (s ChartSource) Remote() (repository, name string, isRemote bool) {
	switch {
	case s.Repository != "":
		return s.Repository, s.Source, true
	case strings.HasPrefix(s.Source, "oci://"):
		i := strings.LastIndexByte(s.Source, '/')
		return s.Source[:i], s.Source[i+1:], true
	}
	return "", s.Source, strings.HasPrefix(s.Source, "https://") || strings.HasPrefix(s.Source, "http://")
}

// A ValuesFile is chart values from a YAML file, or from what a command printed,
// decoded.
type ValuesFile struct {
	Path   string // of a command: "what sops prints"
	Values map[string]any
	Secret bool // every text in Values is a [resource.Sensitive]
}

// Culling says when idle servers are stopped.
type Culling struct {
	Enabled     *bool
	Timeout     time.Duration // zero: not set
	Every       time.Duration
	MaxAge      time.Duration
	Concurrency *int64
	Users       *bool
}

// SpawnLimits bounds how servers start.
type SpawnLimits struct {
	Concurrent          *int64
	Active              *int64
	ConsecutiveFailures *int64
	StartTimeout        time.Duration
}

// Limits bounds a BinderHub's sessions.
type Limits struct {
	PerRepo       *int64
	PerRepoHigher *int64
	Total         *int64
}

// Routing says where requests for no running server go.
type Routing struct {
	DefaultRoute string // "hub" or "not-found"
	NotFoundURL  string // of the service that answers them
	ErrorURL     string // of the service that words the proxy's errors
}

// BuildSlots bounds a BinderHub's builds.
type BuildSlots struct {
	Concurrent *int64 // per replica of the binder
	Replicas   *int64
	MaxAge     time.Duration
	NodePool   resource.Address // zero: anywhere
	HostLibDir string           // of docker or podman on the node
}

// ImageCleaner says when images are removed from the nodes that build.
type ImageCleaner struct {
	Enabled       *bool
	ThresholdType string // "relative" (percent) or "absolute" (bytes)
	ThresholdHigh *int64
	ThresholdLow  *int64
	Interval      time.Duration
	Delay         time.Duration
	Cordon        *bool
}

// A RepoMatch names repositories as BinderHub's own matching does: a regular
// expression, anchored at the start, without regard to case, against
// "user/repo/ref".
type RepoMatch struct {
	Provider string // "github", "gist", "git", "gitlab", "zenodo", "figshare", "hydroshare", "dataverse", "ckan"
	Pattern  string
}

// A RepoLimit bounds the sessions of the repositories it matches.
type RepoLimit struct {
	Block
	Hubs     []resource.Address
	Match    RepoMatch
	Sessions int64
	Until    *time.Time
	Reason   string
}

// A RepoBan refuses to launch the repositories it matches.
type RepoBan struct {
	Block
	Hubs   []resource.Address
	Match  RepoMatch
	Until  *time.Time
	Reason string
}

// An ImageCache says where built images go and what builds them.
type ImageCache struct {
	Block
	Hub        resource.Address
	Prefix     string
	BuildImage string
}

// A Chart is any other Helm chart.
type Chart struct {
	Block
	Cluster     resource.Address
	Namespace   string
	Release     string
	Chart       ChartSource
	ValuesFiles []ValuesFile
	Values      map[string]any
	Adopt       bool // takes over objects that exist already, see Manifest
}

// A Manifest is any other objects.
type Manifest struct {
	Block
	Cluster   resource.Address
	Namespace string // for objects that name none
	Objects   []resource.Object
	Adopt     bool // takes over objects that exist already and that nobody else claims
}

// A Rollout says in which order blocks are changed and what is checked.
type Rollout struct {
	Block
	Order       [][]resource.Address // waves of blocks; blocks not named come last
	Names       []string             // of the waves, one each; an empty one is made of the blocks
	Components  []string             // in this order within a block
	MaxParallel int64                // blocks of a wave at once; zero: one
	Gates       []resource.Address
	Guards      []resource.Address
	StepTimeout time.Duration
	OnFailure   string // "rollback" or "stop"
	Rollback    string // "component", "wave" or "run"
	Batch       bool   // the components of a block in one step
	Bisect      bool   // when a batch fails on the first wave, find out by whose fault
}

// An Output is a value shown after plan and apply.
type Output struct {
	Block
	Value       any
	Description string
	Sensitive   bool
}
