#!/bin/sh
# Checks that docs/behaviour.md answers every question of tests/behaviour and names the tests of each: questions.sh
# BEHAVIOUR FILE
#
# In FILE, "### NUMBER. QUESTION" begins an answer, and a line that begins with "Test:" or "Tests:" names its tests, each
# in backquotes. Every question has one, but those of this version that wait for their part of the protocol:
waiting="63 64"
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
# The list is words.
# shellcheck disable=SC2086
printf '%s\n' $waiting | sort | diff -u - "$scratch/untested" ||
    { echo "questions without a test are others than those named in tests/docs/questions.sh" >&2; exit 1; }
