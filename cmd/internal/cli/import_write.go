package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// A fileJSON is one file of a draft as "import -o json" prints it.
type fileJSON struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// deliver writes the draft where it was asked for, and says what there is to say.
func (i *importing) deliver(proofs []proof) error {
	if i.secrets != "" && len(i.draft.Secrets) > 0 && exists(i.secrets) && !i.overwrite {
		return fmt.Errorf("write %s: it is there already, and its secrets are not replaced without --overwrite; nothing was written", i.secrets)
	}
	if i.out != "" {
		if err := i.writeFiles(); err != nil {
			return err
		}
	}
	if err := i.writeSecrets(); err != nil {
		return err
	}
	if err := i.answer(proofs); err != nil {
		return err
	}
	i.report(proofs)
	switch {
	case len(i.found.unreadable) > 0, slices.ContainsFunc(proofs, func(p proof) bool { return p.Problem != "" }):
		return silently(exitIncomplete)
	case slices.ContainsFunc(proofs, func(p proof) bool { return !p.Same || len(p.Refused)+len(p.NoKind) > 0 }):
		return silently(exitDiffers)
	}
	return nil
}

// chartFiles are the files of charts from the record, by their path on disk.
func (i *importing) chartFiles() map[string][]byte {
	all := map[string][]byte{}
	for _, r := range i.facts.Releases {
		for at, data := range i.uses[r.Key].files {
			all[below(i.base(), at)] = data
		}
	}
	return all
}

// checkFree says which of the files are there already, with other content.
func (i *importing) checkFree(files map[string][]byte) error {
	var taken []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch data, err := os.ReadFile(name); {
		case errors.Is(err, fs.ErrNotExist):
		case err == nil && string(data) == string(files[name]):
		default:
			taken = append(taken, name)
		}
	}
	if len(taken) == 0 || i.overwrite {
		return nil
	}
	more := ""
	if n := len(taken) - 1; n > 0 {
		more = fmt.Sprintf(", and %d more files,", n)
	}
	return fmt.Errorf("write %s: it%s is there already; nothing was written; to replace it say --overwrite", taken[0], more)
}

