#!/bin/sh
# timeout: 120
# find_package(Gossamer) in a project outside the tree: the shared library and the archive, right and wrong versions.
set -eu
[ -z "${SAN:-}" ] || { echo "skipped: a sanitized library needs the sanitizer's flags"; exit 77; }
command -v cmake >/dev/null || { echo "skipped: cmake is not installed"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail() { echo "$1"; cat "$tmp/out"; exit 1; }
version=$(sed -n 's/^#define GOS_VERSION_[MP][A-Z]* //p' runtime/include/gossamer.h | paste -sd .)
${MAKE:-make} B="$BUILD" install PREFIX="$tmp/first" >/dev/null
mv "$tmp/first" "$tmp/gos" # the tree may be moved
mkdir "$tmp/project"
cp tests/install/hello.c "$tmp/project"
cat >"$tmp/project/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.13)
project(hello C)
find_package(Gossamer ${WANT} REQUIRED)
add_executable(shared hello.c)
target_link_libraries(shared Gossamer::gossamer)
add_executable(static hello.c)
target_link_libraries(static PRIVATE Gossamer::static)
CMAKE
configure() { # wanted version
    rm -rf "$tmp/build"
    cmake -S "$tmp/project" -B "$tmp/build" -DCMAKE_PREFIX_PATH="$tmp/gos" -DWANT="$1" -DCMAKE_C_COMPILER="${CC:-gcc}" \
        -DCMAKE_BUILD_TYPE=Release >"$tmp/out" 2>&1
}
! configure 99 || fail "version 99 is said to be there"
grep -q "version: $version" "$tmp/out" || fail "it does not say which version is there"
configure "$version" || fail "find_package(Gossamer) does not find $version"
env -u MAKEFLAGS -u MFLAGS cmake --build "$tmp/build" >"$tmp/out" 2>&1 || fail "the project does not build"
for program in shared static; do
    [ "$("$tmp/build/$program")" = 1111 ] || fail "$program does not print 1111"
    readelf -d "$tmp/build/$program" | grep -q 'NEEDED.*libgossamer' && has=shared || has=static
    [ $has = $program ] || fail "$program has the library $has"
done
