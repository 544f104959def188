#!/usr/bin/env bash
# Measures Picket beside the tools that are on PATH, on one capture: CPU, wall, memory, hits. Builds the release binary first.
# The capture is read anew from the disk before the first round, so that the page cache holds it alike whenever this runs.
#
#   scripts/bench.sh CAPTURE [FEED..]              feeds: given, or a generated one of 1.46 million entries
#   scripts/bench.sh --flood [FLOWS] [FEED..]      on a generated SYN flood (4 million flows) instead, and on its first half million
#   Writes benches/record/<arch>/<date>.csv too.
#   options: --rounds N (5)   --quick (no slow tools; --flood implies it)   --no-build   --no-record
#            --trained (the build of scripts/build_trained.sh instead; with --no-build as it was trained last)   --protocols NAMES (the only ones that Picket is to parse)
#
# The measuring itself is scripts/bench.py: python3 with nothing but its standard library (os.wait4 gives each child's CPU and peak memory).
set -euo pipefail
build=yes trained=no words=()
for word in "$@"; do
    case $word in
        --no-build) build=no ;;
        --trained) trained=yes ;;
        # Captures and feeds are named from where this is called.
        *) if [ -e "$word" ]; then words+=("$(realpath -- "$word")"); else words+=("$word"); fi ;;
    esac
done
cd "$(dirname "$0")/.."
. scripts/need.sh
command -v python3 >/dev/null || need_packages python3

[ $trained = no ] || words+=(--picket target/trained/picket --name picket-trained)
if [ $build = yes ]; then
    need_cargo
    if [ $trained = yes ]; then scripts/build_trained.sh; else cargo build --locked --release --quiet; fi
fi
exec python3 scripts/bench.py "${words[@]}"
