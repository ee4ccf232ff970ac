#!/bin/sh
# Checks that docs/architecture.md names every source file, and none that does not exist: tree.sh ROOT
#
# Below a heading that ends in `folder/`, the first column of a table names files of that folder, as the shell would:
# `a.c`, `b.[ch]`, `link*`. All its files with the endings .c, .h, .def and .sh must be there.
set -eu
cd "$1"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

awk '
/^#/ {
    folder = ""
    if (match($0, /`[^`]*\/`$/)) {
        folder = substr($0, RSTART + 1, RLENGTH - 2)
        folders[folder] = 1
    }
}
folder != "" && /^\| `/ {
    split($0, cell, "|")
    n = split(cell[2], part, "`")
    for (i = 2; i <= n; i += 2) {
        print "named\t" folder part[i]
    }
}
END {
    for (folder in folders) {
        print "folder\t" folder
    }
}' docs/architecture.md >"$scratch/list"

status=0
sed -n 's/^named\t//p' "$scratch/list" | while IFS= read -r pattern; do
    # The pattern is meant to become file names.
    # shellcheck disable=SC2086
    for file in $pattern; do
        printf '%s\n' "$file"
        [ -f "$file" ] || { echo "docs/architecture.md names $file, which does not exist" >&2; touch "$scratch/bad"; }
    done
done >"$scratch/named"
folders=$(sed -n 's/^folder\t//p' "$scratch/list")
[ -n "$folders" ] || { echo "docs/architecture.md names no folder" >&2; exit 1; }
for folder in $folders; do
    for file in "$folder"*.c "$folder"*.h "$folder"*.def "$folder"*.sh; do
        [ ! -f "$file" ] || grep -qxF "$file" "$scratch/named" ||
            { echo "docs/architecture.md does not name $file" >&2; status=1; }
    done
done
# A folder of src/ without a heading would escape the check.
for folder in src/*/; do
    [ "$folder" = src/cmake/ ] || echo "$folders" | grep -qx "$folder" ||
        { echo "docs/architecture.md has no part on $folder" >&2; status=1; }
done
[ ! -e "$scratch/bad" ] || status=1
exit $status
