package schema

import (
	"bytes"
	"flag"
	"fmt"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// oddValues are values that an attribute may be given by mistake.
var oddValues = []string{
	"null", `""`, `" "`, "-1", "1e400", "0.5", "true", "[]", "{}", "[null]", "{ a = null }", `[["x"], {}]`, `{ "" = "" }`,
	`hub.prod`, `hub.prod["a"]`, `[hub.prod["a"], node_pool.user]`, "node_pool.user", "{ user = qos_class.core, hub = hub.prod }",
	"var.password", "[var.password]", "{ user = var.password }", "1 / 0", `"\u0000"`, "local.users", `toset(["x"])`, `"${local.users}"`,
}

// stride is how many attributes share the odd values, unless -every is given.
const stride = 5

var every = flag.Bool("every", false, "write every odd value into every attribute")

// TestMain collects garbage as the command does.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}

// TestEveryAttributeTakesEveryValue writes every odd value into every attribute
// of a config with all blocks. It must be loaded or refused in order: without a
// panic, with a place for every message, and without showing what is sensitive.
// Without -every each attribute gets one value in five.
func TestEveryAttributeTakesEveryValue(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("loads some thousand configs")
	}
	file, diags := hclsyntax.ParseConfig([]byte(goodConfig), "main.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	attrs := attributesOf(file.Body.(*hclsyntax.Body))
	if len(attrs) < 150 {
		t.Fatalf("only %d attributes", len(attrs))
	}
	const parts = 4 // side by side
	for part := range parts {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			for i := part; i < len(attrs); i += parts {
				takesOddValues(t, i, attrs[i])
			}
		})
	}
}

// takesOddValues writes odd values into the i-th attribute.
func takesOddValues(t *testing.T, i int, attr *hclsyntax.Attribute) {
	t.Helper()
	if attr.Name == "default" || attr.Name == "sensitive" {
		return // those decide what is sensitive
	}
	name, at := t.TempDir()+"/main.hcl", attr.Expr.Range()
	for j, odd := range oddValues {
		if !*every && (i+j)%stride != 0 {
			continue
		}
		write(t, name, []byte(goodConfig[:at.Start.Byte]+odd+"\n"+goodConfig[at.End.Byte:]))
		if problem := loadsInOrder(name); problem != "" {
			t.Errorf("line %d, %s = %s: %s", at.Start.Line, attr.Name, odd, problem)
		}
	}
}

// loadsInOrder loads a file and says what is wrong with how that went.
func loadsInOrder(name string) (problem string) {
	defer func() {
		if r := recover(); r != nil {
			problem = fmt.Sprintf("panic: %v", r)
		}
	}()
	config, diags := Load(strings.TrimSuffix(name, "/main.hcl"), Options{Version: "1.0.0"})
	for _, d := range diags {
		if d.Subject == nil || d.Summary == "" || d.Detail == "" {
			return fmt.Sprintf("a message without place or words: %v", d)
		}
		if strings.Contains(d.Summary+d.Detail, "only-a-default") {
			return "a message shows what is sensitive"
		}
	}
	config.Files = nil // they hold the variable's default
	var out bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&out, nil, 0, false).WriteDiagnostics(diags); err != nil {
		return err.Error()
	}
	fmt.Fprintf(&out, "%+v %#v", config, config)
	if strings.Contains(out.String(), "only-a-default") {
		return "what is sensitive is shown: " + out.String()
	}
	return ""
}

func attributesOf(body *hclsyntax.Body) []*hclsyntax.Attribute {
	attrs := sortedAttributes(body)
	for _, block := range body.Blocks {
		attrs = append(attrs, attributesOf(block.Body)...)
	}
	return attrs
}
