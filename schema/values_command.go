package schema

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"hubcap/engine/resource"
)

// A Command is a program that prints values, as sops does of an encrypted file.
type Command struct {
	Dir     string // in which it runs; empty: the process's own
	Argv    []string
	Timeout time.Duration
}

// commandTime is how long a command may take that does not say.
const commandTime = 30 * time.Second

// plainNumber is how many digits a number in decrypted values may have. A longer
// one may be a secret, and a number cannot be hidden.
const plainNumber = 6

// valuesCommand appends what the command of one element prints.
func (b *body) valuesCommand(files []ValuesFile, v cty.Value, at hcl.Range) []ValuesFile {
	command, problem := b.commandIn(v)
	if problem != "" {
		b.errorAt(at, "Invalid values command", "%s Write { command = [\"sops\", \"-d\", \"secrets.yaml\"] }.", problem)
		return files
	}
	shown := "what " + path.Base(command.Argv[0]) + " prints"
	data, err := b.l.run(command)
	if err != nil {
		b.errorAt(at, "Values command that fails", "%s: %s.", strings.Join(command.Argv, " "), strings.TrimSuffix(err.Error(), "."))
		return files
	}
	tree, err := decodeYAML(data, lastWins)
	if err != nil {
		b.errorAt(at, "Invalid YAML", "Of %s, %s is not YAML. It is not shown, since it may be secret.", shown, yamlPlace(data, err))
		return files
	}
	b.warnOfHiddenLosses(data, shown, at)
	values, isMap := tree.(map[string]any)
	if !isMap && tree != nil {
		b.errorAt(at, "Values that are not a map", "%s must be keys and values at the top.", shown)
		return files
	}
	if where := longNumber(values, nil); where != nil {
		b.errorAt(at, "Number that cannot be hidden",
			"%s has a number of more than %d digits in %s, and only texts can be kept secret. Put quotes around it, or move it to a plain values file.",
			shown, plainNumber, strings.Join(where, "."))
		return files
	}
	hidden, _ := resource.Hide(values).(map[string]any)
	return append(files, ValuesFile{Path: shown, Values: hidden, Secret: true})
}

// commandIn reads { command = […], timeout = "…" }.
func (b *body) commandIn(v cty.Value) (Command, string) {
	if v.IsNull() || !v.IsWhollyKnown() || !v.CanIterateElements() || !v.Type().IsObjectType() && !v.Type().IsMapType() {
		return Command{}, "An element is the path of a file, or an object."
	}
	command := Command{Dir: b.scope.module.source.dir, Timeout: commandTime}
	for key, value := range v.AsValueMap() {
		switch key {
		case "command":
			list, err := convert.Convert(value, cty.List(cty.String))
			if err != nil || list.IsNull() || hasNull(list) || list.LengthInt() == 0 {
				return Command{}, "The command is a list of texts: a program and its arguments."
			}
			for it := list.ElementIterator(); it.Next(); {
				_, word := it.Element()
				command.Argv = append(command.Argv, word.AsString())
			}
		case "timeout":
			d, err := time.Duration(0), error(nil)
			if value.Type() == cty.String && !value.IsNull() {
				d, err = time.ParseDuration(value.AsString())
			}
			if err != nil || d <= 0 {
				return Command{}, `The timeout is a duration, as in "1m".`
			}
			command.Timeout = d
		default:
			return Command{}, fmt.Sprintf("A values command has no %q; there are command and timeout.", key)
		}
	}
	switch {
	case len(command.Argv) == 0 || command.Argv[0] == "":
		return Command{}, "The command is missing."
	case b.scope.module.source.builtin != nil:
		return Command{}, "A built-in module runs no commands."
	}
	return command, ""
}

// run runs a command, once for all blocks that name it.
func (l *loader) run(c Command) ([]byte, error) {
	if l.opts.Run == nil {
		return nil, errors.New("commands are not run here")
	}
	key := strings.Join(append([]string{c.Dir, c.Timeout.String()}, c.Argv...), "\x00")
	known, isKnown := l.printed[key]
	if !isKnown {
		known.data, known.err = l.opts.Run(c)
		l.printed[key] = known
	}
	return slices.Clone(known.data), known.err
}

// printed is what a command printed.
type printed struct {
	data []byte
	err  error
}

// yamlPlace names the line of a YAML error, and nothing of what stands there.
func yamlPlace(data []byte, err error) string {
	if line := lineNumber.FindString(valuesReason(data, err)); line != "" {
		return line
	}
	return "some of it"
}

// longNumber returns the path of a number that may be a secret.
func longNumber(v any, at []string) []string {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if found := longNumber(v[key], append(slices.Clone(at), key)); found != nil {
				return found
			}
		}
	case []any:
		for i, e := range v {
			if found := longNumber(e, append(slices.Clone(at), strconv.Itoa(i))); found != nil {
				return found
			}
		}
	case int64:
		if len(strings.TrimPrefix(strconv.FormatInt(v, 10), "-")) > plainNumber {
			return at
		}
	case float64:
		if len(strings.Trim(strconv.FormatFloat(v, 'g', -1, 64), "-.")) > plainNumber+1 {
			return at
		}
	case resource.Sensitive:
		return nil
	}
	return nil
}
