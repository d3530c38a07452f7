locals {
  # repository → sessions, and why
  limits = {
    "jupyterlab/jupyterlab-demo"   = { sessions = 200, reason = "linked from the announcement" }
    "ipython/ipython-in-depth"     = { sessions = 150, reason = "default on the landing page" }
    "binder-examples/requirements" = { sessions = 120, reason = "used by the launch test" }
  }

  bans = {
    miners  = { pattern = "^[^/]+/.*(xmrig|miner).*", reason = "runs a miner" }
    tunnels = { pattern = "^[^/]+/free-?vpn.*", reason = "tunnels traffic" }
  }
}

repo_limit "repo" {
  for_each = local.limits

  hubs     = [hub.binder["prod"]]
  repo     = each.key
  sessions = each.value.sessions
  reason   = each.value.reason
}

repo_limit "workshop" {
  hub      = hub.binder["prod"]
  repo     = "example-university/intro-to-python"
  sessions = 300
  until    = "2027-03-01T18:00:00+01:00"
  reason   = "workshop of 250 people, asked for by the organisers"
}

repo_ban "abuse" {
  for_each = local.bans

  hubs    = [hub.binder["staging"], hub.binder["prod"]]
  pattern = each.value.pattern
  reason  = each.value.reason
}
