package expand

import (
	"fmt"
	"strings"
)

// What the charts of this test have no place for, by fixture.
const (
	hostBuilds  = "imageBuilderType \"host\""
	noValue     = "has no value"
	tooOld      = "BinderHub has"
	guaranteed  = `{"limits":{"cpu":"500m","memory":"1Gi"},"requests":{"cpu":"500m","memory":"1Gi"}}`
	memoryOnly  = `{"limits":{"memory":"2Gi"}}`
	corePool    = `{"hub.jupyter.org/node-purpose":"core"}`
	userPool    = `{"hub.jupyter.org/node-purpose":"user"}`
	digest      = "sha256:8d969eef6ecad3c29a3a629280e686cf0c3f5d5a86aff3ca12020c923adc6c92"
	quiet       = `{"effect":"NoExecute","key":"quiet","operator":"Exists"}`
	dedicated   = `{"effect":"NoSchedule","key":"hub.jupyter.org/dedicated","operator":"Equal","value":"%s"}`
	underscored = `{"effect":"NoSchedule","key":"hub.jupyter.org_dedicated","operator":"Equal","value":"%s"}`
)

const (
	zoned = `{"hub.jupyter.org/node-purpose":"user","zone":"a"}`
	mine  = `{"key":"mine"}`
)

// tolerated returns the tolerations that a chart gives pods of a purpose, the first n
// of the two, and more.
func tolerated(n int, purpose string, more ...string) string {
	all := []string{fmt.Sprintf(dedicated, purpose), fmt.Sprintf(underscored, purpose)}[:n]
	return "[" + strings.Join(append(all, more...), ",") + "]"
}

func placedCore(n int, pods ...string) view {
	v := view{}
	for _, pod := range pods {
		v["pod:"+pod+".nodeSelector"], v["pod:"+pod+".tolerations"] = corePool, tolerated(n, "core", quiet)
	}
	return v
}

// withBinder adds the binder, which tolerates nothing by itself.
func withBinder(v view) view {
	v["pod:binder.nodeSelector"], v["pod:binder.tolerations"] = corePool, tolerated(1, "core", quiet)
	return v
}

// placedUser is what user pods and their placeholders and pullers get. A trait of the
// hub's, which hides what the chart sets, keeps what it says.
func placedUser(n int, selector, trait string) view {
	v := view{"hub:Spawner.node_selector": selector, "hub:Spawner.tolerations": tolerated(n, "user", quiet)}
	if trait != "" {
		v["hub:Spawner.tolerations"] = "[" + trait + "," + quiet + "]"
	}
	for _, pod := range []string{"user-placeholder", "continuous-image-puller"} {
		v["pod:"+pod+".nodeSelector"], v["pod:"+pod+".tolerations"] = userPool, tolerated(n, "user", quiet)
	}
	return v
}

func userAll(placeholder string) view {
	return withPlaceholder(view{
		"hub:Spawner.cpu_guarantee": "0.5", "hub:Spawner.cpu_limit": "0.5", "hub:Spawner.mem_guarantee": "1073741824", "hub:Spawner.mem_limit": "1073741824",
		"hub:Spawner.init_resources": guaranteed,
	}, placeholder)
}

func userFirst(placeholder string) view {
	return withPlaceholder(view{
		"hub:Spawner.cpu_guarantee": "-", "hub:Spawner.cpu_limit": "-", "hub:Spawner.mem_guarantee": "-", "hub:Spawner.mem_limit": "2147483648",
		"hub:Spawner.priority_class_name": "first",
	}, placeholder)
}

// withPlaceholder adds what a chart gives placeholders of a user's resources.
func withPlaceholder(v view, resources string) view {
	if resources != "" {
		v["pod:user-placeholder.resources"] = resources
	}
	return v
}

func buildsOn(pods ...string) view {
	const selector = `{"use":"build"}`
	v := view{"binder:BinderHub.build_node_selector": selector, "binder:KubernetesBuildExecutor.node_selector": selector}
	for _, pod := range pods {
		v["pod:"+pod+".nodeSelector"] = selector
	}
	return v
}

