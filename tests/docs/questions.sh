#!/bin/sh
# Checks that docs/behaviour.md answers every question of tests/behaviour and names the tests of each: questions.sh
# BEHAVIOUR FILE
#
# In FILE, "### NUMBER. QUESTION" begins an answer, and a line that begins with "Test:" or "Tests:" names its tests, each
# in backquotes. Every question has one.
set -eu

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$1" questions >"$scratch/asked"
sed -n 's/^### //p' "$2" >"$scratch/answered"
diff -u "$scratch/asked" "$scratch/answered" || { echo "$2: other questions than tests/behaviour/questions.def" >&2; exit 1; }

"$1" list | awk '{ print $2 + 0, $1 }' | sort >"$scratch/exist"
awk '
/^### / { number = $2 + 0; text = 0 }
/^## / { number = 0 }
/^Tests?:/ {
    n = split($0, part, "`")
    for (i = 2; i <= n; i += 2) {
        print number, part[i]
    }
}' "$2" | sort >"$scratch/named"
diff -u "$scratch/exist" "$scratch/named" || { echo "$2 names other tests than there are (number, name)" >&2; exit 1; }

cut -d ' ' -f 1 "$scratch/exist" | sort -u >"$scratch/tested"
"$1" questions | sed 's/\..*//' | sort | comm -23 - "$scratch/tested" >"$scratch/untested"
if [ -s "$scratch/untested" ]; then
    echo "questions without a test:" >&2
    cat "$scratch/untested" >&2
    exit 1
fi
