#!/bin/sh
# timeout: 60
# One version: that of gossamer.h is the Makefile's, the changelogs' and the library's. The tarball is the same each
# time it is made, and holds what the last commit holds.
set -eu
make=${MAKE:-make}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail() { echo "$1"; exit 1; }
version=$(sed -n 's/^#define GOS_VERSION_[MP][A-Z]* //p' runtime/include/gossamer.h | paste -sd .)
echo "$version" | grep -qx '[0-9]*\.[0-9]*\.[0-9]*' || fail "gossamer.h has no version: '$version'"
grep -m 1 '^## ' CHANGELOG.md | grep -qx "## $version" || fail "CHANGELOG.md does not begin with $version"
sed -n '1s/.*(\(.*\)-[0-9]*).*/\1/p' debian/changelog | grep -qx "$version" ||
    fail "debian/changelog is not of $version"
grep -q "^Package: libgossamer${version%%.*}\$" debian/control ||
    fail "debian/control's library is not of ${version%%.*}"
grep '^gos_run ' runtime/libgossamer.symbols | grep -qx "gos_run GOSSAMER_${version%%.*}" ||
    fail "runtime/libgossamer.symbols is not of ${version%%.*}"

git rev-parse -q --verify HEAD >/dev/null 2>&1 || { echo "no repository here: no tarball to make"; exit 0; }
$make dist >"$tmp/out" || fail "make dist fails"
tarball=$(tail -n 1 "$tmp/out")
[ "$tarball" = "build/gossamer-$version.tar.gz" ] || fail "make dist made $tarball"
cp "$tarball" "$tmp/first"
$make dist >/dev/null && cmp "$tarball" "$tmp/first" || fail "a second tarball is not the same"
mkdir "$tmp/tree"
tar -C "$tmp/tree" -xf "$tarball"
git ls-tree -r --name-only HEAD | LC_ALL=C sort >"$tmp/commit"
(cd "$tmp/tree/gossamer-$version" && find . -type f -o -type l) | sed 's,^\./,,' | LC_ALL=C sort >"$tmp/files"
cmp "$tmp/commit" "$tmp/files" || fail "the tarball does not hold what the commit holds"
# Without git.
env -u MAKEFLAGS -u MFLAGS -u B "$make" -C "$tmp/tree/gossamer-$version" B="$tmp/b" "$tmp/b/runtime/base/env.c.o" \
    >"$tmp/out" 2>&1 || { cat "$tmp/out"; fail "nothing can be built from the tarball"; }
