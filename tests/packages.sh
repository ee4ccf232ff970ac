# shellcheck shell=bash
# Sourced by tests/run.sh and tools/demo.sh: installs the Debian packages that are missing, and only those.

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Whether a C program with the given headers compiles.
has_headers() {
  local header
  command -v cc >/dev/null || return 1
  for header in "$@"; do printf '#include <%s>\n' "$header"; done | cc -E - >/dev/null 2>&1
}

# Prints the packages that the given features need and this machine does not have.
missing_packages() {
  local feature
  for feature in "$@"; do
    case $feature in
    build)
      command -v gcc >/dev/null || echo gcc
      command -v cmake >/dev/null || echo cmake
      command -v ninja >/dev/null || echo ninja-build
      command -v pkg-config >/dev/null || echo pkg-config
      has_headers stdio.h || echo libc6-dev
      has_headers sodium.h || echo libsodium-dev
      has_headers ev.h || echo libev-dev
      ;;
    test)
      command -v g++ >/dev/null || echo g++
      command -v python3 >/dev/null || echo python3
      command -v spin >/dev/null || echo spin
      pkg-config --exists cmocka 2>/dev/null || echo libcmocka-dev
      ;;
    clang) command -v clang >/dev/null || echo clang ;;
    source) command -v dpkg-source >/dev/null || echo dpkg-dev ;;
    coverage) command -v gcovr >/dev/null || echo gcovr ;;
    esac
  done
}

# need build test ...: afterwards everything for these features is there, or the script has ended.
need() {
  local -a missing
  local -a sudo=()
  mapfile -t missing < <(missing_packages "$@")
  if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || die "missing: ${missing[*]} (Debian's names); no apt-get here, install them by hand"
    if [ "$(id -u)" -ne 0 ]; then
      command -v sudo >/dev/null || die "missing: ${missing[*]}; neither root nor sudo here to install them"
      sudo=(sudo)
    fi
    echo "installing: ${missing[*]}"
    "${sudo[@]}" apt-get -qq update || die "apt-get update failed"
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get -qq -y install "${missing[@]}" >/dev/null ||
      die "apt-get could not install: ${missing[*]}"
  fi
  local version
  version=$(cmake --version | sed -n 's/^cmake version \([0-9]*\.[0-9]*\).*/\1/p')
  if [ "$(printf '%s\n3.25\n' "$version" | sort -V | head -n 1)" != 3.25 ]; then
    die "cmake is $version; the presets need 3.25 or newer (Debian 12 has it)"
  fi
}
