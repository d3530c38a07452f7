package render

import (
	"fmt"
	"strings"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// binderConfig is a config file of 200 lines with one number in its middle.
func binderConfig(quota int) string {
	var b strings.Builder
	for i := range 200 {
		if i == 100 {
			fmt.Fprintf(&b, "c.GitHubRepoProvider.per_repo_quota = %d\n", quota)
			continue
		}
		fmt.Fprintf(&b, "c.Line%d = True\n", i)
	}
	return b.String()
}

func hub(name string) resource.Component {
	return resource.Component{Block: resource.Address{Kind: "hub", Name: "prod"}, Name: name}
}

func change(c resource.Component, kind, name string, fields ...resource.Field) resource.Change {
	a := c.Block
	a.Object = kind + "/" + name
	return resource.Change{
		ID:      resource.ID{Cluster: "prod", Kind: kind, Namespace: "prod", Name: name},
		Address: a, Component: c, Action: resource.Update, Class: resource.ClassLive, Fields: fields,
		Before: resource.Object{"kind": kind}, After: resource.Object{"kind": kind},
		Origin: resource.Range{File: "main.hcl", Line: 12, Column: 3},
	}
}

// full is a plan with everything in it.
func full() *plan.Plan {
	binder := change(hub("binder"), "ConfigMap", "binder-config",
		resource.Field{Path: `data["binderhub_config.py"]`, Before: binderConfig(300), After: binderConfig(500)})
	roll := change(hub("binder"), "Deployment", "binder",
		resource.Field{Path: `spec.template.metadata.annotations["checksum/config-map"]`, Before: strings.Repeat("ab", 32), After: strings.Repeat("cd", 32)})
	image := change(hub("hub"), "Deployment", "hub",
		resource.Field{Path: "spec.template.spec.containers[hub].image", Before: "quay.io/jupyterhub/k8s-hub:4.0.0", After: "quay.io/jupyterhub/k8s-hub:4.1.0"})
	secret := change(hub("hub"), "Secret", "hub",
		resource.Field{Path: `data["hub.config.JupyterHub.cookie_secret"]`, Before: resource.Secret("hunter2"), After: resource.Secret("correct horse")},
		resource.Field{Path: "data.same", Before: resource.Secret("correct horse"), After: resource.Secret("hunter2")})
	proxy := change(hub("proxy"), "Deployment", "proxy",
		resource.Field{Path: "spec.replicas", Before: int64(1), After: int64(2)},
		resource.Field{Path: "spec.template.spec.nodeSelector", After: map[string]any{"pool": "core", "zone": "a"}})
	pool := resource.Change{
		ID:        resource.ID{Cluster: "prod", Group: resource.GroupGKE, Kind: resource.KindNodePool, Name: "user-7f3a"},
		Address:   resource.Address{Kind: "node_pool", Name: "user"},
		Component: resource.Component{Block: resource.Address{Kind: "node_pool", Name: "user"}},
		Action:    resource.Replace, Class: resource.ClassReplacePool,
		Fields:   []resource.Field{{Path: "local_ssd.count", Before: int64(0), After: int64(1)}},
		Replaces: &resource.ID{Cluster: "prod", Group: resource.GroupGKE, Kind: resource.KindNodePool, Name: "user-11aa"},
	}
	ban := change(resource.Component{Block: resource.Address{Kind: "manifest", Name: "old"}}, "ConfigMap", "old-notice")
	ban.Action, ban.After = resource.Delete, nil
	cache := change(resource.Component{Block: resource.Address{Kind: "manifest", Name: "notice"}}, "ConfigMap", "notice")
	cache.Action, cache.Before = resource.Create, nil
	cache.After = resource.Object{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "notice", "namespace": "prod"},
		"data": map[string]any{"a.txt": "one\ntwo\nthree\n", "b": "plain"},
	}
	gate := plan.Gate{Name: "health", Bake: 10 * time.Minute, HTTP: &plan.HTTPCheck{URL: "http://127.0.0.1:1/hub/health"}}
	step := func(id string, class resource.Class, impact resource.Impact, changes ...resource.Change) plan.Step {
		return plan.Step{ID: plan.StepID(id), Component: changes[0].Component, Cluster: "prod", Class: class, Impact: impact, Back: &impact, Changes: changes}
	}
	hubStep := step("04-hub.prod/hub", resource.ClassHub, resource.Impact{LaunchGap: 40 * time.Second, PodsRestarted: 1}, image, secret)
	hubStep.Gates = []plan.Gate{gate}
	return &plan.Plan{
		FormatVersion: plan.FormatVersion, ID: strings.Repeat("91c0", 16), Version: "0.2.0", Config: "default",
		Commit: "3f2a91c0ffee", Created: noon,
		Clusters: []plan.Cluster{{Name: "prod", Where: "us-central1-a", Identity: "b6c1", Sessions: 412}},
		Waves: []plan.Wave{
			{Name: "node pools", Steps: []plan.Step{step("01-node_pool.user", resource.ClassReplacePool, resource.Impact{}, pool)}},
			{Name: "hub.prod", Steps: []plan.Step{
				step("02-manifest.notice", resource.ClassLive, resource.Impact{}, cache),
				step("03-hub.prod/binder", resource.ClassBinder, resource.Impact{LaunchGap: 25 * time.Second, PodsRestarted: 2}, binder, roll),
				hubStep,
				step("05-hub.prod/proxy", resource.ClassProxy, resource.Impact{SessionsInterrupted: 412, LaunchGap: 90 * time.Second, PodsRestarted: 1}, proxy),
				step("06-manifest.old", resource.ClassDestructive, resource.Impact{}, ban),
			}},
		},
		Drift: []plan.Drift{
			{
				Kind: plan.Drifted, ID: proxy.ID, Address: proxy.Address,
				Fields: []resource.Foreign{{Path: "spec.replicas", Manager: "kubectl-edit", Time: noon.Add(-time.Hour), Wanted: int64(2), Live: int64(1)}},
			},
			{
				Kind: plan.Conflicted, ID: image.ID, Address: image.Address,
				Fields: []resource.Foreign{{Path: "spec.template.spec.containers[hub].image", Manager: "helm", Time: noon, Live: "quay.io/jupyterhub/k8s-hub:4.0.0"}},
			},
		},
		Kept:       []plan.Kept{{ID: resource.ID{Cluster: "prod", Namespace: "prod", Kind: "PersistentVolumeClaim", Name: "hub-db-dir"}, Address: resource.ParseAddress("hub.prod/PersistentVolumeClaim/hub-db-dir"), Reason: "persistent volume claims are deleted only by name"}},
		Refused:    []plan.Refused{{ID: proxy.ID, Address: resource.ParseAddress("hub.prod/Service/proxy-public"), Reason: "it belongs to the Helm release prod", Origin: resource.Range{File: "main.hcl", Line: 12}}},
		Unreadable: []resource.Unreadable{{What: "secrets in namespace prod", Reason: "forbidden: the account may not list secrets"}},
		Warnings:   []string{"The hub admits more users than its pools can hold; the pool user ends at 2 nodes of n2-standard-8."},
		LeftOut:    []string{"hub.staging"},
		Unchanged:  41,
		Outputs:    map[string]any{"url": "https://mybinder.example", "token": resource.Secret("hunter2")},
	}
}

