package adopt_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/adopt"
	"hubcap/engine/expand"
	"hubcap/engine/resource"
	"hubcap/modules"
	"hubcap/schema"
)

// load loads the files of a draft, with the values of its secrets.
func load(t *testing.T, d *adopt.Draft) *schema.Config {
	t.Helper()
	dir := t.TempDir()
	vars := map[string]string{}
	for _, f := range d.Files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Text, 0o644); err != nil {
			t.Fatal(err)
		}
		clean, diags := schema.Format(f.Text, f.Name)
		if diags.HasErrors() || !bytes.Equal(clean, f.Text) {
			t.Errorf("%s is not as hubcap fmt writes it", f.Name)
		}
	}
	if !slices.ContainsFunc(d.Files, func(f adopt.File) bool { return bytes.Contains(f.Text, []byte("hubcap {")) }) {
		if err := os.WriteFile(filepath.Join(dir, "name.hcl"), []byte("hubcap { name = \"default\" }\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range d.Secrets {
		vars[s.Variable] = s.Literal()
	}
	cfg, diags := schema.Load(dir, schema.Options{Vars: vars})
	if diags.HasErrors() {
		t.Fatalf("what was written does not load: %v\n%s", diags, d)
	}
	return cfg
}

func example(t *testing.T, name string) *schema.Config {
	t.Helper()
	cfg, diags := schema.Load(filepath.Join("..", "..", "examples", name), schema.Options{
		Builtin: func(name string) (fs.FS, error) { return modules.Module(name) },
	})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return cfg
}

// hidden marks every text, as the reader of releases does.
func hidden(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = hidden(e)
		}
	case []any:
		for i, e := range v {
			v[i] = hidden(e)
		}
	case string:
		return resource.Secret(v)
	}
	return v
}

// released is the release that Helm would record of a hub.
func released(t *testing.T, cfg *schema.Config, h *schema.Hub) adopt.Release {
	t.Helper()
	given, diags := expand.Given(cfg, h.Address)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return adopt.Release{
		Key: adopt.Key{Namespace: h.Namespace, Name: h.Release}, Revision: 3, Status: "deployed", Chart: "binderhub 0.1.0",
		Hub: h.Type, Root: h.ValuesRoot, Source: h.Chart, Values: hidden(given).(map[string]any),
	}
}

// TestRoundTrip writes the release of each hub of the mybinder example and loads
// that again: every value is the same, and typed attributes are what it was.
func TestRoundTrip(t *testing.T) {
	cfg := example(t, "mybinder")
	facts := adopt.Facts{Cluster: adopt.Cluster{Name: "prod", Known: adopt.NotKnown, Context: "prod"}}
	for i := range cfg.Hubs {
		facts.Releases = append(facts.Releases, released(t, cfg, &cfg.Hubs[i]))
	}
	d, err := adopt.Write(facts)
	if err != nil {
		t.Fatal(err)
	}
	again := load(t, d)
	for i, h := range cfg.Hubs {
		address := d.Blocks[facts.Releases[i].Key]
		want, diags := expand.Complete(cfg, h.Address, nil)
		got, more := expand.Complete(again, address, nil)
		if diags.HasErrors() || more.HasErrors() {
			t.Fatal(diags, more)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s as %s (-want +got):\n%s", h.Address, address, diff)
		}
		found := again.Hubs[i]
		for name, pair := range map[string][2]any{
			"culling": {h.Culling, found.Culling}, "spawn limits": {h.SpawnLimits, found.SpawnLimits}, "limits": {h.Limits, found.Limits},
			"routing": {h.Routing, found.Routing}, "images": {h.Images, found.Images},
		} {
			if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", name, address, diff)
			}
		}
	}
	if got, want := len(again.RepoBans), len(cfg.RepoBans)*2; got != want {
		t.Errorf("%d bans, want %d: one per hub", got, want)
	}
	if len(again.RepoLimits) != len(cfg.RepoLimits) || len(again.ImageCaches) != len(cfg.ImageCaches) || len(again.QoSClasses) == 0 {
		t.Errorf("%d limits, %d caches, %d classes", len(again.RepoLimits), len(again.ImageCaches), len(again.QoSClasses))
	}
	if len(d.Secrets) != 0 {
		t.Errorf("secrets where there are none: %v", d.Secrets[0].Paths())
	}
	if testing.Verbose() {
		t.Log(d)
	}
}

