# Reads what go test -v says, prints it without the tests that pass, and adds a line
# to the file "skips" for each test that was skipped: its package is not known, its
# name and its reason are.
/^=== / || /^ *--- PASS/ || /^PASS$/ { next }
/^ *[^ ]+\.go:[0-9]+: / { reason = $0; sub(/^ *[^ ]+\.go:[0-9]+: /, "", reason); held = held $0 "\n"; next }
/^ *--- SKIP/ {
	name = $0; sub(/^ *--- SKIP: /, "", name); sub(/ \([^)]*\)$/, "", name)
	print name ": " reason >> skips
	reason = ""; held = ""
	next
}
/^ok / || /no test files/ { held = ""; print; next }
{ printf "%s", held; held = ""; print }
