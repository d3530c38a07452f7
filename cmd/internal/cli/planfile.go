package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"hubcap/engine"
	"hubcap/engine/plan"
)

// largestPlan bounds a plan file; a larger one is something else.
const largestPlan = 256 << 20

// save writes the plan to a file that only its owner can read: the file is there
// whole or not at all. It takes the place of nothing but a plan.
func (s *session) save(ctx context.Context, e *engine.Engine, p *plan.Plan, file string) error {
	if err := replaceable(file); err != nil {
		return err
	}
	document, err := e.Document(ctx, p)
	if err != nil {
		return err
	}
	return writeWhole(file, document)
}

// replaceable refuses to write a plan over a file that is none, such as the config: what
// may be there is a plan of whatever version, or nothing at all.
func replaceable(file string) error {
	if file == "" {
		return nil
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("plan --out: %w", err)
	case !info.Mode().IsRegular():
		return usage("plan --out %s: it is no regular file; nothing was written", file)
	case info.Size() == 0:
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("plan --out: %w", err)
	}
	defer f.Close()
	var is struct {
		FormatVersion string `json:"format_version"`
		ID            string `json:"id"`
		Created       string `json:"created"`
	}
	if err := json.NewDecoder(io.LimitReader(f, largestPlan)).Decode(&is); err != nil || is.FormatVersion == "" || is.ID == "" || is.Created == "" {
		return usage("plan --out %s: the file exists and is no plan, and it is not overwritten; name another file, or remove it", file)
	}
	return nil
}

func writeWhole(file string, text []byte) (err error) {
	dir := filepath.Dir(file)
	f, err := os.CreateTemp(dir, "."+filepath.Base(file)+".*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", file, withoutPath(err))
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", file, withoutPath(err))
		}
	}()
	if _, err = f.Write(text); err != nil {
		f.Close()
		return err
	}
	if err = f.Sync(); err != nil {
		f.Close()
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

// withoutPath returns the cause of an error about a temporary file, whose name tells
// nobody anything.
func withoutPath(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// readPlan reads a plan file, as it is and decoded.
func readPlan(file string) ([]byte, *plan.Plan, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, fmt.Errorf("read plan: %w", err)
	}
	defer f.Close()
	document, err := io.ReadAll(io.LimitReader(f, largestPlan+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read plan %s: %w", file, err)
	}
	if len(document) > largestPlan {
		return nil, nil, fmt.Errorf("read plan %s: it is larger than %d MiB", file, largestPlan>>20)
	}
	p, err := plan.Decode(document)
	if err != nil {
		return nil, nil, fmt.Errorf("read plan %s: %w", file, err)
	}
	return document, p, nil
}
