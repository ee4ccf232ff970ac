#!/bin/sh
# Shows that check.sh finds each kind of violation, and nothing else: selftest.sh CHECK_SH
set -eu

check=${1:?usage: selftest.sh CHECK_SH}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

# A small tree that obeys all rules.
fresh() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree/include/skua" "$tree/tools/sub" "$tree/examples"
    for floor in base wire crypto packet cc stream conn endpoint trace io; do
        mkdir -p "$tree/src/$floor"
        echo '#include <stdint.h>' >"$tree/src/$floor/a.h"
    done
    echo '#include <stdbool.h>' >"$tree/include/skua/skua.h"
    echo '#include <ev.h>' >"$tree/include/skua/skua_ev.h"
    echo '#include <stdlib.h>' >"$tree/src/base/alloc.c"
    printf '#include "base/a.h"\n#include "packet/a.h" /* why */\n' >"$tree/src/stream/b.c"
    printf '  #  include <sys/socket.h>\n#include "base/a.h"\n#include <skua/skua_ev.h>\n' \
        >"$tree/src/io/b.c"
    printf '#include <stdio.h>\n#include "own.h"\n#include "sub/x.h"\n' >"$tree/tools/main.c"
    echo '#include "own.h"' >"$tree/tools/sub/x.h"
    echo '#include <skua/skua_ev.h>' >"$tree/tools/own.h"
    echo '#include <skua/skua.h>' >"$tree/examples/echo.c"
}

# refuse FILE INCLUDE TEXT: with INCLUDE added to FILE, exactly one line, with TEXT, is printed.
refuse() {
    fresh
    echo "#include $2" >>"$tree/$1"
    if out=$("$check" "$tree"); then
        echo "not refused: $1: $2"
        failures=$((failures + 1))
    elif [ "$(printf '%s\n' "$out" | grep -c -F -- "$3")" != 1 ] ||
        ! printf '%s\n' "$out" | grep -q ', 1 against'; then
        printf 'refused otherwise: %s: %s\n%s\n' "$1" "$2" "$out"
        failures=$((failures + 1))
    fi
}

fresh
"$check" "$tree" || failures=$((failures + 1))
refuse src/base/a.h '"wire/a.h"' 'base must not include wire'
refuse src/wire/a.h '"crypto/a.h"' 'wire must not include crypto'
refuse src/stream/a.h '"cc/a.h"' 'stream must not include cc'
refuse src/stream/a.h '"conn/a.h"' 'stream must not include conn'
refuse src/conn/a.h '"io/a.h"' 'conn must not include io'
refuse src/endpoint/a.h '"trace/a.h"' 'endpoint must not include trace'
refuse src/conn/a.h '"a.h"' 'not of the form'
refuse src/conn/a.h '"../base/a.h"' 'not of the form'
refuse src/conn/a.h '"base/none.h"' 'no such file'
refuse src/conn/a.h '<time.h>' 'a system header'
refuse src/conn/a.h '<sys/socket.h>' 'a system header'
refuse src/conn/a.h '<stdlib.h>' 'a system header'
refuse src/conn/a.h '<skua/skua_ev.h>' 'the driver belongs'
refuse include/skua/skua.h '<sys/socket.h>' 'more than C'
refuse include/skua/skua.h '"base/a.h"' 'a public header'
refuse tools/main.c '"base/a.h"' 'programs include'
refuse tools/main.c '"../src/base/a.h"' 'programs include'
refuse examples/echo.c '"own.h"' 'programs include'

if "$check" "$tree/src" >/dev/null; then
    echo 'a folder without sources passes'
    failures=$((failures + 1))
fi
[ "$failures" = 0 ]
