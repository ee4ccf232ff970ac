#!/bin/sh
# Lets spin check the model of opening and closing: run.sh check|mutants [-DNAME=VALUE...]
#
#   check      every run of the model must be right; with -DLOSSES=2 -DCOPIES=1 -DHASTY=1 -DABORTS=1 it takes hours
#   mutants    with each rule broken (-DBREAK_...) spin must find a run that is wrong: the model can fail
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mode=${1:-check}
[ $# -eq 0 ] || shift
if ! command -v spin >/dev/null; then
    echo "spin is not installed (Debian: spin): not checked"
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

# Translates and runs the model; what pan said is in the file "out". False where pan found something.
check() { # OPTIMISATION -DNAME...
    optimisation=$1
    shift
    rm -f ./*.trail
    cc -E -P -x c -I"$here/../../src" "$@" "$here/connection.pml" >model.pml
    spin -a model.pml >spin.out || { cat spin.out; exit 1; }
    cc "$optimisation" -w -DCOLLAPSE -DVECTORSZ=2048 -o pan pan.c
    ./pan -a -m100000 >out || { cat out; exit 1; }
    grep -q 'errors: 0$' out && [ ! -e model.pml.trail ]
}

if [ "$mode" = check ]; then
    if ! check -O1 "$@"; then
        spin -t -p -g model.pml | tail -n 150
        grep 'pan:' out
        exit 1
    fi
    grep -E 'errors:|states, stored|elapsed' out
    exit
fi

status=0
rules=$(sed -n 's/^#if.*\(BREAK_[A-Z_]*\).*/\1/p' "$here/connection.pml" | sort -u)
for rule in $rules; do
    aborts=0
    case $rule in *_FORGOTTEN) aborts=1 ;; esac # shows where somebody aborts
    if check -O0 -DLOSSES=1 -DCOPIES=0 -DHASTY=0 -DABORTS=$aborts "-D$rule"; then
        echo "$rule: spin finds nothing wrong with it" >&2
        status=1
    else
        echo "$rule: $(sed -n 's/^pan:1: //p' out)"
    fi
done
exit $status
