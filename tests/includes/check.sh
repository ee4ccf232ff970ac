#!/bin/sh
# Checks who includes whom: check.sh ROOT prints one line for each include that breaks a rule below
# and fails where there is one.
#
#   src/        a floor includes itself and lower floors ("floor/file.h"), never a neighbour of its
#               own height; the order is the table in `floors`
#   src/        the core is pure C: of the system it includes what `pure` lists; memory and stderr
#               (stdlib.h, stdio.h) only in base/, files in trace/ and everything in io/
#   include/    the core's header is self-contained: <skua/...> and pure C; skua_ev.h is free
#   tools/, examples/   only the public headers, the system's, and headers of their own folder
set -eu

root=${1:?usage: check.sh ROOT}
cd "$root"

# Headers, sources and tables; one line for each include: file, line, name with its quotes.
list_includes() {
    find src include tools examples -type f \( -name '*.[ch]' -o -name '*.def' \) 2>/dev/null |
        LC_ALL=C sort |
        while IFS= read -r file; do
            awk -v file="$file" '/^[ \t]*#[ \t]*include/ {
                name = $0
                sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
                sub(/[ \t]*(\/\*.*)?$/, "", name)
                print file "\t" FNR "\t" name
            }' "$file"
        done
}

# shellcheck disable=SC2016 # the $ are awk's
rules='
BEGIN {
    FS = "\t"
    floors = "base=0 wire=1 crypto=1 packet=2 handshake=3 recovery=3 cc=3 stream=3 path=3 " \
             "conn=4 endpoint=5 trace=5 io=6"
    n = split(floors, pair, " ")
    for (i = 1; i <= n; i++) {
        split(pair[i], part, "=")
        height[part[1]] = part[2]
    }
    pure_list = "assert.h errno.h inttypes.h limits.h sodium.h stdalign.h stdarg.h stdbool.h " \
                "stddef.h stdint.h string.h"
    n = split(pure_list, word, " ")
    for (i = 1; i <= n; i++) {
        pure[word[i]] = 1
    }
}

function complain(text) {
    print $1 ":" $2 ": " $3 ": " text
    bad++
}

function exists(path,    line, found) {
    found = (getline line < path) >= 0
    close(path)
    return found
}

function check_src(floor, quoted, name,    target) {
    if (!(floor in height)) {
        complain("not a known floor: " floor)
    } else if (quoted) {
        target = name
        sub(/\/.*/, "", target)
        if (target == name || !(target in height)) {
            complain("not of the form \"floor/file\"")
        } else if (!exists("src/" name)) {
            complain("no such file")
        } else if (target != floor && height[target] + 0 >= height[floor] + 0) {
            complain(floor " must not include " target)
        }
    } else if (name == "skua/skua_ev.h") {
        if (floor != "io") {
            complain("the driver belongs to io/")
        }
    } else if (name !~ /^skua\// && !(name in pure) && floor != "io" &&
               !(floor == "base" && (name == "stdlib.h" || name == "stdio.h")) &&
               !(floor == "trace" && name == "stdio.h")) {
        complain("a system header in the core")
    }
}

function check_public(file, quoted, name) {
    if (quoted) {
        complain("a public header uses <...>")
    } else if (file != "include/skua/skua_ev.h" && (name == "skua/skua_ev.h" ||
               (name !~ /^skua\// && (!(name in pure) || name == "sodium.h")))) {
        complain("the core header depends on more than C")
    }
}

function check_program(file, quoted, name,    folder) {
    folder = file
    sub(/\/[^\/]*$/, "", folder)
    if (quoted && (name ~ /(^|\/)\.\.\// || !(exists(folder "/" name) || exists(top "/" name)))) {
        complain("programs include <skua/...> and their own headers")
    }
}

{
    quoted = substr($3, 1, 1) == "\""
    name = substr($3, 2, length($3) - 2)
    split($1, step, "/")
    top = step[1]
    if (top == "src") {
        check_src(step[2], quoted, name)
    } else if (top == "include") {
        check_public($1, quoted, name)
    } else {
        check_program($1, quoted, name)
    }
    seen++
}

END {
    if (seen == 0) {
        print "no include found: wrong folder?"
        bad++
    }
    printf "%d includes, %d against the rules\n", seen, bad
    exit bad > 0
}'

list_includes | awk "$rules"
