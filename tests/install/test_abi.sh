#!/bin/sh
# The shared library has for others what runtime/libgossamer.symbols lists, no more and no less, and the archive has no
# public function that it lacks. The library's name, and what it needs of others.
set -eu
[ -z "${SAN:-}" ] || { echo "skipped: no shared library with sanitizers"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
list=runtime/libgossamer.symbols
fail() { echo "$1"; exit 1; }
major=$(sed -n 's/^#define GOS_VERSION_MAJOR //p' runtime/include/gossamer.h)
so=$BUILD/shared/libgossamer.so.$major

nm -D --defined-only "$so" | sed 's/^[^ ]* . //; s/@@/ /' | LC_ALL=C sort >"$tmp/has"
# listed FILE: is that what the library has?
listed() { grep -v -e '^#' -e '^$' "$1" | LC_ALL=C sort | diff - "$tmp/has" >"$tmp/diff"; }
listed $list || {
    sed -n "s|^> |$list lacks, but the library has: |p; s|^< |$list has, but the library lacks: |p" "$tmp/diff"
    fail "public: add it there. Not public: hide it. Gone or changed: that takes another GOS_VERSION_MAJOR"
}
# A list with a line more, or less, is noticed.
{ cat $list; echo 'gos_nothing GOSSAMER_0'; } >"$tmp/more"
! listed "$tmp/more" || fail "a symbol that the library lacks is not noticed"
grep -v '^gos_yield ' $list >"$tmp/less"
! listed "$tmp/less" || fail "a symbol that the list lacks is not noticed"

readelf -sW "$BUILD/libgossamer.a" | sed -n 's/.* FUNC  *GLOBAL DEFAULT  *[0-9][0-9]* \(gos_[a-z].*\)/\1/p' |
    LC_ALL=C sort -u >"$tmp/public"
[ -s "$tmp/public" ] || fail "no public function in the archive"
sed -n 's/^\(gos_[a-z][a-z_]*\) .*/\1/p' $list | LC_ALL=C sort | LC_ALL=C comm -23 "$tmp/public" - >"$tmp/lacks"
[ ! -s "$tmp/lacks" ] || fail "public functions that $list lacks: $(paste -sd ' ' "$tmp/lacks")"

readelf -d "$so" >"$tmp/dynamic"
grep -q "SONAME.*\[libgossamer.so.$major\]" "$tmp/dynamic" || fail "its name is not libgossamer.so.$major"
needs=$(sed -n 's/.*NEEDED.*\[\(.*\)\.so.*/\1/p' "$tmp/dynamic" | grep -vx -e libhwloc -e libc -e libm || :)
[ -z "$needs" ] || fail "it needs $needs"
! readelf -VW "$so" | grep -q PRIVATE || fail "it uses private names of the C library"
