#!/bin/sh
# Parts of the documentation that are made from something else.
#
#   regions.sh check|update ROOT DOCS_TABLES BEHAVIOUR FILE...
#
# In a Markdown file, the lines between
#     <!-- table: NAME -->    and    <!-- end -->    are what the program DOCS_TABLES prints for NAME
#     <!-- file: PATH -->     and    <!-- end -->    are the file PATH as a block of code
#     <!-- ladder: NAME -->   and    <!-- end -->    are the exchange of test NAME, drawn by the program BEHAVIOUR
#     <!-- behaviour: WHAT --> and   <!-- end -->    are what that program prints for WHAT
# `check` fails, with a diff, where they are not; `update` rewrites them. A file without any such
# part is an error: somebody must have removed the marks.
set -eu

mode=$1 root=$2 tables=$3 behaviour=$4
shift 4
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0

content() { # KIND ARGUMENT
    case $1 in
    table) "$tables" "$2" ;;
    file)
        printf '```%s\n' "${2##*.}"
        cat "$root/$2"
        printf '```\n'
        ;;
    ladder)
        printf '```\n'
        "$behaviour" ladder "$2"
        printf '```\n'
        ;;
    behaviour) "$behaviour" "$2" ;;
    *) return 1 ;;
    esac
}

# Writes the file anew, each part as it should be.
rewrite() { # FILE
    parts=0 inside=
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in
        '<!-- end -->')
            [ -n "$inside" ] || { echo "$1: end without a beginning" >&2; return 1; }
            inside=
            ;;
        '<!-- table: '*' -->' | '<!-- file: '*' -->' | '<!-- ladder: '*' -->' | '<!-- behaviour: '*' -->')
            [ -z "$inside" ] || { echo "$1: no end of: $inside" >&2; return 1; }
            inside=$line
            parts=$((parts + 1))
            kind=${line#<!-- } argument=${line#*: }
            printf '%s\n' "$line"
            content "${kind%%:*}" "${argument% -->}" || { echo "$1: cannot make: $line" >&2; return 1; }
            continue
            ;;
        esac
        [ -n "$inside" ] || printf '%s\n' "$line"
    done <"$1"
    [ -z "$inside" ] || { echo "$1: no end of: $inside" >&2; return 1; }
    [ "$parts" -gt 0 ] || { echo "$1: no part that is made from something else" >&2; return 1; }
}

for file; do
    if ! rewrite "$file" >"$scratch/new"; then
        status=1
    elif [ "$mode" = update ]; then
        cmp -s "$file" "$scratch/new" || cat "$scratch/new" >"$file"
    elif ! diff -u "$file" "$scratch/new"; then
        echo "$file is not up to date: build the target docs_update" >&2
        status=1
    fi
done
exit $status
