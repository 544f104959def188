#!/usr/bin/env bash
# Builds the fuzz targets with libFuzzer's instrumentation on stable Rust and runs each for a while.
#
#   scripts/fuzz.sh [SECONDS] [TARGET..]     300 seconds each, all targets
#
# Prints a table: target, executions, executions a second, coverage (libFuzzer's edges), crashes. Exit 1 if there was one; what
# crashed lies in fuzz/artifacts/TARGET/. From the environment: FUZZ_JOBS, targets at a time (2); FUZZ_OUT, a folder for corpus,
# artifacts and logs (fuzz/); FUZZ_TARGET_DIR, where it is built (fuzz/target); FUZZ_NO_BUILD. Needs a C++ compiler and python3.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/need.sh

TRIPLE=$(rustc -vV | sed -n 's/^host: //p')
OUT=$(realpath "${FUZZ_OUT:-fuzz}")
BUILD=$(realpath -m "${FUZZ_TARGET_DIR:-fuzz/target}")
SANCOV=-Cllvm-args=-sanitizer-coverage

main() {
    local seconds=300
    if [[ ${1:-} =~ ^[0-9]+$ ]]; then
        seconds=$1
        shift
    fi
    [ $# -gt 0 ] || set -- $(basename -s .rs fuzz/fuzz_targets/*.rs)
    [ -n "${FUZZ_NO_BUILD:-}" ] || build
    python3 scripts/fuzz_corpus.py "$OUT/corpus" >/dev/null
    mkdir -p "$OUT/logs"
    local failed=0
    printf '%s\n' "$@" | xargs -P "${FUZZ_JOBS:-2}" -I{} bash "$0" --one {} "$seconds" || failed=1
    table "$@"
    return $failed
}

# The passes are LLVM's own: what cargo-fuzz asks for, without the sanitizers that need nightly. Naming the target keeps them out
# of build scripts.
build() {
    need_cargo
    need_packages build-essential
    (cd fuzz && CARGO_TARGET_DIR=$BUILD RUSTFLAGS="-Cpasses=sancov-module $SANCOV-level=4 $SANCOV-inline-8bit-counters \
        $SANCOV-pc-table $SANCOV-trace-compares --cfg fuzzing -Ccodegen-units=16 -Cdebug-assertions -Coverflow-checks" \
        cargo build --release --target "$TRIPLE")
}

# one TARGET SECONDS
one() {
    local artifacts="$OUT/artifacts/$1/"
    mkdir -p "$artifacts"
    "$BUILD/$TRIPLE/release/$1" "$OUT/corpus/$1" -artifact_prefix="$artifacts" -max_total_time="$2" -rss_limit_mb=2048 \
        -timeout=10 -max_len=65536 -print_final_stats=1 >"$OUT/logs/$1.log" 2>&1
}

table() {
    printf '%-14s %12s %10s %9s %8s\n' target executions exec/s coverage crashes
    local target log
    for target in "$@"; do
        log=$OUT/logs/$target.log
        printf '%-14s %12s %10s %9s %8s\n' "$target" "$(stat_of number_of_executed_units "$log")" \
            "$(stat_of average_exec_per_sec "$log")" "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)" \
            "$(grep -c 'SUMMARY: libFuzzer' "$log" || true)"
    done
}

# stat_of NAME LOG
stat_of() {
    sed -n "s/^stat::$1: *//p" "$2"
}

if [ "${1:-}" = --one ]; then
    one "$2" "$3"
else
    main "$@"
fi
