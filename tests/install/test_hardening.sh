#!/bin/sh
# timeout: 120
# The library and programs linked by its flags: no executable stack, nothing writable and executable in the file or,
# while everything runs, in memory; RELRO, BIND_NOW, PIE; stack protector and FORTIFY in the library.
set -eu
[ -z "${SAN:-}" ] || { echo "skipped: a sanitized library needs the sanitizer's flags"; exit 77; }
CC=${CC:-gcc}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail() { echo "$1"; exit 1; }
${MAKE:-make} B="$BUILD" install PREFIX="$tmp/gos" >/dev/null
PKG_CONFIG_PATH=$tmp/gos/lib/pkgconfig
export PKG_CONFIG_PATH

# hard FILE: says what it lacks, and gives 1
hard() {
    readelf -lW "$1" >"$tmp/segments"
    readelf -dW "$1" >"$tmp/dynamic"
    readelf -hW "$1" | grep -q 'Type:.*DYN' || { echo "$1 is not position-independent"; return 1; }
    grep -q 'GNU_STACK.* RW ' "$tmp/segments" || { echo "the stack of $1 is executable"; return 1; }
    ! grep -q 'LOAD.* RWE ' "$tmp/segments" || { echo "$1 has a writable and executable segment"; return 1; }
    grep -q GNU_RELRO "$tmp/segments" || { echo "$1 has no RELRO"; return 1; }
    grep -q 'BIND_NOW\|FLAGS_1.*NOW' "$tmp/dynamic" || { echo "$1 binds lazily"; return 1; }
    ! grep -q TEXTREL "$tmp/dynamic" || { echo "$1 has relocations in its code"; return 1; }
}
cat >"$tmp/all.c" <<'C'
#include <gossamer.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static gos_waitgroup all;
static int deep(int n) { volatile char frame[1000]; frame[0] = 1; return n ? deep(n - 1) + frame[0] : frame[0]; }
static void task(void *arg)
{
    char text[100];
    usleep(1000);
    snprintf(text, sizeof text, "%d", deep((int)(long)arg));
    gos_sleep(1000000);
    gos_waitgroup_done(&all);
}
static int run(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&all, 300);
    for (long i = 0; i < 300; i++)
        gos_go(task, (void *)i);
    gos_sleep(5000000);
    char line[512];
    int bad = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        if (strstr(line, " rwx")) {
            fputs(line, stdout);
            bad = 1;
        }
    gos_waitgroup_wait(&all);
    return maps ? bad : 2;
}
int main(void) { return gos_run(run, 0); }
C
hard "$(echo "$tmp"/gos/lib/libgossamer.so.*.*.*)" || exit 1
for library in gossamer gossamer-static; do
    # shellcheck disable=SC2046
    "$CC" -O2 -fPIE -pie $(pkg-config --cflags $library) "$tmp/all.c" $(pkg-config --libs $library) -o "$tmp/$library"
    hard "$tmp/$library" || exit 1
    for debug in '' paged cold=10; do
        GOS_DEBUG=$debug timeout 30 "$tmp/$library" || fail "$library, $debug: exit $?: pages writable and executable"
    done
done
for example in "$BUILD"/examples/*_*; do
    case $example in *.*) ;; *) hard "$example" || exit 1 ;; esac
done
nm -D "$tmp"/gos/lib/libgossamer.so.* >"$tmp/names"
grep -q __stack_chk_fail "$tmp/names" || fail "the library has no stack protector"
case ${CFLAGS:--O2} in *-O0*) ;; *) grep -q ' U __.*_chk@' "$tmp/names" || fail "the library has no FORTIFY" ;; esac

# Each lack is noticed.
echo 'int main(void) { return 0; }' >"$tmp/main.c"
for flags in -no-pie -Wl,-z,execstack -Wl,-z,norelro -Wl,-z,lazy -Wl,--omagic; do
    "$CC" -pie -fPIE -fuse-ld=lld -Wl,-z,now $flags "$tmp/main.c" -o "$tmp/soft" 2>/dev/null || continue
    ! hard "$tmp/soft" >"$tmp/out" || fail "$flags is not noticed"
done
