package modules_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A real JupyterHub's database at the schema of JupyterHub 2, with a user.
const olderDatabase = `
import sqlite3, sys
from jupyterhub import orm
file = sys.argv[1]
db = orm.new_session_factory("sqlite:///" + file)()
db.add(orm.User(name="ada"))
db.commit()
db.close()
c = sqlite3.connect(file)
for table, column in (("oauth_codes", "scopes"), ("api_tokens", "scopes"), ("oauth_clients", "allowed_scopes")):
    c.execute("ALTER TABLE %s DROP COLUMN %s" % (table, column))
c.execute("UPDATE alembic_version SET version_num = '833da8570507'")
c.commit()
`

// What "jupyterhub --upgrade-db" does with a database.
const upgradeDatabase = `
import logging, sys
from jupyterhub import dbutil
dbutil.upgrade_if_needed("sqlite:///" + sys.argv[1], log=logging.getLogger())
`

// Says which schema a database has, whether this JupyterHub would start with it,
// and who is in it.
const lookAtDatabase = `
import sqlite3, sys
from sqlalchemy import create_engine
from jupyterhub import orm
try:
    orm.check_db_revision(create_engine("sqlite:///" + sys.argv[1]))
    fits = "fits"
except orm.DatabaseSchemaMismatch:
    fits = "does not fit"
c = sqlite3.connect(sys.argv[1])
print(c.execute("SELECT version_num FROM alembic_version").fetchone()[0], fits, c.execute("SELECT name FROM users").fetchall())
`

// TestRealHubBackup backs up the database of a real JupyterHub as hubcap's Job
// does, lets JupyterHub upgrade the original, and checks that the copy is what
// the older JupyterHub had.
func TestRealHubBackup(t *testing.T) {
	if os.Getenv(realHubEnv) == "" {
		t.Skipf("%s is not set", realHubEnv)
	}
	script, err := os.ReadFile("../engine/plan/backup.py")
	if err != nil {
		t.Fatal(err)
	}
	python, path := hubPython(t)
	run := func(code string, args ...string) string {
		t.Helper()
		cmd := exec.Command(python, append([]string{"-c", code}, args...)...)
		cmd.Env = append(os.Environ(), "PATH="+path)
		var out, log bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &log
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %s%s", err, &out, &log)
		}
		return strings.TrimSpace(out.String())
	}
	if version := run("import jupyterhub; print(jupyterhub.__version__)"); !strings.HasPrefix(version, "3.") {
		t.Skipf("how to make an older database is known for JupyterHub 3, and this is %s", version)
	}
	dir := t.TempDir()
	database, backup := filepath.Join(dir, "jupyterhub.sqlite"), filepath.Join(dir, "jupyterhub.sqlite.hubcap-1")
	run(olderDatabase, database)
	const before = "833da8570507 does not fit [('ada',)]"
	if got := run(lookAtDatabase, database); got != before {
		t.Fatalf("the database to begin with: %s", got)
	}
	if got := run(string(script), database, backup); !strings.Contains(got, "1 users") {
		t.Errorf("the backup says %q", got)
	}
	run(upgradeDatabase, database)
	if got := run(lookAtDatabase, database); strings.Contains(got, "does not fit") || !strings.Contains(got, "ada") {
		t.Errorf("the database after the upgrade: %s", got)
	}
	if got := run(lookAtDatabase, backup); got != before {
		t.Errorf("the backup after the upgrade: %s", got)
	}
}

// hubPython returns the Python that JupyterHub is installed for, and a search path
// on which its alembic is.
func hubPython(t *testing.T) (python, path string) {
	t.Helper()
	hub, err := exec.LookPath("jupyterhub")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(hub)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	python = strings.TrimPrefix(line, "#!")
	path = os.Getenv("PATH")
	if _, err := exec.LookPath("alembic"); err == nil {
		return python, path
	}
	shim := t.TempDir()
	command := "#!/bin/sh\nexec " + python + " -m alembic.config \"$@\"\n"
	if err := os.WriteFile(filepath.Join(shim, "alembic"), []byte(command), 0o700); err != nil {
		t.Fatal(err)
	}
	return python, shim + string(os.PathListSeparator) + path
}
