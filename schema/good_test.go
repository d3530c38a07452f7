package schema

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/resource"
)

func TestGoodConfig(t *testing.T) {
	config := mustLoad(t, "-- main.hcl --\n"+goodConfig, Options{Version: "0.4.0", Now: time.Unix(1e9, 0)})
	if s := config.Settings; s.Name != "binder" || s.FieldManager != "hubcap-test" || s.JournalNamespace != "journal" {
		t.Errorf("settings %+v", s)
	}
	user := config.NodePools[0]
	want := NodePool{
		Block: Block{Address: address("node_pool.user")}, Cluster: address("cluster.prod"), PoolName: "user-202201",
		MachineType: "n1-highmem-8", ImageType: "COS_CONTAINERD", MinCPUPlatform: "Intel Skylake", DiskType: "pd-balanced",
		DiskSizeGB: ptr[int64](800), LocalSSD: &LocalSSD{Count: 1, Mode: SSDMounted},
		Autoscaling: &Autoscaling{Min: 2, Max: 12, Total: true, LocationPolicy: "ANY"}, InitialNodes: ptr[int64](2),
		Locations: []string{"us-central1-a", "us-central1-b"}, Labels: map[string]string{"mybinder.org/pool-type": "users"},
		Taints: []Taint{{Key: "hub.jupyter.org_dedicated", Value: "user", Effect: "NoSchedule"}}, Tags: []string{"hub"},
		ResourceLabels: map[string]string{"team": "binder"}, Metadata: map[string]string{"disable-legacy-endpoints": "true"},
		OAuthScopes:    []string{"https://www.googleapis.com/auth/devstorage.read_only"},
		ServiceAccount: "nodes@binder-prod.iam.gserviceaccount.com", Spot: ptr(false), MaxPodsPerNode: ptr[int64](110),
		AutoRepair: ptr(true), AutoUpgrade: ptr(false), MaxSurge: ptr[int64](1), MaxUnavailable: ptr[int64](0),
		WorkloadMetadata: "GKE_METADATA", Until: ptr(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)), Protected: true,
	}
	if diff := cmp.Diff(want, user, withoutPlaces); diff != "" {
		t.Errorf("node_pool.user (-want +got):\n%s", diff)
	}
	want.Address, want.Like, want.PoolName, want.Until, want.Protected = address("node_pool.emergency"), want.Address, "", nil, false
	want.Labels = map[string]string{"mybinder.org/pool-type": "users", "emergency": "yes"}
	want.DiskSizeGB, want.Autoscaling = ptr[int64](400), &Autoscaling{Min: 2, Max: 20, Total: true, LocationPolicy: "ANY"}
	if diff := cmp.Diff(want, config.NodePools[1], withoutPlaces); diff != "" {
		t.Errorf("node_pool.emergency (-want +got):\n%s", diff)
	}
	want.Address, want.Like, want.MachineType, want.LocalSSD, want.Tags = address("node_pool.plain"), want.Address, "e2-standard-4", nil, []string{}
	if diff := cmp.Diff(want, config.NodePools[2], withoutPlaces); diff != "" {
		t.Errorf("node_pool.plain (-want +got):\n%s", diff)
	}
}

