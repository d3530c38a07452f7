package cli

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"hubcap/cmd/internal/render"
	"hubcap/schema"
)

// formatting is one "fmt".
type formatting struct {
	s                      *session
	check, diff, recursive bool
	write                  bool
	changed, broken        int
}

func (s *session) fmtCommand() *cobra.Command {
	f := &formatting{s: s}
	c := &cobra.Command{
		Use: "fmt [FILE|DIR|-]...", GroupID: groupConfig,
		Short: "Lay the config's files out in the usual way",
		Long: `Rewrites *.hcl files in the usual layout and lists those that it changed. "-"
formats standard input to standard output. Without arguments it formats the
config's directory.`,
	}
	c.Flags().BoolVar(&f.check, "check", false, "change nothing; exit 1 when a file would be changed")
	c.Flags().BoolVar(&f.diff, "diff", false, "show what is changed")
	c.Flags().BoolVar(&f.recursive, "recursive", false, "format directories below as well")
	c.Flags().BoolVar(&f.write, "write", true, "write the files")
	c.RunE = func(_ *cobra.Command, given []string) error {
		if len(given) == 0 {
			given = []string{s.chdir}
		}
		for _, name := range given {
			if err := f.one(name); err != nil {
				return err
			}
		}
		if f.broken > 0 || f.check && f.changed > 0 {
			return silently(exitError)
		}
		return nil
	}
	return c
}

func (f *formatting) one(name string) error {
	if name == "-" {
		return f.stdin()
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return fmt.Errorf("format: %w", err)
	case !info.IsDir():
		return f.file(name)
	}
	return filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("format: %w", err)
		}
		hidden := strings.HasPrefix(d.Name(), ".") && path != name
		switch {
		case d.IsDir() && path != name && (!f.recursive || hidden):
			return filepath.SkipDir
		case d.IsDir() || hidden || filepath.Ext(path) != ".hcl":
			return nil
		}
		return f.file(path)
	})
}

func (f *formatting) stdin() error {
	src, err := io.ReadAll(f.s.in)
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	out, err := f.format(src, "<stdin>")
	if err != nil {
		return err
	}
	if !bytes.Equal(src, out) {
		f.changed++
	}
	switch {
	case f.diff:
		return f.show("<stdin>", src, out)
	case f.check:
		return nil
	}
	return f.s.print(string(out))
}

func (f *formatting) file(name string) error {
	src, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("format: %w", err)
	}
	out, err := f.format(src, name)
	if err != nil {
		f.broken++ // it was told; the other files are still formatted
		return nil
	}
	if bytes.Equal(src, out) {
		return nil
	}
	f.changed++
	if err := f.s.print(name + "\n"); err != nil {
		return err
	}
	if f.diff {
		if err := f.show(name, src, out); err != nil {
			return err
		}
	}
	if f.check || !f.write {
		return nil
	}
	return replaceFile(name, out)
}

func (f *formatting) show(name string, before, after []byte) error {
	return f.s.print(render.TextDiff(name, string(before), string(after), f.s.style(f.s.out)))
}

// format lays src out. What cannot be parsed is left as it is and told.
func (f *formatting) format(src []byte, name string) ([]byte, error) {
	out, diags := schema.Format(src, name)
	if err := f.s.diagnose(diags, map[string]*hcl.File{name: {Bytes: src}}); err != nil {
		return nil, err
	}
	return out, nil
}

// replaceFile writes a file whole or not at all, with the permissions it had; a
// link stays a link.
func replaceFile(name string, text []byte) error {
	target, err := filepath.EvalSymlinks(name)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := writeWhole(target, text); err != nil {
		return err
	}
	if err := os.Chmod(target, info.Mode().Perm()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