// hostile is a plan whose every text tries to reach the terminal.
func hostile() *plan.Plan {
	evil := "\x1b[2J\x1b]0;owned\a\u202egnp.exe"
	p := full()
	p.Commit, p.Config = evil, evil
	p.Clusters[0].Name = evil
	p.Warnings = []string{evil + "\n\nmore"}
	p.Waves[1].Name = evil
	c := &p.Waves[1].Steps[1].Changes[0]
	c.Fields = []resource.Field{{Path: "data." + evil, Before: "a\n" + evil + "\n", After: "b\n" + evil + "\r\n"}, {Path: "x", Before: evil, After: "<script>|`" + evil}}
	c.Notes = []string{evil}
	return p
}

// upgraded is a plan that moves versions, some of them to ones with faults.
func upgraded() *plan.Plan {
	p := full()
	block, at := hub("").Block, resource.Range{File: "main.hcl", Line: 14, Column: 3}
	second := resource.ParseAddress("hub.staging")
	for _, b := range []resource.Address{block, second} {
		p.Versions.Moves = append(p.Versions.Moves,
			plan.Move{Block: b, Kind: plan.ChartMove, Name: "jupyterhub", Was: "3.3.8", Is: "4.3.4-0.dev.git.7031.h1a2b3c4"},
			plan.Move{Block: b, Kind: plan.AppMove, Name: "JupyterHub", Was: "4.1.6", Is: "5.4.5"},
			plan.Move{Block: b, Kind: plan.ImageMove, Name: "k8s-hub", Components: []string{"hub"}, Was: "3.3.8", Is: "4.3.4-0.dev.git.7031.h1a2b3c4"},
		)
		p.Versions.Faults = append(p.Versions.Faults, resource.Fault{
			Chart: resource.Chart{Address: b, Parent: "binderhub", Chart: "jupyterhub", Version: "4.3.4-0.dev.git.7031.h1a2b3c4"}, Kind: resource.PreRelease, Origin: at,
		})
	}
	bad := resource.Fault{
		Chart: resource.Chart{Address: block, Chart: "binderhub", Version: "0.1.0-517ab7c"}, Kind: resource.KnownBad, Name: "known_bad.image-cleaner-start",
		Reason: "The image cleaner does not start", FixedIn: "0.1.0-3c21fde", Link: "https://example.org/incident", Origin: at,
	}
	p.Versions.Faults = append(p.Versions.Faults, bad)
	p.Verdicts = []plan.Verdict{
		{Name: "policy.released_charts", Level: plan.Deny, About: block, Text: bad.String(), Reason: "launch day of 2018", Origin: at},
		{Name: "policy.stable", Level: plan.Hold, About: second, Text: p.Versions.Faults[1].String(), Origin: at},
	}
	p.Refused, p.Unreadable = nil, nil
	return p
}