// writeFiles writes everything into the directory, or nothing: when what is then
// there does not load, it is taken back.
func (i *importing) writeFiles() error {
	files := i.chartFiles()
	for _, f := range i.draft.Files {
		files[filepath.Join(i.out, f.Name)] = f.Text
	}
	if err := i.checkFree(files); err != nil {
		return err
	}
	before := map[string][]byte{}
	undo := func() {
		for name, data := range before {
			if data == nil {
				os.Remove(name)
				for dir := filepath.Dir(name); dir != filepath.Clean(i.out) && os.Remove(dir) == nil; dir = filepath.Dir(dir) {
					continue // a directory that is empty now was made for the file
				}
			} else {
				_ = os.WriteFile(name, data, 0o644) // the error that led here is the one to tell
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		old, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			undo()
			return fmt.Errorf("write %s: %w", name, err)
		}
		before[name] = old
		if err := i.writeOne(name, files[name]); err != nil {
			undo()
			return err
		}
	}
	if err := i.loadAll(); err != nil {
		undo()
		return err
	}
	return nil
}

func (i *importing) writeOne(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := writeWhole(name, data); err != nil {
		return err
	}
	if err := os.Chmod(name, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// loadAll loads the whole config, what was there and what is new.
func (i *importing) loadAll() error {
	if len(i.draft.Files) == 0 {
		return nil
	}
	i.s.chdir = i.out
	for _, set := range i.draft.Secrets {
		i.s.vars = append(i.s.vars, set.Variable+"="+set.Literal())
	}
	l, err := i.s.read()
	if err != nil {
		return err
	}
	if l.diags.HasErrors() {
		i.s.warn("hubcap: what was written does not go with the config that is there, and was taken back:")
		return i.s.diagnose(l.diags, l.config.Files)
	}
	return nil
}

// writeSecrets writes the values of the sensitive variables, for nobody else to
// read.
func (i *importing) writeSecrets() error {
	if i.secrets == "" || len(i.draft.Secrets) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("# Secrets of Helm releases, for hubcap --var-file. Keep this file out of version control.\n")
	for _, set := range i.draft.Secrets {
		fmt.Fprintf(&b, "%s = %s\n", set.Variable, set.Literal())
	}
	return writeWhole(i.secrets, []byte(b.String())) // made with mode 0600
}

// answer prints the config, or what was written, or all of it as JSON.
func (i *importing) answer(proofs []proof) error {
	if i.s.output == asJSON {
		return i.answerJSON(proofs)
	}
	if i.out == "" {
		return i.s.print(i.draft.String())
	}
	var names []string
	for _, f := range i.draft.Files {
		names = append(names, filepath.Join(i.out, f.Name)+"\n")
	}
	return i.s.print(strings.Join(names, ""))
}

func (i *importing) answerJSON(proofs []proof) error {
	files := []fileJSON{}
	for _, f := range i.draft.Files {
		files = append(files, fileJSON{Name: f.Name, Text: string(f.Text)})
	}
	type secretJSON struct {
		Variable string   `json:"variable"`
		Paths    []string `json:"paths"`
	}
	secrets := []secretJSON{}
	for _, s := range i.draft.Secrets {
		secrets = append(secrets, secretJSON{s.Variable, s.Paths()})
	}
	type unsaidJSON struct {
		Block string `json:"block"`
		Field string `json:"field,omitempty"`
		Why   string `json:"why"`
	}
	unsaid := []unsaidJSON{}
	for _, u := range i.draft.Unsaid {
		unsaid = append(unsaid, unsaidJSON(u))
	}
	unreadable := i.found.unreadable
	if unreadable == nil {
		unreadable = []resource.Unreadable{}
	}
	return i.s.writeJSON(map[string]any{
		"format_version": "1.0", "files": files, "proofs": proofs, "secrets": secrets, "not_expressed": unsaid,
		"unreadable": unreadable, "skipped": append([]string{}, i.found.skipped...),
	})
}

// shownDifferences is how many fields, or objects, of one release are listed.
const shownDifferences = 20

// list prints the first of lines, and how many more there are.
func (i *importing) list(lines []string) {
	for n, line := range lines {
		if n == shownDifferences {
			i.s.warn("  and %d more", len(lines)-n)
			return
		}
		i.s.warn("  %s", line)
	}
}

// report says beside the answer what became of it.
func (i *importing) report(proofs []proof) {
	s := i.s
	for _, text := range i.found.skipped {
		s.warn("hubcap: %s", text)
	}
	for _, u := range i.found.unreadable {
		s.warn("hubcap: could not read %s: %s.", u.What, strings.TrimSuffix(u.Reason, "."))
	}
	for _, p := range proofs {
		switch {
		case p.Problem != "":
			s.warn("hubcap: %s (Helm release %s) is not proven: %s", p.Block, p.Release, p.Problem)
		case !p.Same:
			s.warn("hubcap: %s differs from Helm release %s:", p.Block, p.Release)
			i.list(p.Differences)
		case len(p.Refused)+len(p.NoKind) == 0:
			s.warn("hubcap: %s plans to nothing: its %d values and %d objects are those of Helm release %s.", p.Block, p.Values, p.Objects, p.Release)
		}
		if len(p.Refused) > 0 {
			s.warn("hubcap: apply would refuse %s, because of objects that are not of Helm release %s now:", p.Block, p.Release)
			i.list(p.Refused)
		}
		if len(p.NoKind) > 0 {
			s.warn("hubcap: apply would refuse %s, because %d of its %d objects are of kinds that the cluster does not have:", p.Block, len(p.NoKind), p.Objects)
			i.list(p.NoKind)
		}
	}
	if len(i.draft.Unsaid) > 0 {
		s.warn("hubcap: not expressed by blocks and attributes:")
	}
	for _, u := range i.draft.Unsaid {
		s.warn("  %s: %s", strings.TrimSuffix(u.Block+" "+u.Field, " "), u.Why)
	}
	i.reportSecrets()
	i.reportCharts()
	switch {
	case i.isEmpty():
		s.warn("hubcap: there is nothing to describe: no release and no node pool that is not left out. Nothing was written.")
	case len(i.draft.Files) == 0:
		s.warn("hubcap: there is nothing that is not described already.")
	case i.out != "":
		s.hint("To see what apply would do: hubcap plan --chdir %s%s", i.out, i.varFile())
	}
}

func (i *importing) varFile() string {
	if i.secrets == "" || len(i.draft.Secrets) == 0 {
		return ""
	}
	return " --var-file " + i.secrets
}

// reportSecrets says where the values of the sensitive variables are, or belong.
func (i *importing) reportSecrets() {
	n, names := 0, []string{}
	for _, s := range i.draft.Secrets {
		n += len(s.Values)
		names = append(names, "var."+s.Variable)
	}
	switch {
	case n == 0:
	case i.secrets != "":
		i.s.warn("hubcap: %d secrets are in %s, which is for --var-file and not for version control.", n, i.secrets)
	default:
		i.s.warn("hubcap: %d secrets are not in the config: %s. Without their values nothing plans; --secrets-file FILE writes them, for --var-file FILE.",
			n, strings.Join(names, ", "))
	}
}

// reportCharts says that charts have to be written, where they were not.
func (i *importing) reportCharts() {
	if i.out != "" {
		return
	}
	folders := map[string]bool{}
	for _, r := range i.facts.Releases {
		if u := i.uses[r.Key]; u.files != nil {
			folders[u.source.Source] = true
		}
	}
	for _, f := range slices.Sorted(maps.Keys(folders)) {
		i.s.warn("hubcap: the chart %s is from Helm's record, and not written: --out writes it.", f)
	}
}
