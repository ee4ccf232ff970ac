#!/bin/sh
# A page that a program prints as a whole: page.sh check|update PROGRAM FILE
set -eu

scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT
"$2" >"$scratch"
if [ "$1" = update ]; then
    cmp -s "$3" "$scratch" || cat "$scratch" >"$3"
elif ! diff -u "$3" "$scratch"; then
    echo "$3 is not up to date: build the target docs_update" >&2
    exit 1
fi
