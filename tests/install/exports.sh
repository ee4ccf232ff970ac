#!/bin/sh
# The shared libraries export exactly the functions that the public headers declare with SKUA_API.
#   exports.sh INCLUDE_DIR LIBRARY HEADER [LIBRARY HEADER ...]
set -eu
include=$1
shift
status=0
while [ $# -gt 0 ]; do
  # A declaration may break its line after the type: join lines, then take the name before the first parenthesis.
  declared=$(tr '\n' ' ' <"$include/skua/$2" | grep -o 'SKUA_API [^;(]*(' | grep -o 'skua_[a-z0-9_]*(' | tr -d '(' | sort -u)
  exported=$(nm -D --defined-only "$1" | awk '{ print $3 }' | sort -u)
  for name in $exported; do
    if ! printf '%s\n' "$declared" | grep -qx "$name"; then
      echo "$1 exports $name, which $2 does not declare" >&2
      status=1
    fi
  done
  for name in $declared; do
    if ! printf '%s\n' "$exported" | grep -qx "$name"; then
      echo "$2 declares $name, which $1 does not export" >&2
      status=1
    fi
  done
  shift 2
done
exit $status
