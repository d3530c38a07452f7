# Chart versions that hurt people, as far as the incident reports and the history
# of the charts' repositories say so. Nothing is in here on hearsay. A config
# adds its own known_bad blocks; the language is the same.

known_bad "kubernetes-client-threads" {
  chart    = "jupyterhub"
  versions = ">= 0.6.0-0, < 0.6.0"
  fixed_in = "0.6.0"
  reason   = "KubeSpawner 0.8.0 with kubernetes-client 4.0 starts four threads for every spawner and never ends them: after some thousands the hub's CPU is full and launches fail (mybinder.org, launch day of 2018-02-20)"
  link     = "https://github.com/jupyterhub/zero-to-jupyterhub-k8s/pull/462"
}

known_bad "culler-flood" {
  chart    = "jupyterhub"
  versions = "= 0.7.0-360849f"
  fixed_in = "0.7.0-4537a83"
  reason   = "The idle culler floods the hub with requests to stop servers that do not run, and users are never removed (mybinder.org, 2018-04-18)"
  link     = "https://mybinder-sre.readthedocs.io/en/latest/incident-reports/2018-04-18-cull-flood.html"
}

known_bad "kubespawner-leak" {
  chart    = "jupyterhub"
  versions = "= 0.7.0-360849f || = 0.7.0-4537a83"
  fixed_in = "0.7.0-b4ea9e7"
  reason   = "KubeSpawner 085cb30 leaks memory and CPU with every server: the hub stops to answer after about an hour of launches (mybinder.org, 2018-04-18)"
  link     = "https://github.com/jupyterhub/zero-to-jupyterhub-k8s/pull/657"
}

known_bad "image-cleaner-start" {
  chart    = "binderhub"
  versions = "= 0.1.0-517ab7c"
  fixed_in = "0.1.0-3c21fde"
  reason   = "The image cleaner does not start: DOCKER_HOST lacks its scheme (mybinder.org, 2018-04-18; the deploy was reverted)"
  link     = "https://mybinder-sre.readthedocs.io/en/latest/incident-reports/2018-04-18-cull-flood.html"
}

known_bad "image-cleaner-production" {
  chart    = "binderhub"
  versions = "= 0.1.0-3c21fde"
  reason   = "The image cleaner fails on production nodes, and the deploy with it; it had to be disabled (mybinder.org, 2018-04-19)"
  link     = "https://mybinder-sre.readthedocs.io/en/latest/incident-reports/2018-04-18-cull-flood.html"
}
