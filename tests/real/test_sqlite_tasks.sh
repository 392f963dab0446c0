#!/bin/sh
# timeout: 300
# SQLite in TASKS tasks at once (1,000; TASKS=10000 for the proof), built as a user would: pkg-config alone.
# Then the same with SQLite as a shared library compiled without checks, by gossamer-cc: unchecked code called, each
# function on its own through a thunk, and calling back.
set -eu
[ -z "${SAN:-}" ] || { echo "skipped: a sanitized library needs the sanitizer's flags"; exit 77; }
source=build/programs/sqlite
[ -f $source/sqlite3.c ] || { echo "skipped: SQLite is not here: make setup-programs"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CC=${CC:-gcc}
export CC
${MAKE:-make} B="$BUILD" install PREFIX="$tmp/gos" >/dev/null
PKG_CONFIG_PATH=$tmp/gos/lib/pkgconfig
export PKG_CONFIG_PATH
cflags=$(pkg-config --cflags gossamer)
libs=$(pkg-config --libs gossamer)

# shellcheck disable=SC2086  # flags are lists of words
checked() {
    if $CC --version | grep -q clang; then # which cannot compile variadic functions with checks: SQLite has some
        echo "clang: SQLite as a shared library only"
        return
    fi
    $CC -w -O1 $cflags -c $source/sqlite3.c -o "$tmp/sqlite3.o"
    $CC -O1 $cflags -I$source tests/real/sqlite_tasks.c "$tmp/sqlite3.o" $libs -lm -o "$tmp/checked"
    timeout 120 "$tmp/checked" "${TASKS:-1000}"
}
# shellcheck disable=SC2086
shared() {
    $CC -w -O1 -fPIC -shared $source/sqlite3.c -lm -o "$tmp/libsqlite3.so"
    "$tmp/gos/bin/gossamer-cc" -O1 -I$source tests/real/sqlite_tasks.c -L"$tmp" -lsqlite3 -Wl,-rpath,"$tmp" \
        -o "$tmp/shared"
    timeout 120 "$tmp/shared" "${TASKS:-1000}"
}
checked
shared
