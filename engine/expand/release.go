package expand

import "hubcap/engine/resource"

// claims says which objects that exist already the block may take over: those of
// its own Helm release and, where its author says so, whatever nobody else claims.
// An empty release is none.
func (m *maker) claims(release string, adopt bool) {
	for i := range m.desired {
		if m.desired[i].Presence != resource.Managed {
			continue
		}
		if release != "" {
			m.desired[i].Release = &resource.Release{Namespace: m.namespace, Name: release}
		}
		m.desired[i].Adopt = adopt
	}
}
