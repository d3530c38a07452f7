package schema

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"hubcap/engine/resource"
)

// A Policy is a rule over the plan: what is not to be, and how hard. Exactly one
// rule is set.
type Policy struct {
	Block
	Level    string // "deny", "hold" or "warn"
	Reason   string // for people
	Versions *VersionsRule
}

// A VersionsRule is about the charts that blocks come from.
type VersionsRule struct {
	Forbid  []string           // of [VersionFaults]
	Allowed map[string]string  // chart → constraint that its version must meet
	Blocks  []resource.Address // hubs and charts; empty: all
}

// VersionFaults are what a chart's version can be said to be.
var VersionFaults = []string{"known-bad", "pre-release"}

// KnownBad is versions of a chart that are known to hurt people.
type KnownBad struct {
	Block
	Chart    string
	Versions string // constraint; pre-releases are included
	FixedIn  string // empty: not known
	Reason   string
	Link     string
}

var policyLevels = []string{"deny", "hold", "warn"}

// decodePolicy decodes a policy block: one rule and how hard it is.
func decodePolicy(b *body, header Block) entry {
	b.require("level")
	p := &Policy{Block: header, Level: b.word("level", policyLevels...), Reason: b.text("reason")}
	p.Versions = b.versionsRule()
	if p.Versions == nil {
		b.errorAt(b.header, "Policy without a rule", "A policy has exactly one rule: a versions block.")
	}
	return p
}

// versionsRule decodes the versions block of a policy.
func (b *body) versionsRule() *VersionsRule {
	v := b.block("versions")
	if v == nil {
		return nil
	}
	rule := &VersionsRule{Forbid: v.texts("forbid"), Allowed: v.textMap("allowed")}
	for i, word := range rule.Forbid {
		if !slices.Contains(VersionFaults, word) {
			v.errorAt(v.elementAt("forbid", i), "Unknown word", "%q is nothing that a version can be; there are %s.%s",
				word, quoted(VersionFaults), suggestion(word, VersionFaults))
		}
	}
	for _, chart := range sortedKeys(rule.Allowed) {
		if problem := versionConstraint(rule.Allowed[chart]); problem != "" {
			v.errorAt(v.keyAt("allowed", chart), "Invalid version constraint", "%q %s", rule.Allowed[chart], problem)
		}
	}
	for _, t := range v.refs("blocks", "hub", "chart") {
		rule.Blocks = append(rule.Blocks, t.address)
	}
	if len(rule.Forbid) == 0 && len(rule.Allowed) == 0 && !v.has("forbid") && !v.has("allowed") {
		v.errorAt(v.header, "Rule that forbids nothing", "A versions block needs forbid = [ … ], or allowed = { chart = \"constraint\" }.")
	}
	v.done()
	return rule
}

// decodeKnownBad decodes a known_bad block.
func decodeKnownBad(b *body, header Block) entry {
	b.require("chart")
	b.require("versions")
	b.require("reason")
	return &KnownBad{
		Block:    header,
		Chart:    b.nonEmpty("chart"),
		Versions: b.checked("versions", "Invalid version constraint", versionConstraint),
		FixedIn:  b.nonEmpty("fixed_in"),
		Reason:   strings.TrimRight(b.nonEmpty("reason"), ". \n"),
		Link:     b.address("link"),
	}
}

// Matches reports whether a version of a chart is one of these. A version that
// is none, as the constraint has it, matches nothing.
func (k KnownBad) Matches(chart, version string) bool {
	return chart == k.Chart && Meets(version, k.Versions)
}

// Meets reports whether a version meets a constraint; pre-releases count like any
// other version.
func Meets(version, constraint string) bool {
	v, err := semver.NewVersion(version)
	if err != nil {
		return false
	}
	c, err := semver.NewConstraint(constraint)
	if err != nil {
		return false
	}
	c.IncludePrerelease = true
	return c.Check(v)
}

// PreRelease reports whether a version is one before a release: of a development
// build, a beta, or none that has numbers at all.
func PreRelease(version string) bool {
	v, err := semver.NewVersion(version)
	return err != nil || v.Prerelease() != ""
}

// LoadKnownBad reads the known_bad blocks of a folder that ships with hubcap. The
// name stands in diagnostics for the folder's.
func LoadKnownBad(name string, files fs.FS) ([]KnownBad, hcl.Diagnostics) {
	l := newLoader(Options{})
	if src := l.open(&source{name: name, builtin: files}, nil); src != nil && !l.diags.HasErrors() {
		root := l.instantiate(src, nil)
		l.evaluateAll(root)
		l.gather(root)
	}
	return l.config.KnownBad, tidy(l.diags)
}

func (p *Policy) addTo(config *Config) { config.Policies = append(config.Policies, *p) }

func (p *Policy) fields() map[string]cty.Value {
	return map[string]cty.Value{"level": textValue(p.Level)}
}

func (k *KnownBad) addTo(config *Config) { config.KnownBad = append(config.KnownBad, *k) }

func (k *KnownBad) fields() map[string]cty.Value {
	return map[string]cty.Value{"chart": textValue(k.Chart), "versions": textValue(k.Versions)}
}

// DatabaseBackup says who backs up a hub's database before it is upgraded.
type DatabaseBackup string

// The ways to back up a database.
const (
	BackupJob    DatabaseBackup = "job"     // hubcap, in a step before the hub's
	BackupByHand DatabaseBackup = "by-hand" // somebody, who says so
)
