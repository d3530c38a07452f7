package resource

// A Chart is a Helm chart that a block renders, or one that lies below it and
// takes part.
type Chart struct {
	Address    Address `json:"address"`               // of the block
	Parent     string  `json:"parent,omitempty"`      // the charts above it, outermost first: "mybinder/binderhub"; empty for the block's own
	Chart      string  `json:"chart"`                 // its name: "jupyterhub"
	Version    string  `json:"version"`               // "4.1.0"
	AppVersion string  `json:"app_version,omitempty"` // of what it installs: "5.2.1"
	Digest     string  `json:"digest,omitempty"`      // "sha256:…" of the archive, or of the files of a folder; of the block's own only
}
