#!/usr/bin/env bash
# Everything that must pass, in the order of what fails fastest. CI's only recipe and the README's test command.
#
#   scripts/check.sh            all of it
#   scripts/check.sh STEP..     only these: fmt clippy test live release watch package doc deny bench fuzz fixtures
#
# Prints each step's name and seconds. Needs a Debian-like machine with Rust; installs the rest where it can.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/need.sh

export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never} RUST_BACKTRACE=1
STEPS=(fmt clippy test live release watch package doc deny bench fuzz fixtures)

main() {
    need_cargo
    need_packages build-essential pkg-config libpcap-dev nats-server
    local wanted=("$@") summary="" step
    [ $# -gt 0 ] || wanted=("${STEPS[@]}")
    for step in "${wanted[@]}"; do
        echo "== $step"
        local start=$SECONDS
        "step_$step"
        echo "== $step: $((SECONDS - start)) s"
        summary+="$step $((SECONDS - start)) s, "
    done
    echo "== all passed: ${summary}total $SECONDS s"
}

step_fmt() {
    component rustfmt cargo-fmt
    cargo fmt --all --check
}

step_clippy() {
    component clippy cargo-clippy
    cargo clippy --locked --all-targets -- -D warnings
}

# What waits for interfaces, servers and clocks of this machine, and so for its mood.
LIVE=(live_capture watch watch_config watchdog console doctor metrics outputs kafka)

# librdkafka's mock cluster, which is built from C. Asked for in every test build, or the library would be built twice.
KAFKA=(--features kafka-test)

# Debug has overflow checks and debug assertions.
step_test() {
    local file name wanted=()
    for file in tests/*.rs tests/*/main.rs; do
        name=${file#tests/} name=${name%/main.rs} name=${name%.rs}
        [[ " ${LIVE[*]} " == *" $name "* ]] || wanted+=(--test "$name")
    done
    cargo test --locked "${KAFKA[@]}" --no-fail-fast --lib --bins --examples "${wanted[@]}"
    cargo test --locked "${KAFKA[@]}" --doc
}

# A machine that others share may stand still for seconds: what fails is tried once more, and that is said.
step_live() {
    local name
    for name in "${LIVE[@]}"; do
        cargo test --locked "${KAFKA[@]}" --test "$name" ||
            { echo "AGAIN: $name failed"; cargo test --locked "${KAFKA[@]}" --test "$name"; }
    done
}

# Users run optimised code, and the optimiser may differ: what goes from packets to alerts once more, and that nothing is allocated.
# Profile `ci` is the release profile but for the units it is built in.
step_release() {
    cargo test --locked --profile ci --no-fail-fast \
        --test golden --test segmentation --test fragments --test visibility --test no_alloc
}

# The optimised program on interfaces of its own, under a minute and a half: against replay, killed, confined. Once more if it fails, as in `live`.
step_watch() {
    cargo build --locked --profile ci --bin picket
    PICKET=$PWD/target/ci/picket scripts/live_test.sh ||
        { echo "AGAIN: live_test failed"; PICKET=$PWD/target/ci/picket scripts/live_test.sh; }
}

# Installs, runs and purges the Debian package on this machine; cargo-deb takes minutes to build, so only where it is there already.
step_package() {
    if cargo deb --version >/dev/null 2>&1; then
        cargo build --locked --profile ci --bin picket
        scripts/package_test.sh --no-build ci
    else
        echo "SKIPPED package: no cargo-deb (scripts/package_test.sh installs it)"
    fi
}

# Private items are documented too, so links to them are good links.
step_doc() {
    RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --locked --no-deps --document-private-items
}

step_deny() {
    if ! cargo deny --version >/dev/null 2>&1; then
        echo "installing cargo-deny"
        # Its own target folder under ours, so that a cached target/ helps the next run too.
        CARGO_TARGET_DIR=target/cargo-deny cargo install --quiet --locked cargo-deny ||
            { echo "SKIPPED deny: cargo-deny is missing and could not be installed"; return 0; }
    fi
    cargo deny --log-level error check licenses bans sources
    if cargo deny fetch db >/dev/null 2>&1; then
        cargo deny --log-level error check advisories
    else
        echo "SKIPPED deny advisories: the advisory database could not be fetched"
    fi
}

# Every benchmark once, to see that it runs and that its counts hold; no timing.
step_bench() {
    cargo bench --locked --profile ci -- --test
}

# Fuzzing proper takes hours (scripts/fuzz.sh). Here: the seeded mutations with another seed than the tests take.
step_fuzz() {
    PICKET_FUZZ_SEED=${PICKET_FUZZ_SEED:-2} cargo test --locked --profile ci --test never_panics
    rustfmt --check --edition 2024 fuzz/src/lib.rs fuzz/fuzz_targets/*.rs
}

step_fixtures() {
    if command -v python3 >/dev/null; then
        python3 scripts/make_fixtures.py --check && echo "fixtures are as scripts/make_fixtures.py makes them"
    else
        echo "SKIPPED fixtures: no python3"
    fi
}

# component RUSTUP-NAME PROGRAM
component() {
    command -v "$2" >/dev/null || rustup component add "$1"
}

main "$@"