// gone is an image cleaner that is not there, with these variables.
func gone(variables ...string) view {
	v := view{}
	for _, name := range append(variables, "THRESHOLD_HIGH", "THRESHOLD_LOW", "THRESHOLD_TYPE", "image", "tolerations") {
		v["pod:image-cleaner."+name] = "-"
	}
	return v
}

// attributeRows is the table of TestEachAttributeHasItsEffect.
var attributeRows = []attributeRow{
	{field: "Hub.Images.hub", body: `images = { hub = "r.example/hub:1" }`, changes: view{"pod:hub.image": "r.example/hub:1"}},
	{field: "Hub.Images.proxy", body: `images = { proxy = "r.example/chp@` + digest + `" }`, changes: view{"pod:proxy.image": "r.example/chp@" + digest}},
	{field: "Hub.Images.singleuser", body: `images = { singleuser = "r.example/user:1" }`, jupyter: `{hub: {config: {KubeSpawner: {image: "r.example/old:1"}}}}`,
		changes: view{"hub:Spawner.image": "r.example/user:1", "pod:continuous-image-puller.image": "r.example/user:1"}, only: map[string]view{"builtin": {"hub:Spawner.image": "r.example/user:1"}}},
	{field: "Hub.Images.user_scheduler", body: `images = { user_scheduler = "r.example/scheduler:v1" }`, changes: view{"pod:user-scheduler.image": "r.example/scheduler:v1"}},
	{field: "Hub.Images.binder", binder: true, body: `images = { binder = "r.example/binder:1" }`, changes: view{"pod:binder.image": "r.example/binder:1"}},
	{field: "Hub.Images.dind", binder: true, body: `images = { dind = "r.example/dind:1" }`, changes: view{"pod:image-builder.image": "r.example/dind:1"},
		refused: map[string]string{"binderhub, host": hostBuilds}},
	{field: "Hub.Images.image_cleaner", binder: true, body: `images = { image_cleaner = "r.example/cleaner:1" }`, changes: view{"pod:image-cleaner.image": "r.example/cleaner:1"}},

	{field: "Hub.QoS.hub", body: `qos = { hub = qos_class.all }`, changes: view{"pod:hub.resources": guaranteed}},
	{field: "Hub.QoS.hub", body: `qos = { hub = qos_class.memory }`, jupyter: `{hub: {resources: {requests: {cpu: "1", memory: 1Gi}, limits: {cpu: "1"}}}}`, changes: view{"pod:hub.resources": memoryOnly}},
	{field: "Hub.QoS.hub", body: `qos = { hub = qos_class.first }`, changes: view{"pod:hub.resources": memoryOnly, "pod:hub.priorityClassName": "first"}},
	{field: "Hub.QoS.proxy", body: `qos = { proxy = qos_class.first }`, changes: view{"pod:proxy.resources": memoryOnly, "pod:proxy.priorityClassName": "first"}},
	{field: "Hub.QoS.user_scheduler", body: `qos = { user_scheduler = qos_class.first }`, changes: view{"pod:user-scheduler.resources": memoryOnly, "pod:user-scheduler.priorityClassName": "first"}},
	{field: "Hub.QoS.user_scheduler", body: `qos = { user_scheduler = qos_class.memory }`, changes: view{"pod:user-scheduler.resources": memoryOnly}},
	{field: "Hub.QoS.placeholder", body: `qos = { placeholder = qos_class.memory }`, changes: view{"pod:user-placeholder.resources": memoryOnly}},
	{field: "Hub.QoS.placeholder", body: `qos = { placeholder = qos_class.first }`, changes: view{"pod:user-placeholder.resources": memoryOnly, "pod:user-placeholder.priorityClassName": "first"},
		refused: map[string]string{"jupyterhub 3": noValue, "jupyterhub 4.0": noValue}},
	{field: "Hub.QoS.user", body: `qos = { user = qos_class.all }`, changes: userAll(""), only: map[string]view{
		"builtin": userAll(`{"limits":{"cpu":"0.5","memory":"1073741824"},"requests":{"cpu":"0.5","memory":"1073741824"}}`)}},
	{field: "Hub.QoS.user", body: `qos = { user = qos_class.first }`, jupyter: `{singleuser: {cpu: {limit: 2}, memory: {guarantee: 1G}}, hub: {config: {KubeSpawner: {mem_limit: 1G, cpu_guarantee: 1, priority_class_name: last}}}}`,
		changes: userFirst(""), only: map[string]view{"builtin": userFirst(`{"limits":{"memory":"2147483648"}}`)}},
	{field: "Hub.QoS.binder", binder: true, body: `qos = { binder = qos_class.first }`, changes: view{"pod:binder.resources": memoryOnly, "pod:binder.priorityClassName": "first"}},
	{field: "Hub.QoS.build", binder: true, body: `qos = { build = qos_class.memory }`, changes: view{"binder:KubernetesBuildExecutor.resources": memoryOnly},
		refused: map[string]string{"binderhub of 2022": tooOld}},
	{field: "Hub.QoS.build", binder: true, body: `qos = { build = qos_class.first }`, refused: map[string]string{"": "no priority class"}},
	{field: "Hub.QoS.dind", binder: true, body: `qos = { dind = qos_class.memory }`, changes: view{"pod:image-builder.resources": memoryOnly},
		refused: map[string]string{"binderhub, host": hostBuilds}},
	{field: "Hub.QoS.dind", binder: true, body: `qos = { dind = qos_class.first }`, changes: view{"pod:image-builder.resources": memoryOnly, "pod:image-builder.priorityClassName": "first"},
		refused: map[string]string{"binderhub, host": hostBuilds, "binderhub": noValue, "umbrella": noValue}},
	{field: "Hub.QoS.image_cleaner", binder: true, body: `qos = { image_cleaner = qos_class.first }`, changes: view{"pod:image-cleaner.resources": memoryOnly, "pod:image-cleaner.priorityClassName": "first"},
		refused: map[string]string{"binderhub": noValue, "umbrella": noValue}},

	{field: "Hub.NodePools.core", body: `node_pools = { core = node_pool.core }`, only: map[string]view{
		"jupyterhub": placedCore(1, "hub", "proxy", "user-scheduler", "autohttps", "hook-image-awaiter"), "basehub": placedCore(1, "hub", "proxy", "user-scheduler", "autohttps", "hook-image-awaiter"),
		"binderhub": withBinder(placedCore(1, "hub", "proxy", "user-scheduler")), "umbrella": withBinder(placedCore(1, "hub", "proxy", "user-scheduler")),
		"builtin jupyterhub": placedCore(2, "hub", "proxy", "user-scheduler"), "builtin binderhub": withBinder(placedCore(2, "hub", "proxy", "user-scheduler")),
	}},
	{field: "Hub.NodePools.user", body: `node_pools = { user = node_pool.user }`, changes: placedUser(1, userPool, ""), only: map[string]view{"builtin": placedUser(2, userPool, "")}},
	{field: "Hub.NodePools.user", body: `node_pools = { user = node_pool.user }`, jupyter: `{hub: {config: {KubeSpawner: {node_selector: {zone: a}, tolerations: [{key: mine}]}}}}`,
		changes: placedUser(1, zoned, mine), only: map[string]view{"builtin": placedUser(2, zoned, mine)}},

	{field: "Hub.Profiles", body: `profiles = [{ display_name = "A" }]`, jupyter: `{singleuser: {profileList: [{display_name: B}]}, hub: {config: {KubeSpawner: {profile_list: [{display_name: C}]}}}}`,
		changes: view{"hub:Spawner.profile_list": `[{"display_name":"A"}]`}},
	{field: "Hub.Profiles", body: `profiles = []`, jupyter: `{singleuser: {profileList: [{display_name: B}]}}`, changes: view{"hub:Spawner.profile_list": `[]`}},

	{field: "Hub.Culling.Enabled", body: "culling {\n enabled = false\n}", changes: view{"culler:timeout": "-", "culler:every": "-", "culler:max-age": "-", "culler:concurrency": "-", "culler:users": "-"}},
	{field: "Hub.Culling.Timeout", body: "culling {\n timeout = \"30m\"\n}", changes: view{"culler:timeout": "1800"}},
	{field: "Hub.Culling.Timeout", body: "culling {\n timeout = \"30m\"\n}", jupyter: "{cull: {maxAge: 600}}", refused: map[string]string{"": "maxAge comes from"}},
	{field: "Hub.Culling.Every", body: "culling {\n every = \"5m\"\n}", changes: view{"culler:every": "300"}},
	{field: "Hub.Culling.MaxAge", body: "culling {\n max_age = \"2h\"\n}", changes: view{"culler:max-age": "7200"}},
	{field: "Hub.Culling.MaxAge", body: "culling {\n max_age = \"0s\"\n}", jupyter: "{cull: {maxAge: 7200}}", changes: view{"culler:max-age": "0"}},
	{field: "Hub.Culling.MaxAge", body: "culling {\n max_age = \"30m\"\n}", refused: map[string]string{"": "the chart's own default"}},
	{field: "Hub.Culling.Concurrency", body: "culling {\n concurrency = 3\n}", changes: view{"culler:concurrency": "3"}},
	{field: "Hub.Culling.Users", body: "culling {\n users = true\n}", jupyter: "{cull: {users: false}}", changes: view{"culler:users": "true"}},

	{field: "Hub.SpawnLimits.Concurrent", body: "spawn_limits {\n concurrent = 7\n}", changes: view{"hub:JupyterHub.concurrent_spawn_limit": "7"}},
	{field: "Hub.SpawnLimits.Active", body: "spawn_limits {\n active = 50\n}", jupyter: "{hub: {config: {JupyterHub: {active_server_limit: 90}}}}", changes: view{"hub:JupyterHub.active_server_limit": "50"}},
	{field: "Hub.SpawnLimits.ConsecutiveFailures", body: "spawn_limits {\n consecutive_failures = 3\n}", jupyter: "{hub: {config: {Spawner: {consecutive_failure_limit: 9}}}}", changes: view{"hub:Spawner.consecutive_failure_limit": "3"}},
	{field: "Hub.SpawnLimits.StartTimeout", body: "spawn_limits {\n start_timeout = \"10m\"\n}", jupyter: "{hub: {config: {KubeSpawner: {start_timeout: 60}}}}", changes: view{"hub:Spawner.start_timeout": "600"}},

	{field: "Hub.Routing.DefaultRoute", body: "routing {\n default_route = \"hub\"\n}",
		jupyter: "{hub: {baseUrl: /b/, config: {JupyterHub: {hub_routespec: /b/hub/api/}, Proxy: {extra_routes: {/b/: http://else, /c: http://c}}}}, proxy: {chp: {defaultTarget: http://else}}}",
		changes: view{"hub:JupyterHub.hub_routespec": "-", "hub:Proxy.extra_routes": `{"/c":"http://c"}`, "pod:proxy.--default-target": "http://hub"},
		only:    map[string]view{"builtin": {"hub:JupyterHub.hub_routespec": "-", "hub:Proxy.extra_routes": `{"/c":"http://c"}`, "pod:proxy.--default-target": "http://hub:8081"}}},
	{field: "Hub.Routing.NotFoundURL", body: "routing {\n default_route = \"not-found\"\n not_found_url = \"http://else\"\n}", jupyter: "{hub: {config: {ConfigurableHTTPProxy: {extra_routes: {/c: http://c}}}}}",
		changes: view{"hub:JupyterHub.hub_routespec": "/hub/api/", "hub:Proxy.extra_routes": `{"/":"http://else","/c":"http://c"}`, "pod:proxy.--default-target": "http://else"}},
	{field: "Hub.Routing.ErrorURL", body: "routing {\n error_url = \"http://errors\"\n}", changes: view{"pod:proxy.--error-target": "http://errors"}},

	{field: "Hub.Limits.PerRepo", binder: true, body: "limits {\n per_repo = 5\n}", changes: view{"binder:BinderHub.per_repo_quota": "5"}},
	{field: "Hub.Limits.PerRepo", binder: true, body: "limits {\n per_repo = 50\n}", below: "{config: {BinderHub: {per_repo_quota_higher: 20}}}", refused: map[string]string{"": "per_repo_quota_higher comes from"}},
	{field: "Hub.Limits.PerRepoHigher", binder: true, body: "limits {\n per_repo_higher = 20\n}", refused: map[string]string{"": "high_quota_specs"}},
	{field: "Hub.Limits.PerRepoHigher", binder: true, body: "limits {\n per_repo_higher = 20\n}", below: `{config: {GitHubRepoProvider: {high_quota_specs: ["^a/"]}}}`, changes: view{"binder:BinderHub.per_repo_quota_higher": "20"}},
	{field: "Hub.Limits.Total", binder: true, body: "limits {\n total = 0\n}", below: "{config: {BinderHub: {pod_quota: 100}, KubernetesLaunchQuota: {total_quota: 50}}}", changes: view{"binder:LaunchQuota.total_quota": "0"},
		refused: map[string]string{"binderhub of 2022": tooOld}},

	{field: "Hub.BuildSlots.Concurrent", binder: true, body: "build_slots {\n concurrent = 4\n}", changes: view{"binder:BinderHub.concurrent_build_limit": "4"}},
	{field: "Hub.BuildSlots.Replicas", binder: true, body: "build_slots {\n replicas = 2\n}", changes: view{"pod:binder.replicas": "2"}},
	{field: "Hub.BuildSlots.MaxAge", binder: true, body: "build_slots {\n max_age = \"1h\"\n}", changes: view{"binder:KubernetesCleaner.max_age": "3600"}, refused: map[string]string{"binderhub of 2022": tooOld}},
	{field: "Hub.BuildSlots.NodePool", binder: true, body: "build_slots {\n node_pool = node_pool.build\n}", changes: buildsOn("image-builder", "image-cleaner"),
		only: map[string]view{"binderhub, host": buildsOn("image-cleaner")}, refused: map[string]string{"binderhub of 2022": tooOld}},
	{field: "Hub.BuildSlots.HostLibDir", binder: true, body: "build_slots {\n host_lib_dir = \"/data\"\n}", changes: view{"pod:image-builder.storage": "/data"}, refused: map[string]string{"binderhub, host": hostBuilds}},

	{field: "Hub.ImageCleaner.Enabled", binder: true, body: "image_cleaner {\n enabled = false\n}", changes: gone("DELAY_SECONDS", "NODE_NAME"),
		only: map[string]view{"builtin": gone("DELAY_SECONDS", "NODE_NAME", "INTERVAL_SECONDS", "PATH_TO_CHECK")}},
	{field: "Hub.ImageCleaner.ThresholdType", binder: true, body: "image_cleaner {\n threshold_type = \"absolute\"\n}", refused: map[string]string{"": "bytes"}},
	{field: "Hub.ImageCleaner.ThresholdType", binder: true, body: "image_cleaner {\n threshold_type = \"absolute\"\n threshold_high = 107374182400\n threshold_low = 53687091200\n}",
		// Helm hands large numbers to templates as it does; the cleaner reads either spelling.
		changes: view{"pod:image-cleaner.THRESHOLD_TYPE": "absolute", "pod:image-cleaner.THRESHOLD_HIGH": "1.073741824e+11", "pod:image-cleaner.THRESHOLD_LOW": "5.36870912e+10"},
		only:    map[string]view{"builtin": {"pod:image-cleaner.THRESHOLD_TYPE": "absolute", "pod:image-cleaner.THRESHOLD_HIGH": "107374182400", "pod:image-cleaner.THRESHOLD_LOW": "53687091200"}}},
	{field: "Hub.ImageCleaner.ThresholdHigh", binder: true, body: "image_cleaner {\n threshold_high = 90\n}", changes: view{"pod:image-cleaner.THRESHOLD_HIGH": "90"}},
	{field: "Hub.ImageCleaner.ThresholdHigh", binder: true, body: "image_cleaner {\n threshold_high = 50\n}", refused: map[string]string{"": "imageGCThresholdLow comes from the chart's own default"}},
	{field: "Hub.ImageCleaner.ThresholdLow", binder: true, body: "image_cleaner {\n threshold_low = 40\n}", below: "{imageCleaner: {extraEnv: {DOCKER_IMAGE_CLEANER_THRESHOLD_LOW: '10', OTHER: x}}}", changes: view{"pod:image-cleaner.THRESHOLD_LOW": "40"}},
	{field: "Hub.ImageCleaner.Interval", binder: true, body: "image_cleaner {\n interval = \"10m\"\n}", changes: view{"pod:image-cleaner.INTERVAL_SECONDS": "600"}},
	{field: "Hub.ImageCleaner.Interval", binder: true, body: "image_cleaner {\n interval = \"10m\"\n}", below: "{imageCleaner: {extraEnv: [{name: DOCKER_IMAGE_CLEANER_INTERVAL_SECONDS, value: '1'}, {name: DOCKER_IMAGE_CLEANER_X, value: y}]}}",
		changes: view{"pod:image-cleaner.INTERVAL_SECONDS": "600"}},
	{field: "Hub.ImageCleaner.Delay", binder: true, body: "image_cleaner {\n delay = \"0s\"\n}", changes: view{"pod:image-cleaner.DELAY_SECONDS": "0"}},
	{field: "Hub.ImageCleaner.Cordon", binder: true, body: "image_cleaner {\n cordon = false\n}", changes: view{"pod:image-cleaner.NODE_NAME": "-"}},

	{field: "RepoLimit.Match", binder: true, beside: "repo_limit \"a\" {\n hub = hub.prod\n repo = \"a/b\"\n sessions = 3\n}", below: `{config: {RepoProvider: {spec_config: [{pattern: "^z", config: {quota: 1}}]}}}`,
		changes: view{"binder:GitHubRepoProvider.spec_config": `[{"config":{"quota":1},"pattern":"^z"},{"config":{"quota":3},"pattern":"^a/b/"}]`,
			"binder:GistRepoProvider.spec_config": `[{"config":{"quota":1},"pattern":"^z"},{"config":{"quota":3},"pattern":"^a/b/"}]`}},
	{field: "RepoLimit.Sessions", binder: true, beside: "repo_limit \"a\" {\n hub = hub.prod\n repo = \"a/b\"\n sessions = 3\n}",
		changes: view{"binder:GitHubRepoProvider.spec_config": `[{"config":{"quota":3},"pattern":"^a/b/"}]`, "binder:GistRepoProvider.spec_config": `[{"config":{"quota":3},"pattern":"^a/b/"}]`}},
	{field: "RepoBan.Match", binder: true, beside: "repo_ban \"a\" {\n hub = hub.prod\n provider = \"gist\"\n pattern = \"^a\"\n}", below: `{config: {GitHubRepoProvider: {banned_specs: ["^z"]}, RepoProvider: {banned_specs: ["^y"]}}}`,
		changes: view{"binder:GistRepoProvider.banned_specs": `["^z","^a"]`}},
	{field: "ImageCache.Prefix", binder: true, beside: "image_cache \"a\" {\n hub = hub.prod\n prefix = \"r.example/r2d-\"\n}", changes: view{"binder:BinderHub.image_prefix": "r.example/r2d-"}},
	{field: "ImageCache.BuildImage", binder: true, beside: "image_cache \"a\" {\n hub = hub.prod\n prefix = \"r.example/r2d-\"\n build_image = \"r.example/r2d:1\"\n}", below: "{config: {BinderHub: {build_image: r.example/old:1}}}",
		changes: view{"binder:BinderHub.image_prefix": "r.example/r2d-", "binder:KubernetesBuildExecutor.build_image": "r.example/r2d:1"}, refused: map[string]string{"binderhub of 2022": tooOld}},
}
