#!/usr/bin/env bash
# Builds a libsodium that has AEGIS-128L (1.0.19 or newer) from the source package of a newer Debian suite, for machines
# whose own is older. Nothing on the machine changes, but for dpkg-dev where it is missing:
#   tools/newer-libsodium.sh [SUITE...]        default: forky sid; the first one that has it
#
# The result is in third_party/libsodium, which git ignores; `cmake --preset aegis`, or -DSKUA_SODIUM=third_party/libsodium,
# builds with it. Does nothing where that is already there. The mirror is the one that this machine's apt sources name,
# its proxies and certificates apply too, and what it sends must be signed by a key of debian-archive-keyring.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/packages.sh

oldest=1.0.19
prefix=$PWD/third_party/libsodium
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
flags="-O3" # with gcc 12, -O2 halves the speed of AES-256-GCM; AEGIS does not care

case ${1:-} in
--help | -h)
  sed -n '2,/^set /{ /^set /d; s/^# \{0,1\}//; p }' "$0"
  exit 0
  ;;
-*) die "unknown option $1 (see --help)" ;;
esac
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(forky sid)

# Written last: what it names is complete. The prefix is in it because the library's .pc file holds it too.
stamp=$prefix/skua-stamp
wanted="$prefix $flags"
if [ -f "$stamp" ] && [ "$(head -n 1 "$stamp")" = "$wanted" ]; then
  echo "libsodium $(tail -n 1 "$stamp") is in ${prefix#"$PWD"/}"
  exit 0
fi

command -v apt-get >/dev/null || die "no apt-get here; build libsodium $oldest or newer by hand and name its prefix: -DSKUA_SODIUM=DIR"
[ -r "$keyring" ] || die "$keyring is missing: install debian-archive-keyring"
need build source

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/state/lists/partial "$work"/cache/archives/partial "$work"/parts "$work"/source

# A configuration for apt of our own, beside the machine's: other lists, other sources, no hooks.
cat >"$work/apt.conf" <<EOF
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Dir::State "$work/state";
Dir::Cache "$work/cache";
Dir::Etc::SourceList "$work/newer.sources";
Dir::Etc::SourceParts "$work/parts";
EOF
newer_apt() { "apt-$1" --config-file "$work/apt.conf" "${@:2}"; }

# The archives that the machine's own sources name for its release, without security and other extra suites.
archives() {
  local codename
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
  apt-get --print-uris update 2>/dev/null |
    sed -n "s,^'\(.*\)/dists/\($codename\|stable\|oldstable\|testing\|unstable\|sid\)/InRelease'.*,\1,p" | awk '!seen[$0]++'
}

# find_source ARCHIVE SUITE: prints the version there; fails, with apt's words in the log, where there is none to use.
find_source() {
  printf '%s\n' "Types: deb-src" "URIs: $1" "Suites: $2" "Components: main" "Signed-By: $keyring" >"$work/newer.sources"
  printf '\n== %s %s\n' "$1" "$2" >>"$work/log"
  newer_apt get -qq update >>"$work/log" 2>&1 || return
  local version
  version=$(newer_apt cache showsrc libsodium 2>>"$work/log" | sed -n 's/^Version: //p' | sort -V | tail -n 1)
  if [ -z "$version" ] || dpkg --compare-versions "$version" lt "$oldest"; then
    echo "libsodium there: ${version:-none}; $oldest or newer is needed" >>"$work/log"
    return 1
  fi
  echo "$version"
}

explain() {
  cat "$work/log" >&2
  if grep -q NO_PUBKEY "$work/log"; then
    die "this machine's debian-archive-keyring lacks the newer suite's key: upgrade it (apt-get install debian-archive-keyring)"
  fi
  die "no libsodium of $oldest or newer to be had: is the mirror reachable? (suites tried: ${suites[*]})"
}

version=''
mapfile -t mirrors < <(archives)
[ ${#mirrors[@]} -gt 0 ] || die "this machine's apt sources name no Debian archive to ask"
for mirror in "${mirrors[@]}"; do
  for suite in "${suites[@]}"; do
    version=$(find_source "$mirror" "$suite") && break 2
  done
done
[ -n "$version" ] || explain

echo "libsodium $version from $suite"
(cd "$work/source" && newer_apt get -qq source "libsodium=$version") >>"$work/log" 2>&1 || explain

# Installed beside its place and moved there whole. CCACHE, if there, makes the second time quick.
compiler=${CC:-cc}
if command -v ccache >/dev/null; then
  compiler="ccache $compiler"
fi
(
  cd "$work"/source/libsodium-*/
  ./configure --prefix="$prefix" --libdir="$prefix/lib" --disable-dependency-tracking CC="$compiler" CFLAGS="$flags"
  make -j"$(nproc)"
  make install DESTDIR="$work/stage"
) >"$work/build.log" 2>&1 || {
  tail -n 30 "$work/build.log" >&2
  die "building libsodium $version failed"
}
printf '%s\n%s\n' "$wanted" "$version" >"$work/stage$stamp"
rm -rf "$prefix"
mkdir -p "${prefix%/*}"
mv "$work/stage$prefix" "$prefix"
echo "libsodium $version is in ${prefix#"$PWD"/}"
