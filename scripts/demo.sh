#!/usr/bin/env bash
# From a clean clone to alerts: installs what the build needs, builds the release binary, replays the fixture captures against
# the sample feeds, prints the alerts and the summary.
#
#   scripts/demo.sh             alerts as a table
#   scripts/demo.sh --format ecs
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/need.sh

need_cargo
need_packages build-essential
cargo build --locked --release
target=$(cargo metadata --format-version 1 --no-deps --locked | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
[ $# -gt 0 ] || set -- --format table
# The captures only: their goldens lie beside them.
exec "${target:-target}/release/picket" replay --feed feeds/ "$@" fixtures/pcaps/*.pcap*
