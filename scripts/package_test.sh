#!/usr/bin/env bash
# The Debian package: built, looked into, installed, run on `lo` with its own configuration, purged, and nothing left of it.
#
#   scripts/package_test.sh               builds the program (release) and the package first
#   scripts/package_test.sh --no-build [PROFILE]
#                                         packs target/release/picket, or another profile's, as it is
#
# Installs on this machine, as root; skipped, and said, where that cannot be or where a picket is installed already. Ends with
# "N passed, N failed, N skipped" and 1 if anything failed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/need.sh

passed=0 failed=0 skipped=0
pass() { passed=$((passed + 1)); echo "ok: $1"; }
fail() { failed=$((failed + 1)); echo "FAILED: $1"; }
skip() { skipped=$((skipped + 1)); echo "SKIPPED: $1"; }
# check WHAT COMMAND.. : passes if the command does.
check() { local what=$1; shift; if "$@" >"$work/said" 2>&1; then pass "$what"; else fail "$what: $(tail -3 "$work/said")"; fi; }
# refuse WHAT COMMAND.. : passes if the command does not.
refuse() { local what=$1; shift; if "$@" >"$work/said" 2>&1; then fail "$what"; else pass "$what"; fi; }

work=$(mktemp -d)
sensor=""
installed=no
cleanup() {
    [ -z "$sensor" ] || kill -9 "$sensor" 2>/dev/null || true
    [ "$installed" = no ] || dpkg --purge picket >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

main() {
    need_cargo
    units
    build "$@" || { finish; return; }
    contents
    libraries
    if [ "$(id -u)" != 0 ]; then
        skip "install, run, purge: not root"
    elif dpkg -s picket >/dev/null 2>&1 || [ -e /etc/picket ] || getent passwd picket >/dev/null; then
        skip "install, run, purge: there is a picket on this machine already"
    else
        install_it
        run_it
        purge_it
    fi
    finish
}

units() {
    if command -v systemd-analyze >/dev/null; then
        # Of the unit alone: the program is not installed yet.
        systemd-analyze verify scripts/deploy/picket.service 2>&1 | grep -v "is not executable" >"$work/verify" || true
        check "systemd knows everything in the unit" test ! -s "$work/verify"
        check "the unit is hardened (exposure below 3 of 10)" \
            systemd-analyze security --offline=true --threshold=30 scripts/deploy/picket.service
    else
        skip "systemd-analyze is not here"
    fi
    if command -v systemd-sysusers >/dev/null; then
        check "sysusers" systemd-sysusers --dry-run "$PWD/scripts/deploy/picket.sysusers"
    fi
    if command -v logrotate >/dev/null; then
        check "logrotate" logrotate --debug --state "$work/state" scripts/deploy/picket.logrotate
    else
        skip "logrotate is not here"
    fi
    for script in scripts/deploy/debian/* scripts/deploy/collect.sh; do check "syntax of $script" sh -n "$script"; done
}

build() {
    if ! cargo deb --version >/dev/null 2>&1; then
        echo "installing cargo-deb"
        CARGO_TARGET_DIR=target/cargo-deb cargo install --quiet --locked cargo-deb ||
            { skip "cargo-deb is missing and could not be installed"; return 1; }
    fi
    local options=()
    if [ "${1:-}" = --no-build ]; then options+=(--no-build --profile "${2:-release}"); fi
    package=$work/picket.deb
    check "cargo deb" cargo deb --locked "${options[@]}" --output "$package"
    [ -e "$package" ]
}

contents() {
    dpkg-deb --contents "$package" >"$work/contents"
    for path in /usr/bin/picket /etc/picket/picket.toml /usr/lib/systemd/system/picket.service /usr/lib/sysusers.d/picket.conf \
        /usr/lib/tmpfiles.d/picket.conf /usr/share/doc/picket/examples/logrotate /usr/share/doc/picket/README.md; do
        check "the package has $path" grep -q " \.$path$" "$work/contents"
    done
    dpkg-deb --info "$package" >"$work/info"
    check "it depends on the libraries of the program" grep -q "Depends:.*libc6" "$work/info"
    dpkg-deb --ctrl-tarfile "$package" | tar -xO ./conffiles >"$work/conffiles"
    check "the configuration is a conffile" grep -qx /etc/picket/picket.toml "$work/conffiles"
    du -h "$package" | cut -f1 | sed 's/^/size of the package: /'
}

# What the Dockerfile copies is enough to run it: in a folder with nothing else.
libraries() {
    if [ "$(id -u)" != 0 ]; then skip "libraries of the image: chroot takes root"; return; fi
    dpkg-deb --extract "$package" "$work/extracted"
    scripts/deploy/collect.sh "$work/extracted/usr/bin/picket" "$work/image"
    check "the program runs with the libraries of the image alone" chroot "$work/image" /usr/bin/picket --version
    check "it checks a configuration there" \
        sh -c "cp '$work/extracted/etc/picket/picket.toml' '$work/image/c.toml' && chroot '$work/image' /usr/bin/picket config example | cmp - '$work/image/c.toml'"
    if command -v docker >/dev/null; then skip "docker is here, but images of other registries are not"; else skip "no docker: the image itself is not built"; fi
}

install_it() {
    installed=yes
    check "install" dpkg --install "$package"
    check "the user" getent passwd picket
    for directory in /var/lib/picket/feeds /var/lib/picket/spool /var/log/picket; do
        check "$directory is the sensor's" test "$(stat -c %U:%a "$directory")" = picket:750
    done
    check "others cannot read the configuration" test "$(stat -c %U:%G:%a /etc/picket/picket.toml)" = root:picket:640
    # As it is installed it names an interface that may not be here, and there are no feeds yet: that is for the owner to do.
    check "the installed configuration passes its own check" picket config check
    check "installing again (an upgrade)" dpkg --install "$package"
}

# As systemd would start it: user picket, two capabilities, a socket to be told through.
run_it() {
    if ! picket watch --help >/dev/null 2>&1; then skip "run: this picket has no watch"; return; fi
    if ! command -v setpriv >/dev/null || ! command -v python3 >/dev/null; then skip "run: no setpriv or python3"; return; fi
    cp feeds/plain.txt /var/lib/picket/feeds/
    sed -i 's/^interfaces = .*/interfaces = ["lo"]/; s/^ring_bytes = "64 MiB"/ring_bytes = "4 MiB"/; s/^max = 1000000/max = 10000/' /etc/picket/picket.toml
    install -d -m 0750 -o picket -g picket /run/picket
    python3 - "$work/notify" >"$work/told" <<'PYTHON' &
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
s.settimeout(60)
try:
    while True:
        print(s.recv(4096).decode(), flush=True)
except TimeoutError:
    pass
PYTHON
    local listener=$!
    chmod 755 "$work"
    while [ ! -S "$work/notify" ]; do sleep 0.05; done
    NOTIFY_SOCKET=$work/notify setpriv --reuid picket --regid picket --init-groups --inh-caps=-all,+net_raw,+net_admin \
        --ambient-caps=-all,+net_raw,+net_admin --bounding-set=-all,+net_raw,+net_admin --no-new-privs \
        /usr/bin/picket watch --config /etc/picket/picket.toml >"$work/out" 2>&1 &
    sensor=$!
    for _ in $(seq 300); do grep -q READY=1 "$work/told" && break; kill -0 "$sensor" 2>/dev/null || break; sleep 0.1; done
    check "it starts and says that it is ready" grep -q READY=1 "$work/told"
    grep -E '^(Uid|Cap|NoNewPrivs|Seccomp)' "/proc/$sensor/status" >"$work/status" 2>&1 || true
    for set in CapInh CapPrm CapEff CapAmb; do check "$set is empty" grep -qE "^$set:\s+0+$" "$work/status"; done
    check "no_new_privs" grep -qE '^NoNewPrivs:\s+1' "$work/status"
    check "system calls are filtered" grep -qE '^Seccomp:\s+2' "$work/status"
    refuse "its memory cannot be read by its own user" \
        setpriv --reuid picket --regid picket --clear-groups --inh-caps=-all --bounding-set=-all head -c1 "/proc/$sensor/maps"
    kill -TERM "$sensor"
    local code=0
    for _ in $(seq 300); do kill -0 "$sensor" 2>/dev/null || break; sleep 0.1; done
    wait "$sensor" || code=$?
    sensor=""
    check "it stops with 0" test "$code" = 0
    kill "$listener" 2>/dev/null || true
}

purge_it() {
    check "remove" dpkg --remove picket
    check "removing keeps the configuration" test -e /etc/picket/picket.toml
    check "purge" dpkg --purge picket
    installed=no
    refuse "the user is gone" getent passwd picket
    refuse "the group is gone" getent group picket
    find / -xdev \( -path /proc -o -path /work -o -path "$PWD" -o -path "$work" -o -path /tmp -o -path "$HOME" \) -prune \
        -o -name '*picket*' -print 2>/dev/null >"$work/left" || true
    check "nothing is left: $(tr '\n' ' ' <"$work/left")" test ! -s "$work/left"
}

finish() {
    echo "package test: $passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}

main "$@"
