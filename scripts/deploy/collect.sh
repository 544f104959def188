#!/bin/sh
# collect.sh PROGRAM FOLDER : the program as FOLDER/usr/bin/picket, and every library that it asks for where it looks for it.
set -eu
program=$1 folder=$2
install -D -m 0755 "$program" "$folder/usr/bin/picket"
ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
    install -D -m 0755 "$library" "$folder$library"
done
# Found at run time by name: what resolves names of hosts.
for library in libnss_dns.so.2 libnss_files.so.2 libresolv.so.2; do
    path=$(ldconfig -p | grep -o "/[^ ]*/$library" | head -1)
    [ -z "$path" ] || install -D -m 0755 "$path" "$folder$path"
done