// TestRoundTripWhole does the same with every value on record, defaults too.
func TestRoundTripWhole(t *testing.T) {
	cfg := example(t, "mybinder")
	h := &cfg.Hubs[0]
	r := released(t, cfg, h)
	want, diags := expand.Complete(cfg, h.Address, nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	r.Values = hidden(resource.CopyValue(want)).(map[string]any)
	// A null on record deletes a default, as it does in a values file.
	if want, diags = expand.Complete(cfg, h.Address, resource.CopyValue(want).(map[string]any)); diags.HasErrors() {
		t.Fatal(diags)
	}
	d, err := adopt.Write(adopt.Facts{Cluster: adopt.Cluster{Name: "c", Known: adopt.NotKnown, Context: "c"}, Releases: []adopt.Release{r}})
	if err != nil {
		t.Fatal(err)
	}
	got, diags := expand.Complete(load(t, d), d.Blocks[r.Key], nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

const odd = "ends badly ${x} %{if} $${y} \\ \" \t\r\n\u0001\U000e0001é"

// TestTextsRoundTrip holds the writer of values to the reader of the language.
func TestTextsRoundTrip(t *testing.T) {
	values := map[string]any{
		"plain": "a", "empty": "", "odd": odd, "flush": "a\n  b\n\nc\n", "noend": "a\nb", "two": "a\nb\n\n", "indented": "  a\n  b\n",
		"blank": "a\n   \nb\n", "spaces": "a\n\t\tb \n c\n", "marker": "a\nEOT\nEOT_\n", "template": "a ${b}\n%{ for }\n$${c} $$ %%\n",
		"leading": "\na\nb\n", "quotes": "\"a\"\n'b' \\n\n", "crlf": "a\r\nb\r\n", "wide": "\u00a0a\nb\n", "first": "${a}\nb\n", "tabs": "\ta\nb\n",
		"for": "x", "null": "y", "a-b": int64(1), "1a": true, "a.b/c": nil, "${k}": "z", "ratio": 0.25, "large": int64(260e9), "tiny": 1e-7,
		"list":  []any{"a", int64(1), nil, []any{}, map[string]any{}, map[string]any{"t": "x\ny\n"}, []any{"deep\ntext"}},
		"table": map[string]any{"for": map[string]any{"a\nb": "c\nd\n"}},
		"long":  []any{strings.Repeat("a ", 30), strings.Repeat("b ", 30)},
	}
	r := adopt.Release{
		Key: adopt.Key{Namespace: "n", Name: "r"}, Status: "deployed", Source: schema.ChartSource{Source: "./chart"},
		Values: hidden(resource.CopyValue(values)).(map[string]any),
	}
	d, err := adopt.Write(adopt.Facts{Cluster: adopt.Cluster{Name: "c", Known: adopt.NotKnown, Context: "c"}, Releases: []adopt.Release{r}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(values, load(t, d).Charts[0].Values); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, d)
	}
}

// TestSecretsStayOut looks for every secret in what is written, and for what is
// none.
func TestSecretsStayOut(t *testing.T) {
	const secret = "s3cr3t-Wert-0815"
	values := map[string]any{
		"hub": map[string]any{
			"services": map[string]any{"binder": map[string]any{"apiToken": secret + "1"}},
			"config": map[string]any{
				"GitHubOAuthenticator": map[string]any{"client_secret": secret + "2", "client_id": "Iv1.abc", "oauth_callback_url": "https://h/cb"},
				"CryptKeeper":          map[string]any{"keys": []any{secret + "3"}},
			},
			"db":          map[string]any{"url": "postgres://u:" + secret + "4@db/hub"},
			"extraConfig": map[string]any{"10": "c.X.password = \"" + secret + "5\"\nprint()\n", "20": "c.Spawner.mem_limit = '2G'\n"},
			"extraEnv":    []any{map[string]any{"name": "GITHUB_TOKEN", "value": secret + "6"}, map[string]any{"name": "MODE", "value": "fast"}},
		},
		"imagePullSecrets": []any{map[string]any{"name": "regcred"}}, "existingSecret": "kept-elsewhere", "secretName": "tls",
		"auth": map[string]any{"tokenURL": "https://issuer/token", "token_url": "https://issuer/token"},
		"tls":  "-----BEGIN RSA PRIVATE KEY-----\n" + secret + "7\n", "cookie": "0123456789abcdef0123456789abcdef", "image": map[string]any{"tag": "0123456789abcdef0123456789abcdef"},
	}
	r := adopt.Release{
		Key: adopt.Key{Namespace: "prod", Name: "prod"}, Status: "deployed", Hub: schema.JupyterHub, Source: schema.ChartSource{Source: "builtin:jupyterhub"},
		Values: hidden(resource.CopyValue(values)).(map[string]any),
	}
	d, err := adopt.Write(adopt.Facts{Cluster: adopt.Cluster{Name: "c", Known: adopt.NotKnown, Context: "c"}, Releases: []adopt.Release{r}})
	if err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{secret, "0123456789abcdef0123456789abcdef\"\n  cookie"} {
		if strings.Contains(d.String(), leak) {
			t.Errorf("a secret is in the HCL:\n%s", d)
		}
	}
	if len(d.Secrets) != 1 || len(d.Secrets[0].Values) != 8 {
		t.Errorf("secrets: %v, want eight of them", d.Secrets)
	}
	for _, text := range []string{"regcred", "kept-elsewhere", `"tls"`, "Iv1.abc", "https://issuer/token", "mem_limit", `"fast"`} {
		if !strings.Contains(d.String(), text) {
			t.Errorf("%s is no secret, and not to be seen", text)
		}
	}
	cfg := load(t, d)
	given, diags := expand.Given(cfg, d.Blocks[r.Key])
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if diff := cmp.Diff(values, given); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if shown := fmt.Sprintf("%v %+v %#v", d.Secrets, d.Secrets, d.Secrets); strings.Contains(shown, secret) {
		t.Error("printing a draft shows its secrets")
	}
}
