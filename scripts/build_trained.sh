#!/usr/bin/env bash
# The release build, trained (profile-guided): built once with counters, run on captures, built again by what was counted. The same
# program, faster: README says by how much.
#
#   scripts/build_trained.sh [CAPTURE..]    captures to train on: your own are best; without any, the fixtures
#   Writes target/trained/picket. Takes twice as long as a release build.
#
# Needs the toolchain's llvm-profdata (rustup component add llvm-tools), and python3 for a long feed, so that loading is trained too.
set -euo pipefail
captures=()
for capture in "$@"; do
    captures+=("$(realpath -e -- "$capture")")
done
cd "$(dirname "$0")/.."
. scripts/need.sh

# The counts name functions as the compiler does: those of one build fit the next only if all else is alike.
build() {
    RUSTFLAGS="${RUSTFLAGS:-} $1" CARGO_TARGET_DIR=$work cargo build --locked --release --target "$host" --bin picket
}

train() {
    local threads
    for threads in 1 2; do
        "$counting" replay "$@" --threads $threads --alerts /dev/null --quiet "${captures[@]}"
    done
}

need_cargo
need_packages build-essential
command -v python3 >/dev/null || need_packages python3
host=$(rustc -vV | sed -n 's/^host: //p')
profdata=$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata
[ -x "$profdata" ] || rustup component add llvm-tools
[ $# -gt 0 ] || captures=(fixtures/pcaps/*.pcap*)

work=$PWD/target/training
counts=$work/counts
counting=$work/counting/picket
trained=target/trained
mkdir -p "$work/counting" "$trained"

build "-Cprofile-generate=$counts"
cp "$work/$host/release/picket" "$counting"
rm -rf "$counts"
feed=$(python3 -c 'import pathlib, sys; sys.path.insert(0, "scripts"); import bench; print(bench.generated_feed(pathlib.Path(sys.argv[1])))' "$work")
train --feed feeds/
train --feed "$feed"
"$profdata" merge -o "$work/picket.profdata" "$counts"/*.profraw

build "-Cprofile-use=$work/picket.profdata"
cp "$work/$host/release/picket" "$trained/picket"
echo "$trained/picket, trained on ${#captures[@]} captures"
