#!/bin/sh
# timeout: 180
# libcurl, unchanged and blocking, from 1,000 tasks at once against the project's own server, over 1,000 connections.
set -eu
[ -z "${SAN:-}" ] || { echo "skipped: a sanitized library needs the sanitizer's flags"; exit 77; }
server=$BUILD/benches/server/server-gossamer
[ -x "$server" ] || { echo "skipped: no HTTP parser library"; exit 77; }
pkg-config --exists libcurl || { echo "skipped: no libcurl: apt-get install libcurl4-openssl-dev"; exit 77; }
[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 4000 ] || { echo "skipped: too few open files"; exit 77; }
ulimit -Sn 4000
tmp=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$tmp"' EXIT
${MAKE:-make} B="$BUILD" install PREFIX="$tmp/gos" >/dev/null
PKG_CONFIG_PATH="$tmp/gos/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
export PKG_CONFIG_PATH
# shellcheck disable=SC2046  # lists of words
${CC:-gcc} -O2 -g -Wall -Wextra -Werror $(pkg-config --cflags gossamer libcurl) tests/real/curl_tasks.c \
    $(pkg-config --libs gossamer libcurl) -o "$tmp/curl_tasks"
"$server" --port 0 >"$tmp/said" &
pid=$!
while ! grep -q listening "$tmp/said"; do sleep 0.05; done
port=$(sed -n 's/^listening //p' "$tmp/said")
timeout 150 "$tmp/curl_tasks" "$port" 1000
kill -TERM "$pid"
wait "$pid"
pid=
tail -n 1 "$tmp/said"
grep -q '"served": 3000, "refused": 0, "connections": 1000,' "$tmp/said"
