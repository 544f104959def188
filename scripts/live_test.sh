#!/usr/bin/env bash
# `picket watch` where it works: in a network namespace, on interfaces joined by a cable, fed by tcpreplay.
#
#   scripts/live_test.sh                 the short form (under a minute and a half): what CI runs
#   scripts/live_test.sh PART..          same loss soak crash privileges, in their long forms; OPTION=VALUE between them
#
#   same        every alert of a replay is raised live too, with 1, 2 and 4 workers, on the fixtures and on real captures (captures=FOLDER)
#   loss        tcpreplay at rising rates: sent, received, dropped, CPU, alerts lost, with and without a reload a second
#               (capture=FILE rates=N,N,.. seconds=N reload=yes|no|both workers=N record=FILE)
#   soak        minutes=N of traffic with reloads, links down, outputs away, full disks, storms of SIGHUP (capture=FILE rate=N record=FILE)
#   crash       kill -9 kills=N times under load: nothing that was spooled is missing, no file is damaged
#   privileges  what a running sensor may still do: /proc/PID/status of every thread, and calls made in it by ptrace
#
# PICKET=FILE is the program (the release build if not said). The parts are scripts/livelib/, python3's standard library alone.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/need.sh

if [ "$(id -u)" != 0 ] || ! unshare --net --mount --pid --fork true 2>/dev/null; then
    echo "SKIPPED live_test: no network namespaces here"
    exit 0
fi
need_packages tcpreplay iproute2 python3 nats-server
command -v tcpreplay >/dev/null || { echo "SKIPPED live_test: no tcpreplay"; exit 0; }
if [ -z "${PICKET:-}" ]; then
    need_cargo
    cargo build --locked --release --quiet
    PICKET=$PWD/target/release/picket
fi
export PICKET PYTHONPATH=$PWD/scripts PYTHONDONTWRITEBYTECODE=1
exec unshare --net --mount --propagation private --pid --fork --mount-proc --kill-child python3 -m livelib.main "$@"
