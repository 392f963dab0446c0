#!/bin/sh
# A build that found <sys/sdt.h> has probe points, which readelf and perf find in every program.
set -eu
echo '#include <sys/sdt.h>' | ${CC:-gcc} -E -x c - >/dev/null 2>&1 || {
    echo "skipped: no <sys/sdt.h> (systemtap-sdt-dev)"
    exit 77
}
notes=$(readelf -n "$BUILD/tests/debug/test_dump")
for probe in spawn park ready handoff grow; do
    printf '%s\n' "$notes" | grep -A1 'Provider: gossamer' | grep -q "Name: $probe\$" || {
        echo "no probe gossamer:$probe"
        exit 1
    }
done
