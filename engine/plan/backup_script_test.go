package plan

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// python runs Python 3, which the image of every hub has.
func python(t *testing.T, script string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 here")
	}
	cmd := exec.Command(path, append([]string{"-c", script}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

const makeDatabase = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE users (name TEXT)")
db.executemany("INSERT INTO users VALUES (?)", [("u%d" % i,) for i in range(5000)])
db.commit()
`

const countUsers = `
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM users").fetchone()[0])
`

// TestBackupScript runs the script of the backup's Job on real databases.
func TestBackupScript(t *testing.T) {
	dir := t.TempDir()
	database, file := filepath.Join(dir, "jupyterhub.sqlite"), filepath.Join(dir, "copy")
	if out, err := python(t, backupScript, database, file); err == nil || !strings.Contains(out, "nothing was backed up") {
		t.Errorf("no database: %v, %s", err, out)
	}
	if out, err := python(t, makeDatabase, database); err != nil {
		t.Fatal(out)
	}
	for range 2 { // a second attempt makes it again
		if out, err := python(t, backupScript, database, file); err != nil || !strings.Contains(out, "5000 users") {
			t.Errorf("%v, %s", err, out)
		}
	}
	if out, err := python(t, countUsers, file); err != nil || strings.TrimSpace(out) != "5000" {
		t.Errorf("the copy: %v, %s", err, out)
	}
	data, err := os.ReadFile(database)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(data) / 3; i < len(data)*2/3; i++ {
		data[i] = 0xff
	}
	for reason, content := range map[string][]byte{"damaged": data, "no database at all": []byte(strings.Repeat("x", 9000)), "empty": nil} {
		broken, copied := filepath.Join(dir, "broken"), filepath.Join(dir, "broken-copy")
		if err := os.WriteFile(broken, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := python(t, backupScript, broken, copied); err == nil {
			t.Errorf("%s: copied all the same: %s", reason, out)
		}
		left, err := filepath.Glob(copied + "*")
		if err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left, %v", reason, left, err)
		}
	}
}

// TestBackupOfABusyDatabase checks that the copy of a database in use is whole:
// what is being written is in it wholly or not at all.
func TestBackupOfABusyDatabase(t *testing.T) {
	dir := t.TempDir()
	database := filepath.Join(dir, "jupyterhub.sqlite")
	if out, err := python(t, makeDatabase, database); err != nil {
		t.Fatal(out)
	}
	busy := `
import sqlite3, subprocess, sys
script, source, target = sys.argv[1:4]
db = sqlite3.connect(source, timeout=60)
db.execute("INSERT INTO users VALUES ('half')")
copying = subprocess.Popen([sys.executable, "-c", script, source, target])
db.execute("INSERT INTO users VALUES ('other half')")
db.commit()
sys.exit(copying.wait())
`
	file := filepath.Join(dir, "copy")
	if out, err := python(t, busy, backupScript, database, file); err != nil {
		t.Fatalf("%v, %s", err, out)
	}
	if out, err := python(t, countUsers, file); err != nil || strings.TrimSpace(out) != "5000" && strings.TrimSpace(out) != "5002" {
		t.Errorf("the copy has %s users, %v", out, err)
	}
}
