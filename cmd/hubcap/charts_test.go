package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// pack makes an archive of a chart's directory: pack DIR FILE
func pack(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[1])), 0o755))
	f, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	zipped := gzip.NewWriter(f)
	w := tar.NewWriter(zipped)
	ts.Check(filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(filepath.Dir(dir), path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Mode: 0o644, Size: int64(len(data))}); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}))
	ts.Check(w.Close())
	ts.Check(zipped.Close())
	ts.Check(f.Close())
}

// serve serves a directory of archives named NAME-VERSION.tgz as a chart
// repository, and sets a variable to its address; "serve -" ends it:
// serve DIR VARIABLE
func serve(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "-" {
		servers[ts.Getenv("WORK")].Close()
		return
	}
	dir := ts.MkAbs(args[0])
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/index.yaml" {
			http.FileServer(http.Dir(dir)).ServeHTTP(w, r)
			return
		}
		fmt.Fprintln(w, "apiVersion: v1\nentries:")
		archives, _ := filepath.Glob(filepath.Join(dir, "*.tgz")) // the pattern is a good one
		last := ""
		for _, path := range archives {
			name, version, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".tgz"), "-")
			data, err := os.ReadFile(path)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			if name != last {
				fmt.Fprintf(w, "  %s:\n", name)
				last = name
			}
			sum := sha256.Sum256(data)
			fmt.Fprintf(w, "  - {version: %s, urls: [%s], digest: %s}\n", version, filepath.Base(path), hex.EncodeToString(sum[:]))
		}
	}))
	ts.Defer(server.Close)
	servers[ts.Getenv("WORK")] = server
	ts.Setenv(args[1], server.URL)
}

// servers are the repositories that run, by directory of the script.
var servers = map[string]*httptest.Server{}
