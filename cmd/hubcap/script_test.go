package main

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hubcap/engine"
	"hubcap/engine/resource"
	"hubcap/providers/memory"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hubcap": main})
}

// The scripts are the specification of the command line. They run the real
// command over a world in memory that the file world.json keeps.
func TestScript(t *testing.T) {
	if signal.Ignored(syscall.SIGHUP) { // as under nohup: what is caught is not ignored by the programs that are started
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("..", "..", "testdata", "script"),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HUBCAP_MEMORY", filepath.Join(env.WorkDir, "world.json"))
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, ".state"))
			examples, err := filepath.Abs(filepath.Join("..", "..", "examples"))
			if err != nil {
				return err
			}
			env.Setenv("EXAMPLES", examples)
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, ".cache"))
			env.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(env.WorkDir))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       exits,
			"apiserver":   apiserver,
			"helmcluster": helmcluster,
			"release":     release,
			"edit":        edit,
			"foreign":     foreign,
			"seat":        seat,
			"interrupt":   signalled(os.Interrupt),
			"terminate":   signalled(syscall.SIGTERM),
			"hangup":      signalled(syscall.SIGHUP),
			"killed":      signalled(syscall.SIGKILL),
			"unread":      unread,
			"pack":        pack,
			"prometheus":  prometheus,
			"serve":       serve,
			"lives":       lives,
			"lock":        lock,
			"waitfor":     waitfor,
			"large":       large,
			"leaks":       leaks,
			"nothing":     nothing,
			"tidy":        tidy,
			"tamper":      tamper,
			"redate":      redate,
			"seals":       seals,
		},
	})
}

// exits runs a program and checks its exit code: exits CODE PROGRAM ARGS…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGS...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		got = exited.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// apiserver starts an API server that answers everything with one status, and
// writes a kubeconfig for it: apiserver STATUS KUBECONFIG
func apiserver(ts *testscript.TestScript, _ bool, args []string) {
	status, err := strconv.Atoi(args[0])
	ts.Check(err)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q,"message":%q}`,
			status, strings.ReplaceAll(http.StatusText(status), " ", ""), http.StatusText(status))
	}))
	ts.Defer(s.Close)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: %q}}]
users: [{name: u, user: {token: hunter2}}]
`, s.URL), 0o600))
}

// large makes a file of so many MiB: large FILE MIB
func large(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat([]byte("# a line of a file that is far too large for anybody\n"), n<<20/53), 0o644))
}

// open opens the world of the script.
func open(ts *testscript.TestScript) *memory.World {
	w, err := memory.Open("c", "default", ts.Getenv("HUBCAP_MEMORY"))
	ts.Check(err)
	return w
}

// keep makes the world write its file.
func keep(ts *testscript.TestScript, w *memory.World) {
	l, err := w.Lock(context.Background(), engine.Holder{Who: "the script"})
	ts.Check(err)
	ts.Check(l.Release(context.Background()))
}

func object(kind, name string) resource.ID {
	group := map[string]string{"Deployment": "apps"}[kind]
	return resource.ID{Cluster: "c", Group: group, Kind: kind, Namespace: "hub", Name: name}
}

// edit changes a field behind hubcap's back: edit KIND NAME MANAGER VALUE PATH…
// The value "-" removes it.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	w := open(ts)
	var value any = args[3]
	if args[3] == "-" {
		value = nil
	} else if n, err := strconv.ParseInt(args[3], 10, 64); err == nil {
		value = n
	}
	w.Edit(object(args[0], args[1]), args[2], value, args[4:]...)
	keep(ts, w)
}

// foreign makes an object that hubcap does not own: foreign KIND NAME
func foreign(ts *testscript.TestScript, _ bool, args []string) {
	w := open(ts)
	w.Put(object(args[0], args[1]), resource.Object{
		"apiVersion": "v1", "kind": args[0], "metadata": map[string]any{"name": args[1], "namespace": "hub"},
	}, "")
	keep(ts, w)
}

// seat puts people on the cluster: seat N
func seat(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	w := open(ts)
	w.Seat(resource.Census{Sessions: n, PerNamespace: map[string]int{"hub": n}})
	keep(ts, w)
}

