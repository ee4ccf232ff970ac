#!/bin/sh
# Runs one libFuzzer target for some seconds, starting from its corpus, and prints one line about it.
#   fuzz-one.sh TARGET SECONDS FOLDER_FOR_FINDINGS
set -eu
target=$1 seconds=$2 found=$3
name=$(basename "$target")
log=$found/$name.log
work=$found/$name.corpus # what the run adds stays out of the committed corpus
seeds=fuzz/corpus/${name#fuzz_}
mkdir -p "$work"
set -- "$work"
if [ -d "$seeds" ]; then
  set -- "$work" "$seeds"
fi
if ! "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
  -artifact_prefix="$found/$name-" "$@" >"$log" 2>&1; then
  printf '%-32s FAILED\n' "$name"
  tail -n 60 "$log"
  exit 1
fi
printf '%-32s %12s inputs tried\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
