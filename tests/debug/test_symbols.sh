#!/bin/sh
# timeout: 300
# What dumps and the report of an overflow say of programs of all kinds: static and dynamic, at a fixed place and not,
# stripped, with a plug-in, and where there is no addr2line: names, or a file and a place in it.
set -eu
[ -z "${SAN:-}" ] || { echo "skipped: a sanitized library needs the sanitizer's flags"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
${MAKE:-make} B="$BUILD" install PREFIX="$tmp/gos" >/dev/null
export CC="${CC:-gcc}"
fail() { echo "$1"; exit 1; }

# Debian has no archive of libudev, which hwloc's wants: stand-ins that find no device.
cat >"$tmp/udev.c" <<'C'
void *udev_new(void) { return 0; }
void *udev_unref(void *udev) { return udev; }
void *udev_device_new_from_subsystem_sysname(void) { return 0; }
void *udev_device_get_property_value(void) { return 0; }
void *udev_device_unref(void *device) { return device; }
C

# build NAME OPTIONS...
build() {
    name=$1
    shift
    "$tmp/gos/bin/gossamer-cc" -g -O1 "$@" -o "$tmp/$name" >"$tmp/out" 2>&1 ||
        { cat "$tmp/out"; fail "$name: not built"; }
    cp "$tmp/$name" "$tmp/stripped-$name"
    strip "$tmp/stripped-$name"
}
# dump HOW PROGRAM LINE...: it ends well, and each line, a regular expression, is in its dump.
dump() {
    how=$1
    shift
    # shellcheck disable=SC2086
    timeout 60 $how >"$tmp/out" 2>&1 || fail "$how: exit $?: $(cat "$tmp/out")"
    for line; do
        grep -Eq "$line" "$tmp/out" || fail "$how: nothing like '$line' in: $(cat "$tmp/out")"
    done
}
# overflow PROGRAM: is told with its addresses, and is the end.
overflow() {
    code=0
    GOS_MAXSTACK=1m timeout 60 "$tmp/$1" overflow >"$tmp/out" 2>&1 || code=$?
    [ "$code" = 2 ] || fail "$1: overflow: exit $code: $(head -20 "$tmp/out")"
    grep -q '^fatal error: stack overflow' "$tmp/out" || fail "$1: $(head -20 "$tmp/out")"
    grep -Eq '\[0x[0-9a-f]+\]$' "$tmp/out" || fail "$1: no address: $(head -20 "$tmp/out")"
}

source=tests/debug/symbols_program.c
build pie $source
build fixed -no-pie -fno-pie $source
build static -static $source "$tmp/udev.c"
build static-pie -static-pie $source "$tmp/udev.c"
build plug.so -fPIC -shared tests/debug/symbols_plug.c
build plain-plug.so -g0 -fPIC -shared tests/debug/symbols_plug.c

parked='chan receive.*started with'
for kind in pie fixed static static-pie; do
    dump "$tmp/$kind" '^gossamer: 2 tasks' "$parked parks_in_program at .*symbols_program\.c:[0-9]+ " \
        '^    parks_in_program at .*symbols_program\.c:[0-9]+$'
    dump "$tmp/stripped-$kind" '^gossamer: 2 tasks' "$parked \? \(program\+0x[0-9a-f]+\)" \
        '^    \? \(program\+0x[0-9a-f]+\)$'
    overflow $kind
    overflow stripped-$kind
done
for kind in pie fixed; do
    dump "$tmp/$kind $tmp/plug.so" '^gossamer: 3 tasks' "$parked parks_in_plug at .*symbols_plug\.c:[0-9]+ " \
        '^    parks_further at .*symbols_plug\.c:[0-9]+$' '^    parks_in_plug at ' '^    parks_in_program at '
    dump "$tmp/stripped-$kind $tmp/plug.so" '^    parks_further at .*symbols_plug\.c:[0-9]+$' \
        '^    \? \(program\+0x[0-9a-f]+\)$'
    # What a library offers keeps its name.
    dump "$tmp/$kind $tmp/stripped-plug.so" "$parked parks_in_plug" '^    \? \(stripped-plug\.so\+0x[0-9a-f]+\)$'
    dump "$tmp/$kind $tmp/plain-plug.so" '^    parks_further$'
    dump "env PATH=/nowhere $tmp/$kind $tmp/plug.so" '^    parks_further\+0x[0-9a-f]+$' \
        '^    parks_in_program\+0x[0-9a-f]+$'
done
