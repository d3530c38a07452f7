cluster "main" {
  context = "test"
}

hub "binder" {
  chart = "builtin:binderhub"
}

hub "students" {
  chart = "builtin:jupyterhub"
}

hubcap {
  name = "default"
}
