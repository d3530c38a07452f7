package expand

import (
	"strings"
	"testing"
)

// TestChartsAreNoted checks that what rendered a block is noted with its version
// and digest, dependencies below it.
func TestChartsAreNoted(t *testing.T) {
	const text = `
cluster "c" { kubeconfig = "k" }
hub "b" {
  cluster = cluster.c
  chart   = "builtin:binderhub"
}
`
	cfg := parse(t, text)
	first, diags := All(cfg, nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if len(first.Charts) != 2 {
		t.Fatalf("charts = %+v, want the binderhub and the jupyterhub below it", first.Charts)
	}
	own, below := first.Charts[0], first.Charts[1]
	if own.Address.String() != "hub.b" || own.Chart != "binderhub" || own.Parent != "" || own.Version == "" || own.AppVersion == "" {
		t.Errorf("own = %+v", own)
	}
	if !strings.HasPrefix(own.Digest, "sha256:") || len(own.Digest) != len("sha256:")+64 {
		t.Errorf("digest = %q", own.Digest)
	}
	if below.Chart != "jupyterhub" || below.Parent != "binderhub" || below.Digest != "" || below.AppVersion == "" {
		t.Errorf("below = %+v", below)
	}
	again, _ := All(cfg, nil)
	if again.Charts[0].Digest != own.Digest {
		t.Error("the digest of the same files is another the next time")
	}
	cfg = parse(t, strings.Replace(text, "builtin:binderhub", "builtin:jupyterhub", 1))
	other, _ := All(cfg, nil)
	if len(other.Charts) != 1 || other.Charts[0].Digest == own.Digest {
		t.Errorf("charts of another chart = %+v", other.Charts)
	}
}
