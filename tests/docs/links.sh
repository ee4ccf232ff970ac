#!/bin/sh
# Checks that what Markdown files point to inside the repository exists: links.sh FILE...
set -eu

status=0
for file; do
    # Targets of [text](target), but for other sites and parts of the same page; without "#part".
    targets=$(grep -o '](\([^)]*\))' "$file" | sed 's/^](//; s/)$//; s/#.*//' | grep -v '^$\|^https\{0,1\}:\|^mailto:' |
        sort -u) || true
    for target in $targets; do
        if [ ! -e "$(dirname "$file")/$target" ]; then
            echo "$file: there is no $target" >&2
            status=1
        fi
    done
done
exit $status
