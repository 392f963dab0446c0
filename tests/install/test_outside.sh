#!/bin/sh
# timeout: 400
# make install, then programs outside the tree with pkg-config's flags alone: gcc and clang, C and C++, in one step
# and in two; the installed tree may be moved; uninstall leaves nothing.
set -eu
[ -z "${SAN:-}" ] || { echo "skipped: a sanitized library needs the sanitizer's flags"; exit 77; }
make=${MAKE:-make}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$1"; exit 1; }
installed() { (cd "$1" && find . -type f -o -type l | grep -v share/man | LC_ALL=C sort | tr '\n' ' '); }

all='./bin/gossamer-c++ ./bin/gossamer-cc ./bin/gossamer-seeds ./include/gossamer.h '
all="$all"'./include/gossamer/context.h ./include/gossamer/group.h '
all="$all"'./include/gossamer/libc/errno.h ./include/gossamer/trace.h ./lib/cmake/Gossamer/GossamerConfig.cmake '
all="$all"'./lib/cmake/Gossamer/GossamerConfigVersion.cmake ./lib/gossamer.static ./lib/gossamer.wrap '
all="$all"'./lib/gossamer/as/as '
all="$all"'./lib/gossamer/gcc.specs ./lib/gossamer/link/choose.awk ./lib/gossamer/link/ld.lld '
all="$all"'./lib/gossamer/link/thunk.s ./lib/libgossamer.a ./lib/libgossamer.so ./lib/libgossamer.so.0 '
version=$(sed -n 's/^#define GOS_VERSION_[MP][A-Z]* //p' runtime/include/gossamer.h | paste -sd .)
all="$all./lib/libgossamer.so.$version "'./lib/libgossamer_nonshared.a ./lib/pkgconfig/gossamer-static.pc '
all="$all"'./lib/pkgconfig/gossamer.pc '
$make B="$BUILD" install PREFIX="$work/first"
pages=$(find "$work/first/share/man/man3" -name 'gos*.3' | wc -l)
[ "$pages" -gt 60 ] || fail "$pages manual pages"
[ "$(installed "$work/first")" = "$all" ] || fail "installed: $(installed "$work/first")"
$make B="$BUILD" install PREFIX=/usr DESTDIR="$work/stage"
[ "$(installed "$work/stage/usr")" = "$all" ] || fail "staged: $(installed "$work/stage")"
$make B="$BUILD" uninstall PREFIX=/usr DESTDIR="$work/stage"
[ -z "$(find "$work/stage" -type f -o -type l)" ] || fail "left behind: $(find "$work/stage" -type f -o -type l)"

mv "$work/first" "$work/moved"
PKG_CONFIG_PATH=$work/moved/lib/pkgconfig
export PKG_CONFIG_PATH
cflags=$(pkg-config --cflags gossamer)

# build_and_run COMPILER SOURCE OPTIONS...
# shellcheck disable=SC2086  # flags are lists of words
build_and_run() {
    compiler=$1 source=$2
    shift 2
    command -v "$compiler" >/dev/null || fail "$compiler is missing: run make setup"
    rm -f "$work"/hello*
    cp "tests/install/$source" "$work"
    (cd "$work" && $compiler "$@" -Wall -Wextra -Werror $cflags "$source" $libs -o hello1) || fail "$compiler $*: build"
    (cd "$work" && $compiler "$@" $cflags -c "$source" -o hello.o && $compiler hello.o $libs -o hello2) ||
        fail "$compiler $*: build in two steps"
    for program in hello1 hello2; do
        out=$("$work/$program") || fail "$compiler $* $source: $program gave exit $?"
        [ "$out" = 1111 ] || fail "$compiler $* $source: $program printed '$out', not 1111"
    done
    echo "$compiler $* $source: ok"
}
for way in '-O0 gossamer-static' '-O2 gossamer'; do
    level=${way% *}
    libs=$(pkg-config --libs "${way#* }")
    build_and_run gcc hello.c $level
    build_and_run clang hello.c $level
    build_and_run g++ hello.cc $level
    build_and_run clang++ hello.cc $level
done
