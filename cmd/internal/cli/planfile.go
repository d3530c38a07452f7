package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"hubcap/engine"
	"hubcap/engine/plan"
)

// largestPlan bounds a plan file; a larger one is something else.
const largestPlan = 256 << 20

// save writes the plan to a file that only its owner can read: the file is there
// whole or not at all.
func (s *session) save(ctx context.Context, e *engine.Engine, p *plan.Plan, file string) error {
	document, err := e.Document(ctx, p)
	if err != nil {
		return err
	}
	return writeWhole(file, document)
}

func writeWhole(file string, text []byte) (err error) {
	dir := filepath.Dir(file)
	f, err := os.CreateTemp(dir, "."+filepath.Base(file)+".*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", file, err)
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