func TestGoodHub(t *testing.T) {
	config := mustLoad(t, "-- main.hcl --\n"+goodConfig, Options{})
	hub := config.Hubs[1]
	core, binder, user := config.QoSClasses[0], config.QoSClasses[1], config.QoSClasses[2]
	for _, q := range []struct {
		got, want QoSClass
	}{
		{core, QoSClass{Mode: Guaranteed, CPURequest: "500m", CPULimit: "500m", MemoryRequest: "1Gi", MemoryLimit: "1Gi", PriorityClass: "core"}},
		{binder, QoSClass{Mode: MemoryGuaranteed, CPURequest: "1", CPULimit: "4", MemoryRequest: "2Gi", MemoryLimit: "2Gi"}},
		{user, QoSClass{Mode: Burstable, CPURequest: "0.1", MemoryRequest: "450M", MemoryLimit: "2G"}},
	} {
		q.got.Block = Block{}
		if diff := cmp.Diff(q.want, q.got); diff != "" {
			t.Errorf("qos_class (-want +got):\n%s", diff)
		}
	}
	password := resource.Secret("only-a-default")
	want := Hub{
		Block: Block{Address: resource.Address{Kind: "hub", Name: `prod["b"]`}}, Type: BinderHub, Cluster: address("cluster.prod"),
		Namespace: "binder-b", Release: "binderhub", Chart: ChartSource{Source: "./charts/mybinder", Version: "~1.0", Dir: hub.Chart.Dir},
		ValuesRoot: "binderhub", URL: "https://b.example.org", Labels: map[string]string{"hub": "b"},
		Values: map[string]any{
			"config": map[string]any{"BinderHub": map[string]any{
				"banner_message": "hello", "ratio": 0.5, "count": int64(3), "none": nil, "list": []any{int64(1), "x", true},
			}},
			"password": resource.Secret("pw:only-a-default"),
			"nested":   map[string]any{"plain": "text", "secret": password},
		},
		Images:      map[string]string{"hub": "quay.io/jupyterhub/k8s-hub:4.2.0", "binder": "quay.io/jupyterhub/k8s-binderhub@sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"},
		QoS:         map[string]QoSRef{"hub": {Class: core}, "binder": {Class: binder}, "user": {Class: user}},
		NodePools:   map[string]resource.Address{"user": address("node_pool.user")},
		Culling:     &Culling{Enabled: ptr(true), Timeout: 10 * time.Minute, Every: 11 * time.Minute, MaxAge: 6 * time.Hour, Concurrency: ptr[int64](10), Users: ptr(true)},
		SpawnLimits: &SpawnLimits{Concurrent: ptr[int64](100), Active: ptr[int64](0), ConsecutiveFailures: ptr[int64](5), StartTimeout: 10 * time.Minute},
		Limits:      &Limits{PerRepo: ptr[int64](100), PerRepoHigher: ptr[int64](200), Total: ptr[int64](500)},
		Routing:     &Routing{DefaultRoute: "not-found", NotFoundURL: "http://proxy-patches", ErrorURL: "http://proxy-patches/hub/error"},
		BuildSlots:  &BuildSlots{Concurrent: ptr[int64](32), Replicas: ptr[int64](2), MaxAge: time.Hour, NodePool: address("node_pool.user"), HostLibDir: "/mnt/disks/ssd0/dind"},
		ImageCleaner: &ImageCleaner{
			Enabled: ptr(true), ThresholdType: "relative", ThresholdHigh: ptr[int64](80), ThresholdLow: ptr[int64](60),
			Interval: 5 * time.Minute, Delay: time.Minute, Cordon: ptr(false),
		},
		Profiles:  []any{map[string]any{"display_name": "Small", "kubespawner_override": map[string]any{"mem_limit": "1G"}}},
		Protected: true,
	}
	if diff := cmp.Diff(want, hub, withoutPlaces); diff != "" {
		t.Errorf("hub (-want +got):\n%s", diff)
	}
	for _, name := range []string{"culling.timeout", "limits", "chart", "build_slots.host_lib_dir", "images.hub"} {
		if at := hub.At(name); at == hub.Range || at.Start.Line == 0 {
			t.Errorf("no place of %s", name)
		}
	}
}

