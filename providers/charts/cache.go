package charts

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// The cache has every archive under its digest, and beside that one small file
// for each version of a chart that says which digest it had. Both are written
// aside and renamed, so that several hubcaps can share it. What cannot be kept is
// fetched again: no error of the cache is one of the caller's.

func (r *Resolver) archivePath(digest string) string {
	return filepath.Join(r.Cache, "archives", strings.ReplaceAll(digest, ":", "-")+".tgz")
}

func (r *Resolver) namePath(ref Ref) string {
	sum := sha256.Sum256([]byte(ref.Repository + "\n" + ref.Name))
	return filepath.Join(r.Cache, "names", hex.EncodeToString(sum[:]))
}

// read returns the archive of a digest. One that was damaged is as if it were
// not there.
func (r *Resolver) read(digest string) ([]byte, bool) {
	if r.Cache == "" || !digestForm.MatchString(digest) {
		return nil, false
	}
	data, err := os.ReadFile(r.archivePath(digest))
	if err != nil || digestOf(data) != digest {
		return nil, false
	}
	return data, true
}

// keep puts an archive into the cache.
func (r *Resolver) keep(ref Ref, a Archive) {
	if r.Cache == "" {
		return
	}
	// A version comes out of the archive, and becomes the name of a file.
	_, err := semver.NewVersion(a.Version)
	if replace(r.archivePath(a.Digest), a.Data) == nil && err == nil {
		// Without the name it is found by its digest only, which is all that a lock
		// needs.
		_ = replace(filepath.Join(r.namePath(ref), a.Version), []byte(a.Digest+"\n"))
	}
}

// kept returns the newest version in the cache that a ref allows.
func (r *Resolver) kept(ref Ref) (Archive, bool) {
	if r.Cache == "" {
		return Archive{}, false
	}
	entries, err := os.ReadDir(r.namePath(ref))
	if err != nil {
		return Archive{}, false
	}
	var versions []string
	for _, e := range entries {
		versions = append(versions, e.Name())
	}
	version, problem := choose(ref, versions)
	if problem != nil {
		return Archive{}, false
	}
	digest, err := os.ReadFile(filepath.Join(r.namePath(ref), version))
	if err != nil {
		return Archive{}, false
	}
	a := Archive{Version: version, Digest: strings.TrimSpace(string(digest))}
	var isKept bool
	a.Data, isKept = r.read(a.Digest)
	return a, isKept
}

// replace writes a file so that readers see the old one or the new one.
func replace(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error is the one that matters
	}
	return err
}

// WriteLock writes a lock to a file, which readers see whole or not at all.
func WriteLock(path string, l *Lock) error {
	if kept := originIn(path); kept != "" {
		l = l.WithOrigin(kept)
	}
	if err := replace(path, l.Format()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Chmod(path, 0o644)
}

// CreateLock writes the lock file where there is none, and all of it at once: of several
// that create it at the same time one does. It returns what the file holds then.
func CreateLock(path string, l *Lock) (*Lock, error) {
	whole := path + "." + DrawOrigin() // in the same directory, so that it can be linked
	if err := os.WriteFile(whole, l.Format(), 0o644); err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { _ = os.Remove(whole) }()
	if err := os.Link(whole, path); err != nil {
		if err := WriteLock(path, l); err != nil { // it exists, or the file system has no links
			return nil, err
		}
	}
	return l.WithOrigin(originIn(path)), nil
}

// originIn returns the origin that a lock file holds; empty: none, or it cannot be read.
func originIn(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	l, _, diags := ParseLock(data, path)
	if diags.HasErrors() {
		return ""
	}
	return l.Origin
}
