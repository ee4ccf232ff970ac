#!/bin/sh
# Runs the same seeds in two programs (or one program twice, in different numbers of processes) and compares the hashes
# of everything that was traced: determinism.sh SIM_A SIM_B [SMALL [LARGE]]. Compilers and optimisation must not matter.
set -eu
a=$1
b=$2
small=${3:-500}
large=${4:-4}

hash_of() {
    "$1" "$2" --count "$3" --first 7000000 --jobs "$4" --quiet | sed -n 's/.*hash \([0-9a-f]*\)$/\1/p'
}

for run in "small $small" "large $large"; do
    # shellcheck disable=SC2086 # two words are meant
    set -- $run
    one=$(hash_of "$a" "$1" "$2" 1)
    two=$(hash_of "$b" "$1" "$2" 2)
    if [ -z "$one" ] || [ "$one" != "$two" ]; then
        echo "$1: hash '$one' and hash '$two' differ" >&2
        exit 1
    fi
    echo "$1: $2 scenarios, $one both times"
done
