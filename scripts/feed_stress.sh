#!/usr/bin/env bash
# Streams a sample of every feed format with one line of a gigabyte in its middle through the release binary, and compressed, as a bomb:
# it must end by itself, with counted refusals or an error, in bounded memory. In documents of JSON and XML the gigabyte is in a text.
#
#   scripts/feed_stress.sh [BYTES] [FORMAT..]     1 GiB, all formats
#
# Prints a table: format, what the line is made of, seconds of CPU, peak memory, entries loaded and refused, error. Exit 1 if a run
# panicked, was killed, or took more than LIMIT_MIB (96). From the environment: PICKET, the binary; FILLERS, what lines are made of
# (`x "`; others that say something: `[ {" \\ ,`).
# Takes minutes: no part of scripts/check.sh, whose tests do the same with 4 MiB (src/feed/tests.rs).
set -euo pipefail
cd "$(dirname "$0")/.."

PICKET=${PICKET:-target/release/picket}
LIMIT_MIB=${LIMIT_MIB:-96}
FILLERS=${FILLERS:-'x "'}
OUT=$(mktemp -d)
trap 'rm -rf "$OUT"' EXIT

# The sample of a format; dataset and iprep files have none of their own.
sample() {
    case $1 in
        native) cat feeds/native.jsonl ;;
        stix) cat feeds/stix.json ;;
        misp) cat feeds/misp.json ;;
        misp-warninglist) printf '{"name":"a","type":"hostname","version":1,"list":["a.example","b.example","192.0.2.1"]}' ;;
        openioc) cat feeds/openioc.ioc ;;
        zeek) cat feeds/zeek.intel ;;
        csv) cat feeds/table.csv ;;
        maltrail) cat feeds/malware/examplebot.txt ;;
        hosts) cat feeds/hosts.txt ;;
        adblock) cat feeds/adblock.txt ;;
        suricata) cat feeds/sample.rules ;;
        yara) cat feeds/sample.yar ;;
        suricata-dataset-string) printf 'ZXZpbC5leGFtcGxl\nbWFsd2FyZS50ZXN0\n' ;;
        suricata-dataset-md5) printf '%032d\n%032d\n' 1 2 ;;
        suricata-dataset-sha256) printf '%064d\n%064d\n' 1 2 ;;
        suricata-dataset-ipv4 | suricata-dataset-ip) printf '192.0.2.1\n192.0.2.2\n' ;;
        suricata-iprep) printf '192.0.2.1,1,10\n192.0.2.2,1,20\n' ;;
        *) cat feeds/plain.txt ;;
    esac
}

# What stands in the middle: so many bytes of one text over and over.
filler() {
    if [ ${#1} = 1 ]; then
        head -c "$2" /dev/zero | tr '\0' "$1"
    else
        { yes "$1" || true; } | tr -d '\n' | head -c "$2"
    fi
}

# stream FORMAT FILLER BYTES: half of the sample, the line, the other half
stream() {
    sample "$1" >"$OUT/sample"
    local half
    half=$(python3 - "$OUT/sample" <<'PY'
import sys
text = open(sys.argv[1], "rb").read()
half = len(text) // 2
texts = [at + len(start) for start in (b'": "', b'":"', b'">') if (at := text.find(start, half)) >= 0]
print(min(texts, default=half) if text.lstrip()[:1] in (b"{", b"[", b"<") else half)
PY
    )
    head -c $half "$OUT/sample"
    filler "$2" "$3" || true
    tail -c +$((half + 1)) "$OUT/sample"
}

# run FORMAT NAME INPUT..: reads it, prints a row
run() {
    local format=$1 name=$2 input=$3 code=0 what=()
    case $format in
        misp-warninglist) what=(feeds/plain.txt --allow "$format=$input") ;;
        *) what=("$format=$input") ;;
    esac
    \time -o "$OUT/time" -f '%U %S %M' "$PICKET" feed check "${what[@]}" --format json >"$OUT/report" 2>"$OUT/error" || code=$?
    read -r user system peak < <(tail -1 "$OUT/time")
    python3 - "$format" "$name" "$user" "$system" "$peak" "$code" "$OUT/report" <<'PY'
import json, sys
format, name, user, system, peak, code, path = sys.argv[1:]
try:
    file = json.load(open(path))["files"][0]
    said = f"{file['loaded'] + file['merged']:7} {sum(file['refused'].values()):8}  {file['error'] or ''}"
except (ValueError, KeyError, IndexError):
    said = "no report"
print(f"{format:24} {name:10} {float(user) + float(system):6.2f} {int(peak) / 1024:6.1f} {code:>4} {said}")
PY
    if [ "$code" -gt 1 ] || [ "$((peak / 1024))" -gt "$LIMIT_MIB" ]; then
        echo "$format $name: exit status $code, $((peak / 1024)) MiB" >>"$OUT/failed"
        cat "$OUT/error" >>"$OUT/failed"
    fi
}

main() {
    local bytes=$((1 << 30)) format name
    if [[ ${1:-} =~ ^[0-9]+$ ]]; then
        bytes=$1
        shift
    fi
    [ $# -gt 0 ] || set -- native stix misp misp-warninglist openioc zeek yara suricata suricata-dataset-string suricata-dataset-md5 \
        suricata-dataset-sha256 suricata-dataset-ipv4 suricata-dataset-ip suricata-iprep adblock maltrail hosts csv plain
    printf '%-24s %-10s %6s %6s %4s %7s %8s  %s\n' format line CPU_s MiB exit loaded refused error
    touch "$OUT/failed"
    for format in "$@"; do
        for name in $FILLERS; do
            # No writer outlives its reader: one that has enough ends the pipe.
            { stream "$format" "$name" "$bytes" || true; } 2>/dev/null | run "$format" "$name" /dev/stdin
        done
        stream "$format" x "$bytes" | gzip -1 >"$OUT/bomb.gz"
        run "$format" gzip "$OUT/bomb.gz"
    done
    if [ -s "$OUT/failed" ]; then
        cat "$OUT/failed" >&2
        return 1
    fi
}

main "$@"
