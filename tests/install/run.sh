#!/bin/sh
# Installs a build tree into a folder of its own, moves it, and uses it as an outsider would: with pkg-config and with
# find_package, in C and C++, with the shared and with the static libraries. Every program is also run.
#   run.sh CMAKE BUILD_DIR WORK_DIR CC CXX
set -eu
cmake=$1 build=$2 work=$3 cc=$4 cxx=$5
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
warn='-Wall -Wextra -Wpedantic -Werror'

say() { printf '%s\n' "--- $*"; }

rm -rf "$work"
mkdir -p "$work/bin"
DESTDIR="$work/stage" "$cmake" --install "$build" --prefix /usr >"$work/install.log"
mv "$work/stage/usr" "$work/tree" # an installed tree can be moved
pc=$(dirname "$(find "$work/tree" -name skua.pc)")
PKG_CONFIG_PATH=$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
LD_LIBRARY_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH LD_LIBRARY_PATH

say "the tool"
if [ -x "$work/tree/bin/skua" ]; then
  "$work/tree/bin/skua" --version
fi

for library in skua skua_ev; do
  [ -f "$pc/$library.pc" ] || continue
  source=$here/project/use_$library.c
  say "$library: pkg-config, shared"
  # The lists of flags are meant to be split into words.
  # shellcheck disable=SC2046,SC2086
  {
    "$cc" -std=c11 $warn $(pkg-config --cflags $library) "$source" -o "$work/bin/c" $(pkg-config --libs $library)
    "$cxx" -std=c++11 $warn $(pkg-config --cflags $library) -x c++ "$source" -x none -o "$work/bin/cpp" \
      $(pkg-config --libs $library)
  }
  "$work/bin/c"
  "$work/bin/cpp"
  say "$library: pkg-config, static"
  # shellcheck disable=SC2046,SC2086
  "$cc" -std=c11 $warn $(pkg-config --cflags $library) "$source" -static -o "$work/bin/static" \
    $(pkg-config --static --libs $library) 2>"$work/static.log" || { cat "$work/static.log"; exit 1; }
  "$work/bin/static"
done

[ -f "$pc/skua_ev.pc" ] || exit 0
for static in OFF ON; do
  say "find_package, static libraries $static"
  project=$work/project-$static
  "$cmake" -S "$here/project" -B "$project" -DCMAKE_PREFIX_PATH="$work/tree" -Dskua_USE_STATIC_LIBS=$static \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" >"$work/configure.log"
  "$cmake" --build "$project" >"$work/build.log" || { cat "$work/build.log"; exit 1; }
  for program in skua_c skua_cpp skua_ev_c skua_ev_cpp; do
    "$project/$program"
  done
  if [ $static = ON ] && readelf -d "$project/skua_ev_c" | grep -q 'NEEDED.*libskua'; then
    echo "skua_USE_STATIC_LIBS still links a shared libskua" >&2
    exit 1
  fi
done
say "all good"
