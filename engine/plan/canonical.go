package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// canonical reports how the text of a document differs from the one form that hubcap
// writes: a key that is there twice, something that follows, other spaces. It knows
// nothing of what the keys mean, so it holds for every version.
func canonical(document []byte) error {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	if err := uniqueKeys(d); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows it")
	}
	var compact, text bytes.Buffer
	if err := json.Compact(&compact, document); err != nil {
		return err
	}
	if err := json.Indent(&text, compact.Bytes(), "", "  "); err != nil {
		return err
	}
	text.WriteByte('\n')
	if !bytes.Equal(text.Bytes(), document) {
		return fmt.Errorf("it is not laid out as hubcap writes it, from line %d on", firstOther(document, text.Bytes()))
	}
	return nil
}

// uniqueKeys reads one value and reports a key that one of its objects has twice:
// which of the two counts would be anybody's guess.
func uniqueKeys(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	delim, isDelim := token.(json.Delim)
	if !isDelim {
		return nil
	}
	seen := make(map[string]bool)
	for d.More() {
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			name := fmt.Sprint(key)
			if seen[name] {
				return fmt.Errorf("the key %q is there twice", name)
			}
			seen[name] = true
		}
		if err := uniqueKeys(d); err != nil {
			return err
		}
	}
	_, err = d.Token() // the end of it
	return err
}

// firstOther returns the number of the first line in which two texts differ, from 1.
func firstOther(a, b []byte) int {
	line := 1
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			break
		}
		if a[i] == '\n' {
			line++
		}
	}
	return line
}
