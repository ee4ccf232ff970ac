#!/usr/bin/env bash
# One command on a fresh Debian machine: installs what is missing, builds, runs the tests.
#   tests/run.sh [--clang | --aegis | --sanitize | --coverage | --fuzz SECONDS] [-- arguments for ctest]
#
#   (nothing)        release build with the default compiler
#   --clang          release build with clang
#   --aegis          release build with a newer libsodium (tools/newer-libsodium.sh), which adds AEGIS-128L; also lets it
#                    and the build with the system's libsodium talk to each other
#   --sanitize       address and undefined-behaviour sanitizers
#   --coverage       instrumented build; report in build/coverage/report
#   --fuzz SECONDS   each fuzz target in turn, SECONDS in all, starting from fuzz/corpus
#
# Warnings are errors where CI is set in the environment. SKUA_SIM_SMALL and SKUA_SIM_LARGE size the simulator's tests.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/packages.sh

preset=release
features=(build test)
fuzz_seconds=0
while [ $# -gt 0 ]; do
  case $1 in
  --clang) preset=clang features+=(clang) ;;
  --aegis) preset=aegis ;;
  --sanitize) preset=asan ;;
  --coverage) preset=coverage features+=(coverage) ;;
  --fuzz)
    preset=fuzz features+=(clang)
    [ $# -ge 2 ] || die "--fuzz needs a number of seconds"
    fuzz_seconds=$2
    [[ $fuzz_seconds =~ ^[1-9][0-9]*$ ]] || die "--fuzz: \"$2\" is not a number of seconds"
    shift
    ;;
  --help | -h)
    sed -n '2,/^set /{ /^set /d; s/^# \{0,1\}//; p }' "$0"
    exit 0
    ;;
  --)
    shift
    break
    ;;
  *) die "unknown option $1 (see --help)" ;;
  esac
  shift
done

need "${features[@]}"
jobs=$(nproc)
build=build/$preset

# Fuzzes every target of the build; the seconds are shared out, and as many run at a time as there are processors.
fuzz_all() {
  local -a targets
  mapfile -t targets < <(find "$build/fuzz" -maxdepth 1 -type f -executable -name 'fuzz_*' | sort)
  [ ${#targets[@]} -gt 0 ] || die "no fuzz targets in $build/fuzz"
  local each=$((fuzz_seconds * jobs / ${#targets[@]}))
  [ $each -ge 1 ] || each=1
  echo "fuzzing ${#targets[@]} targets, $each s each, $jobs at a time"
  mkdir -p "$build/found"
  local failed=0
  printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I{} tests/fuzz-one.sh {} "$each" "$build/found" || failed=1
  [ $failed -eq 0 ] || die "a fuzz target failed; inputs that show it are in $build/found"
}

if [ "$preset" = aegis ]; then
  tools/newer-libsodium.sh || die "no newer libsodium, so AEGIS-128L cannot be tested here"
fi
options=()
if [ -n "${CI:-}" ]; then
  options+=(-DSKUA_WERROR=ON)
fi
if command -v ccache >/dev/null; then
  options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
fi
cmake --preset "$preset" "${options[@]}" | grep -v '^-- \(Check\|Detecting\)' || die "configuring $preset failed"
cmake --build --preset "$preset" || die "building $preset failed"

if [ "$preset" = fuzz ]; then
  fuzz_all
  exit 0
fi
ctest --preset "$preset" --parallel "$jobs" "$@" || die "tests failed in $build"
if [ "$preset" = aegis ]; then
  cmake --preset release "${options[@]}" >/dev/null || die "configuring release failed"
  cmake --build --preset release --target interop_peer || die "building release failed"
  tests/interop.sh build/release build/aegis || die "builds with different libsodiums do not understand each other"
fi
if [ "$preset" = coverage ]; then
  mkdir -p "$build/report"
  gcovr --root . --object-directory "$build" --filter src/ --filter tools/ --print-summary \
    --html-details "$build/report/index.html"
fi
