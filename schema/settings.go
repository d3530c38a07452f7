package schema

import (
	"maps"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"hubcap/engine/resource"
)

// settings decodes the hubcap block. Only the root has one.
func (l *loader) settings(m *module, block *hclsyntax.Block) {
	at := block.DefRange()
	switch {
	case len(block.Labels) > 0:
		l.errorAt(block.LabelRanges[0], "Wrong number of labels", "A hubcap block has no label: hubcap { … }.")
		return
	case m.call != nil:
		l.errorAt(at, "Settings in a module", "The hubcap block belongs into the root directory, not into a module.")
		return
	case l.config.Settings.Range.Filename != "":
		first := l.config.Settings.Range
		l.errorAt(at, "Duplicate block", "There is a hubcap block already, in %s line %d.", first.Filename, first.Start.Line)
		return
	}
	b := l.body(scope{module: m}, block, "hubcap")
	s := Settings{
		Block:            Block{Address: resource.Address{Kind: "hubcap"}, Range: at, Attrs: b.ranges},
		Name:             b.checked("name", "Invalid name", configName),
		RequiredVersion:  b.checked("required_version", "Invalid version constraint", versionConstraint),
		FieldManager:     b.checked("field_manager", "Invalid field manager", fieldManager),
		JournalNamespace: b.checked("journal_namespace", "Invalid name", namespaceName),
	}
	b.done()
	l.config.Settings = s
	l.checkVersion(b, s.RequiredVersion)
}

// checkName reports a config without a name of its own: what two of them make on one
// cluster would be each other's to delete.
func (l *loader) checkName(root *source) {
	s := l.config.Settings
	if s.Name != "" || s.Attrs["name"].Filename != "" || len(l.config.Files) == 0 {
		return
	}
	at := s.Range
	if at.Filename == "" {
		first := slices.Min(slices.Collect(maps.Keys(l.config.Files)))
		if len(root.blocks) > 0 { // the files of modules are among all
			first = root.blocks[0].DefRange().Filename
		}
		at = hcl.Range{Filename: first, Start: hcl.InitialPos, End: hcl.InitialPos}
	}
	l.errorAt(at, "Missing name of the config",
		"What a config makes in a cluster bears its name, and two configs of one name delete each other's hubs. Write hubcap { name = \"NAME\" }, "+
			"with a name that no other config on its clusters has. A config that was applied without one until now has the name \"default\".")
}

func (s *Settings) fillDefaults() {
	for _, d := range []struct {
		field *string
		value string
	}{{&s.Name, "default"}, {&s.FieldManager, "hubcap"}, {&s.JournalNamespace, "hubcap"}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
}

// configName checks the name of a config, which becomes the value of a label and
// part of names.
func configName(s string) string {
	if namespaceName(s) != "" {
		return `is not a name: write at most 63 lower case letters, digits and "-".`
	}
	return ""
}

func fieldManager(s string) string {
	if s == "" || len(s) > 128 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "is not a name of a field manager: write 1 to 128 printable characters."
	}
	return ""
}

// versionConstraint checks a constraint as in ">= 1.2, < 2".
func versionConstraint(s string) string {
	if _, err := semver.NewConstraint(s); err != nil {
		return `is not a version constraint. Write it as in ">= 1.2" or "~1.4".`
	}
	return ""
}

// checkVersion refuses a config that asks for another hubcap. A version that is
// not a release (a development build) meets every constraint.
func (l *loader) checkVersion(b *body, constraint string) {
	version, err := semver.NewVersion(l.opts.Version)
	if constraint == "" || err != nil {
		return
	}
	wanted, err := semver.NewConstraint(constraint)
	if err == nil && !wanted.Check(version) {
		b.errorIn("required_version", "Unsupported version of hubcap",
			"The config asks for %s, and this is hubcap %s. Install a version that matches.", constraint, l.opts.Version)
	}
}
