package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWriteWholeNamesItsFile fails to write: the error names the file that was given,
// and no temporary one.
func TestWriteWholeNamesItsFile(t *testing.T) {
	occupied := filepath.Join(t.TempDir(), "occupied")
	if err := os.MkdirAll(filepath.Join(occupied, "by"), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, why := range map[string]string{
		filepath.Join(t.TempDir(), "gone", "plan.json"): "no such file or directory",
		occupied: "file exists",
	} {
		err := writeWhole(file, []byte("{}"))
		if want := "write " + file + ": " + why; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
