package modules

import (
	"cmp"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// An overlay is the file system base with the file system sub mounted in the
// folder at, which base itself does not have.
type overlay struct {
	base fs.FS
	at   string
	sub  fs.FS
}

// inside returns name as sub sees it, when name lies in the mounted folder.
func (o overlay) inside(name string) (string, bool) {
	if name == o.at {
		return ".", true
	}
	return strings.CutPrefix(name, o.at+"/")
}

// above tells whether name is a folder on the way to the mounted one.
func (o overlay) above(name string) bool {
	return name == "." || strings.HasPrefix(o.at, name+"/")
}

// Open opens the named file or folder.
func (o overlay) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if rest, found := o.inside(name); found {
		return o.sub.Open(rest)
	}
	if !o.above(name) {
		return o.base.Open(name)
	}
	entries, err := o.ReadDir(name)
	if err != nil {
		return nil, err
	}
	return &folderFile{info: mount(path.Base(name)), left: entries}, nil
}

// ReadDir lists the named folder, sorted by name.
func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	if rest, found := o.inside(name); found {
		return fs.ReadDir(o.sub, rest)
	}
	if !o.above(name) {
		return fs.ReadDir(o.base, name)
	}
	entries, err := fs.ReadDir(o.base, name)
	if err != nil && name == "." {
		return nil, err
	}
	way := strings.TrimPrefix(o.at, name+"/")
	first, _, _ := strings.Cut(way, "/")
	entries = append(entries, fs.FileInfoToDirEntry(mount(first)))
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// A mount is the information of a folder that only the overlay has.
type mount string

// Name returns the folder's own name.
func (m mount) Name() string { return string(m) }

// Size is zero, as for any folder.
func (mount) Size() int64 { return 0 }

// Mode says that it is a folder, to be read only.
func (mount) Mode() fs.FileMode { return fs.ModeDir | 0o555 }

// ModTime is the zero time, as for embedded files.
func (mount) ModTime() time.Time { return time.Time{} }

// IsDir is true.
func (mount) IsDir() bool { return true }

// Sys is nil.
func (mount) Sys() any { return nil }

// A folderFile is an open folder on the way to the mounted one.
type folderFile struct {
	info mount
	left []fs.DirEntry // not read yet
}

// Stat returns the folder's information.
func (f *folderFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Read fails: a folder has no bytes.
func (f *folderFile) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.info.Name(), Err: fs.ErrInvalid}
}

// Close does nothing.
func (f *folderFile) Close() error { return nil }

// ReadDir returns the next n entries, or all that are left when n is not
// positive, as [fs.ReadDirFile] wants.
func (f *folderFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(f.left)
	} else if len(f.left) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(f.left))
	next := f.left[:n:n]
	f.left = f.left[n:]
	return next, nil
}