func TestGoodRest(t *testing.T) {
	config := mustLoad(t, "-- main.hcl --\n"+goodConfig, Options{})
	a, b := resource.Address{Kind: "hub", Name: `prod["a"]`}, resource.Address{Kind: "hub", Name: `prod["b"]`}
	got := map[string]any{
		"limit":   config.RepoLimits[0],
		"ban":     config.RepoBans[0],
		"cache":   config.ImageCaches[0],
		"objects": append(config.Manifests[0].Objects, config.Manifests[1].Objects...),
		"gates":   config.Gates,
		"rollout": config.Rollouts[0],
		"outputs": config.Outputs,
		"secrets": config.Sensitive,
		"cluster": config.Clusters[0],
		"policy":  config.Policies[0],
		"notify":  config.Notifies,
		"bad":     config.KnownBad[0],
	}
	block := func(s string) Block { return Block{Address: address(s)} }
	want := map[string]any{
		"limit": RepoLimit{
			Block: block("repo_limit.demo"), Hubs: []resource.Address{a, b}, Match: RepoMatch{"github", "^jupyterlab/jupyterlab-demo/"},
			Sessions: 300, Until: ptr(time.Date(2029, 12, 31, 22, 0, 0, 0, time.UTC)), Reason: "SciPy",
		},
		"ban":   RepoBan{Block: block("repo_ban.miners"), Hubs: []resource.Address{a}, Match: RepoMatch{"gitlab", "^miners%2F.*"}, Reason: "abuse"},
		"cache": ImageCache{Block: block("image_cache.prod"), Hub: a, Prefix: "gcr.io/binder-prod/r2d-2024-07-", BuildImage: "quay.io/jupyterhub/repo2docker:2024.07.0"},
		"objects": []resource.Object{
			{"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": map[string]any{"name": "core"}, "value": int64(10000)},
			{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a"}, "data": map[string]any{"x": "1"}},
			{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "b"}, "data": map[string]any{"x": "1.5"}},
			{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "s"}, "stringData": map[string]any{"a": resource.Secret("only-a-default")}},
		},
		"gates": []Gate{
			{Block: block("gate.up"), Bake: 5 * time.Minute, Interval: 30 * time.Second, Failures: 2, HTTP: &HTTPCheck{URL: "https://a.example.org/health", Status: []int64{200, 204}, Contains: "ok", Timeout: 3 * time.Second, MaxLatency: 800 * time.Millisecond}},
			{Block: block("gate.steady"), Interval: 10 * time.Second, Failures: 1, Pods: &PodsCheck{Block: b, MaxRestarts: 1, MaxPending: 2, PendingAfter: 5 * time.Minute, MaxTerminating: ptr[int64](3), TerminatingAfter: 15 * time.Minute}},
			{
				Block: block("gate.launches"), Bake: 20 * time.Minute, MaxBake: time.Hour, WarmUp: 2 * time.Minute, Interval: 10 * time.Second,
				Failures: 3, Of: 5, OnInconclusive: "fail", Advisory: true, Components: []string{"hub", "binder"},
				Prometheus: &PrometheusCheck{
					Cluster: address("cluster.prod"), Query: `sum(rate(launches{namespace="$namespace"}[$window]))`, Min: ptr(0.95), Max: ptr(1073741824.0), Window: 5 * time.Minute,
					Before:   &BeforeCheck{Bounds: Bounds{MaxRatio: ptr(3.0), Floor: 0.1}, Window: 30 * time.Minute},
					Control:  &ControlCheck{Bounds: Bounds{MaxDifference: ptr(2.0)}, Hubs: []resource.Address{b}},
					Slope:    &SlopeCheck{Per: `sum(spawns{namespace="$namespace"})`, Load: `sum(running{namespace="$namespace"})`, Max: ptr(1.5), Limit: ptr(2147483648.0), Within: 12 * time.Hour, MinPoints: 20, MinWork: 30, Confidence: 0.9},
					Evidence: &Evidence{Query: "sum(increase(launches[$bake]))", AtLeast: 200, Unit: "launches"},
				},
			},
			{
				Block: block("gate.builds"), Interval: 10 * time.Second, Failures: 1,
				Builds: &BuildsCheck{Cluster: address("cluster.prod"), InProgress: "sum(builds)", MaxPerPod: ptr(4.0), MaxPending: ptr[int64](5), MaxShare: ptr(0.5), MinBuilds: 6},
			},
			{
				Block: block("gate.launch"), Interval: 10 * time.Second, Failures: 1,
				Launch: &LaunchCheck{
					Via: "binderhub", URL: "https://staging.example.org", Spec: "gh/binderhub-ci-repos/requirements/HEAD", User: "hubcap-gate",
					TokenSecret: &SecretKey{Secret: "hub", Key: "hub.services.hubcap.apiToken"}, Timeout: 3 * time.Minute,
				},
			},
			{
				Block: block("gate.launch_hub"), Interval: 10 * time.Second, Failures: 1,
				Launch: &LaunchCheck{Via: "jupyterhub", User: "probe", Token: resource.Secret("only-a-default"), Timeout: 2 * time.Minute},
			},
			{
				Block: block("gate.script"), Interval: 10 * time.Second, Failures: 1,
				Exec: &ExecCheck{Command: []string{"./check.sh", "$namespace"}, Dir: config.Gates[6].Exec.Dir, Timeout: 10 * time.Second},
			},
			{Block: block("gate.people"), Interval: 10 * time.Second, Failures: 1, Manual: &ManualCheck{Prompt: "look at the dashboard"}},
		},
		"rollout": Rollout{
			Block: block("rollout.all"), Order: [][]resource.Address{{address("node_pool.user"), address("node_pool.emergency")}, {a, b}}, Names: []string{"", ""},
			Gates: []resource.Address{address("gate.up"), address("gate.steady")}, StepTimeout: 10 * time.Minute, OnFailure: "stop",
		},
		"outputs": []Output{
			{Block: block("output.where"), Value: []any{"binder-a", "binder-b"}, Description: "namespaces"},
			{Block: block("output.password"), Value: resource.Secret("only-a-default"), Sensitive: true},
		},
		"secrets": []resource.Sensitive{resource.Secret("only-a-default"), resource.Secret("pw:only-a-default"), resource.Secret("https://hooks.example.org/only-a-default"), resource.Secret("https://example.org/hook")},
		"cluster": Cluster{
			Block: block("cluster.prod"), GKE: &GKECluster{Project: "binder-prod", Location: "us-central1", Name: "prod-a", Endpoint: "http://127.0.0.1:8080"},
			Kubeconfig: config.Clusters[0].Kubeconfig, Context: "prod", Identity: "4d1b8c4e", Prometheus: &Prometheus{URL: "http://prometheus.example.org", BearerToken: resource.Secret("only-a-default")},
		},
		"notify": []Notify{
			{
				Block: block("notify.grafana"), On: []string{"started", "finished"}, Timeout: 2 * time.Second,
				Grafana: &GrafanaTarget{URL: "https://grafana.example.org", Token: resource.Secret("only-a-default"), Tags: []string{"deploy"}, Dashboard: "abc"},
			},
			{Block: block("notify.chat"), Timeout: 5 * time.Second, Slack: &SlackTarget{URL: resource.Secret("https://hooks.example.org/only-a-default")}},
			{
				Block: block("notify.hook"), Timeout: 5 * time.Second,
				Webhook: &WebhookTarget{URL: resource.Secret("https://example.org/hook"), Token: resource.Secret("only-a-default")},
			},
		},
		"policy": Policy{Block: block("policy.released_charts"), Level: "deny", Reason: "launch day of 2018", Versions: &VersionsRule{
			Forbid: []string{"known-bad", "pre-release"}, Allowed: map[string]string{"jupyterhub": ">= 4.2"}, Blocks: []resource.Address{a},
		}},
		"bad": KnownBad{Block: block("known_bad.leak"), Chart: "jupyterhub", Versions: "< 4.1.0", FixedIn: "4.1.0", Reason: "It leaks", Link: "https://example.org/incident"},
	}
	if diff := cmp.Diff(want, got, withoutPlaces); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestUserServersMayStart checks that a gate on user servers gives them time to start,
// unless it says otherwise.
func TestUserServersMayStart(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"users = true": 5 * time.Minute,
		"users = true\n    pending_after = \"1m\"": time.Minute,
		"users = true\n    pending_after = \"0s\"": 0,
		"max_pending = 1":                          0,
	} {
		config := mustLoad(t, "-- main.hcl --\ngate \"g\" {\n  pods {\n    "+text+"\n  }\n}\n", Options{})
		if got := config.Gates[0].Pods.PendingAfter; got != want {
			t.Errorf("%s: pending after %s, want %s", text, got, want)
		}
	}
}
