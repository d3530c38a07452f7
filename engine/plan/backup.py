"""Copies a database of SQLite while it is in use, and checks the copy.

Arguments: the database, the copy. The copy appears whole or not at all.
"""
import os
import shutil
import sqlite3
import sys

source, target = sys.argv[1:3]
part = target + ".part"


def copy():
    if not os.path.exists(source):
        sys.exit("there is no database %s: nothing was backed up" % source)
    live = sqlite3.connect(source, timeout=60)
    if hasattr(live, "backup"):
        into = sqlite3.connect(part)
        live.backup(into)
        into.close()
    else:  # Python before 3.7: nobody writes while the file is copied
        live.execute("BEGIN IMMEDIATE")
        shutil.copyfile(source, part)
        live.rollback()
    live.close()


def check():
    made = sqlite3.connect(part)
    verdict = made.execute("PRAGMA integrity_check").fetchone()[0]
    if verdict != "ok":
        sys.exit("the copy is damaged: %s" % verdict)
    tables = {row[0] for row in made.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "users" not in tables:
        sys.exit("%s is no database of JupyterHub: it has no users" % source)
    users = made.execute("SELECT count(*) FROM users").fetchone()[0]
    made.close()
    return users


if os.path.exists(part):
    os.remove(part)
try:
    copy()
    users = check()
    with open(part, "rb+") as written:
        os.fsync(written.fileno())
    os.replace(part, target)
finally:
    if os.path.exists(part):
        os.remove(part)
print("%s: %d users, %d bytes, checked" % (target, users, os.path.getsize(target)))
