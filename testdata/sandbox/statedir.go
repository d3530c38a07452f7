package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A stateDir is a claimed directory: everything one sandbox writes is below it.
//
//	sandbox.json   the ports, so that a kept directory resumes at the same addresses
//	lock           held while a sandbox lives; names its process
//	kubeconfig     for the administrator, certificates included
//	*.crt, *.key   the certificates
//	etcd/, gke.json   the contents of the cluster and of the GKE emulator
//	log/           one file per program
type stateDir struct {
	path    string
	lock    *os.File
	resumed bool
	kept    bool
}

// A settings is what a kept directory remembers of the sandbox in it.
type settings struct {
	Ports ports `json:"ports"`
	Kept  bool  `json:"kept"`
}

const (
	settingsFile = "sandbox.json"
	temporary    = "hubcap-sandbox-*"
)

// claimDir makes path this process's own; "" means a new temporary directory. It refuses a directory
// with anything else in it, which release would otherwise remove.
func claimDir(path string) (*stateDir, error) {
	if path == "" {
		sweep()
		made, err := os.MkdirTemp("", temporary)
		if err != nil {
			return nil, fmt.Errorf("make state directory: %w", err)
		}
		path = made
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find state directory: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make state directory: %w", err)
	}
	d := &stateDir{path: path}
	if err := d.inspect(); err != nil {
		return nil, err
	}
	if err := d.take(); err != nil {
		return nil, err
	}
	return d, os.MkdirAll(d.file("log"), 0o700)
}

// inspect sets resumed, and fails on a directory that is no sandbox's.
func (d *stateDir) inspect() error {
	_, err := os.Stat(d.file(settingsFile))
	switch {
	case err == nil:
		d.resumed, d.kept = true, true
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("read state directory: %w", err)
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return fmt.Errorf("read state directory: %w", err)
	}
	for _, e := range entries {
		if e.Name() != "lock" {
			return fmt.Errorf("use state directory %s: it holds %s and no %s, so it is not a sandbox's; name an empty or a new one",
				d.path, e.Name(), settingsFile)
		}
	}
	return nil
}

// take locks the directory for the life of this process. The kernel lets go of the lock when the process
// ends, however it ends, so a lock left by a killed sandbox does not count.
func (d *stateDir) take() error {
	f, err := os.OpenFile(d.file("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock state directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(d.file("lock"))
		f.Close()
		return fmt.Errorf("lock state directory %s: a live sandbox (process %s) uses it", d.path, strings.TrimSpace(string(holder)))
	}
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("lock state directory: %w", err)
	}
	if _, err := fmt.Fprintln(f, os.Getpid()); err != nil {
		return fmt.Errorf("lock state directory: %w", err)
	}
	d.lock = f
	return nil
}

// sweep removes the temporary directories of sandboxes that were killed and could not do so themselves. What it
// cannot remove it leaves.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), temporary))
	for _, path := range dirs {
		d := &stateDir{path: path}
		s, err := d.load()
		if err != nil || s.Kept || d.take() != nil {
			continue // another's, wanted, or alive
		}
		_ = d.release()
	}
}

// release removes the directory, or only unlocks it when it is to be kept.
func (d *stateDir) release() error {
	defer d.lock.Close()
	if d.kept {
		return nil
	}
	return os.RemoveAll(d.path)
}

func (d *stateDir) file(name string) string { return filepath.Join(d.path, name) }

func (d *stateDir) load() (settings, error) {
	var s settings
	data, err := os.ReadFile(d.file(settingsFile))
	if err != nil {
		return s, fmt.Errorf("read state: %w", err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("read %s: %w", d.file(settingsFile), err)
	}
	return s, nil
}

func (d *stateDir) save(s settings) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	return writeWhole(d.file(settingsFile), append(data, '\n'))
}

// writeWhole replaces a file in one step, so that a reader or a resume never sees half of it.
func writeWhole(path string, data []byte) error {
	part := path + ".part"
	if err := os.WriteFile(part, data, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
