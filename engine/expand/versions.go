package expand

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/resource"
	"hubcap/modules"
	"hubcap/schema"
)

// Faults returns what there is to say against the versions of charts, in the
// order of the charts: those known to be bad, by the list that ships with hubcap
// and by the config's own, those that are none of a release, and those that a
// policy of the config does not allow.
func Faults(cfg *schema.Config, charts []resource.Chart) []resource.Fault {
	shipped, diags := schema.LoadKnownBad(modules.VersionsName, modules.Versions())
	if diags.HasErrors() {
		panic(fmt.Sprintf("expand: the list of known-bad versions that ships: %v", diags))
	}
	list := append(shipped, cfg.KnownBad...)
	sources := sourcesOf(cfg)
	var faults []resource.Fault
	for _, c := range charts {
		s := sources[c.Address]
		add := func(f resource.Fault) {
			f.Chart, f.Origin = c, origin(s.at)
			faults = append(faults, f)
		}
		for _, k := range list {
			if k.Matches(c.Chart, c.Version) {
				add(resource.Fault{Kind: resource.KnownBad, Name: k.Address.String(), Reason: k.Reason, FixedIn: k.FixedIn, Link: k.Link})
			}
		}
		if schema.PreRelease(c.Version) && !(c.Parent == "" && s.isHere) {
			add(resource.Fault{Kind: resource.PreRelease})
		}
		for _, p := range cfg.Policies {
			if f, isFault := notAllowed(p, c); isFault {
				add(f)
			}
		}
	}
	return faults
}

// notAllowed is the fault of a chart whose version a policy does not allow.
func notAllowed(p schema.Policy, c resource.Chart) (resource.Fault, bool) {
	if p.Versions == nil || len(p.Versions.Blocks) > 0 && !slices.Contains(p.Versions.Blocks, c.Address) {
		return resource.Fault{}, false
	}
	constraint, has := p.Versions.Allowed[c.Chart]
	if !has || schema.Meets(c.Version, constraint) {
		return resource.Fault{}, false
	}
	return resource.Fault{Kind: resource.NotAllowed, Name: p.Address.String(), Reason: fmt.Sprintf("only %s is", constraint)}, true
}

// A chartPlace is where a block names its chart.
type chartPlace struct {
	at     hcl.Range
	isHere bool // a folder or built in: its version is nobody's release
}

func sourcesOf(cfg *schema.Config) map[resource.Address]chartPlace {
	places := map[resource.Address]chartPlace{}
	note := func(b schema.Block, source schema.ChartSource) {
		_, _, isRemote := source.Remote()
		isArchive := strings.HasSuffix(source.Source, ".tgz")
		places[b.Address] = chartPlace{at: *at(b, "chart"), isHere: !isRemote && !isArchive}
	}
	for _, h := range cfg.Hubs {
		note(h.Block, h.Chart)
	}
	for _, c := range cfg.Charts {
		note(c.Block, c.Chart)
	}
	return places
}

// Warnings words faults for the author, each at the line that names the chart.
// What a policy does not allow is for the plan to say.
func Warnings(cfg *schema.Config, faults []resource.Fault) hcl.Diagnostics {
	summaries := map[resource.FaultKind]string{
		resource.KnownBad: "Chart version that is known to be bad", resource.PreRelease: "Chart version that is none of a release",
		resource.NotAllowed: "Chart version that a policy does not allow",
	}
	places := sourcesOf(cfg)
	var diags hcl.Diagnostics
	for _, f := range faults {
		subject := places[f.Chart.Address].at
		detail := f.Chart.Address.String() + ": " + f.String() + "."
		if f.Link != "" {
			detail += " See " + f.Link + " ."
		}
		diags = append(diags, warningAt(&subject, summaries[f.Kind], detail))
	}
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		return cmp.Or(strings.Compare(a.Subject.Filename, b.Subject.Filename), cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte))
	})
	return diags
}