// spelled returns what templates and programs make of a secret.
func spelled(secret string) []string {
	sha256sum, sha1sum := sha256.Sum256([]byte(secret)), sha1.Sum([]byte(secret))
	quoted := strconv.Quote(secret)
	encoded := base64.StdEncoding.EncodeToString([]byte(secret))
	backwards := []byte(secret)
	slices.Reverse(backwards)
	return []string{
		string(backwards), strings.ToLower(string(backwards)), strings.ToLower(secret[:8]),
		secret, quoted[1 : len(quoted)-1], strings.ToUpper(secret), strings.ToLower(secret), strings.TrimSpace(secret),
		encoded, base64.URLEncoding.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(encoded)),
		hex.EncodeToString([]byte(secret)), hex.EncodeToString(sha256sum[:]), hex.EncodeToString(sha1sum[:]),
		url.QueryEscape(secret), url.PathEscape(secret), secret[:8], secret[len(secret)-8:], encoded[:10],
		strings.ReplaceAll(secret, "-", "_"),
	}
}

// leaks checks that a file below a directory holds the value of a Secret of the
// world, plain or as base64, or one of the texts in any spelling, or with "!" that
// none does: leaks DIR [TEXT...]
func leaks(ts *testscript.TestScript, neg bool, args []string) {
	var secrets []string
	for _, text := range args[1:] {
		secrets = append(secrets, spelled(text)...)
	}
	for id, o := range open(ts).Objects() {
		data, _ := o.Value("data")
		values, _ := data.(map[string]any)
		for _, v := range values {
			text, isText := v.(string)
			if id.Kind != "Secret" || !isText || len(text) < 8 {
				continue // what is that short stands everywhere
			}
			secrets = append(secrets, text)
			if decoded, err := base64.StdEncoding.DecodeString(text); err == nil && len(decoded) >= 8 {
				secrets = append(secrets, string(decoded))
				if token := string(decoded); len(token) >= 16 && len(token) <= 64 && !strings.ContainsAny(token, " \n.") {
					secrets = append(secrets, spelled(token)...)
				}
			}
		}
	}
	if len(secrets) < 4 && len(args) == 1 {
		ts.Fatalf("only %d secrets to look for: the world is not what this test is about", len(secrets))
	}
	files, leaked := 0, 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		files++
		for i, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				ts.Logf("%s holds secret %d of %d", path, i+1, len(secrets))
				leaked++
			}
		}
		return err
	}))
	ts.Logf("%d secrets, %d files, %d leaks", len(secrets), files, leaked)
	if leaked > 0 == neg {
		ts.Fatalf("%d leaks", leaked)
	}
}

// lives checks that an object exists, or with "!" that it does not: lives KIND NAME
func lives(ts *testscript.TestScript, neg bool, args []string) {
	if _, exists := open(ts).Objects()[object(args[0], args[1])]; exists == neg {
		ts.Fatalf("%s/%s exists: %v", args[0], args[1], exists)
	}
}

// lock takes the cluster's lock as somebody else and keeps it: lock WHO
func lock(ts *testscript.TestScript, _ bool, args []string) {
	_, err := open(ts).Lock(context.Background(), engine.Holder{
		Who: args[0], Run: "20261121-120000-3f2a", When: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC),
	})
	ts.Check(err)
}

// waitfor waits until a file matches: waitfor FILE PATTERN
func waitfor(ts *testscript.TestScript, _ bool, args []string) {
	file, pattern := ts.MkAbs(args[0]), regexp.MustCompile(args[1])
	deadline := time.After(20 * time.Second)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		if text, err := os.ReadFile(file); err == nil && pattern.Match(text) {
			return
		}
		select {
		case <-deadline:
			ts.Fatalf("%s does not match %s", args[0], args[1])
		case <-look.C:
		}
	}
}

// nothing checks that no file below a directory holds a text: nothing DIR TEXT
func nothing(ts *testscript.TestScript, _ bool, args []string) {
	text := regexp.MustCompile(regexp.QuoteMeta(args[1]))
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil && text.Match(content) {
			ts.Fatalf("%s holds %q", path, args[1])
		}
		return err
	}))
}

// What differs from run to run, and what tidy puts in its place.
var fleeting = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`\b\d{8}-\d{6}-[0-9a-f]{4}\b`), "RUN"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?Z`), "TIME"},
	{regexp.MustCompile(`(?m)^( *)\d\d:\d\d:\d\dZ`), "${1}TIME"},
	{regexp.MustCompile(`\b\d+(\.\d+)?(ms|s|µs)\b`), "SPAN"},
	{regexp.MustCompile(`\bplan [0-9a-f]{12}\b`), "plan ID"},
	{regexp.MustCompile(`"(created|seconds|id|digest)": [^\n]*`), `"$1": …`},
}

// tidy writes stdout or stderr to a file, without what differs from run to run:
// tidy stdout FILE
func tidy(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	for _, f := range fleeting {
		text = f.pattern.ReplaceAllString(text, f.word)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}
