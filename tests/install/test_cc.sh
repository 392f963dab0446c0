#!/bin/sh
# timeout: 600
# Libraries without stack checks, called from nurseries directly, by address, through tables and virtual functions, by
# dlsym, with many and with variable arguments; shared and static; built by gossamer-cc and with pkg-config's flags. And
# checked code in a shared object that is opened at run time. All this with the shared library and with the static one.
set -eu
[ -z "${SAN:-}" ] || { echo "skipped: a sanitized library needs the sanitizer's flags"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
${MAKE:-make} B="$BUILD" install PREFIX="$tmp/gos"
CC=${CC:-gcc}
CXX=${CXX:-g++}
PKG_CONFIG_PATH=$tmp/gos/lib/pkgconfig
export CC CXX PKG_CONFIG_PATH
here=tests/install
cc_wrapped=$tmp/gos/bin/gossamer-cc
cxx_wrapped=$tmp/gos/bin/gossamer-c++

# run WHAT COMMAND...
run() {
    what=$1
    shift
    timeout 100 "$@" >"$tmp/out" 2>&1 || { echo "$what: exit $?"; head -40 "$tmp/out"; exit 1; }
}
# thunks NAME PROGRAM: that function has one there.
thunks() {
    nm "$2" | grep -q " __wrap_$1\$" || { echo "$2 has no thunk for $1"; exit 1; }
}

run "the library" "$CC" -O1 -fPIC -shared $here/third.c -o "$tmp/libthird.so"
run "the library's object" "$CC" -O1 -c $here/third.c -o "$tmp/third.o"
ar rcs "$tmp/libthird_static.a" "$tmp/third.o"
run "a checked library" "$cc_wrapped" -O1 -fPIC -shared $here/third_plug.c -o "$tmp/plug.so"
shared="-L$tmp -lthird -Wl,-rpath,$tmp"
static="-L$tmp -lthird_static"

run "the C++ library" "$CXX" -O1 -fPIC -shared $here/third_shapes.cc -o "$tmp/libshapes.so"
shapes="-L$tmp -lshapes -Wl,-rpath,$tmp"

# all OPTION PACKAGE: how the library comes in, for gossamer-cc and for pkg-config
all() {
    # shellcheck disable=SC2086  # lists of words, here and below
    run "gossamer-cc -O0, shared $1" "$cc_wrapped" -O0 $1 $here/third_tasks.c $shared -o "$tmp/shared"
    run "run: -O0, shared $1" env PLUG="$tmp/plug.so" "$tmp/shared"
    # shellcheck disable=SC2086
    run "gossamer-cc, static $1" "$cc_wrapped" -O2 $1 $here/third_tasks.c $static -o "$tmp/static"
    thunks third_add "$tmp/static"
    run "run: static, and by dlopen $1" env THIRD="$tmp/libthird.so" "$tmp/static"
    # shellcheck disable=SC2046,SC2086
    run "pkg-config $2" "$CC" -O2 $(pkg-config --cflags $2) $here/third_tasks.c $shared $(pkg-config --libs $2) \
        -o "$tmp/pc"
    thunks third_add "$tmp/pc"
    run "run: pkg-config $2" "$tmp/pc"
    # In two steps.
    run "gossamer-cc -c" "$cc_wrapped" -O2 -c $here/third_tasks.c -o "$tmp/tasks.o"
    # shellcheck disable=SC2086
    run "gossamer-cc $1, objects" "$cc_wrapped" $1 "$tmp/tasks.o" $shared -o "$tmp/two"
    run "run: objects $1" env PLUG="$tmp/plug.so" "$tmp/two"

    # shellcheck disable=SC2086
    run "gossamer-c++ $1" "$cxx_wrapped" -O2 $1 $here/third_shapes_tasks.cc $shapes -o "$tmp/shapes"
    run "run: C++ $1" "$tmp/shapes"
    # shellcheck disable=SC2046,SC2086
    run "pkg-config $2, C++" "$CXX" -O2 $(pkg-config --cflags $2) $here/third_shapes_tasks.cc $shapes \
        $(pkg-config --libs $2) -o "$tmp/shapes_pc"
    run "run: pkg-config $2, C++" "$tmp/shapes_pc"
    for program in shared static pc two shapes shapes_pc; do
        readelf -d "$tmp/$program" | grep -q 'NEEDED.*libgossamer\.so\.' && needs=shared || needs=static
        [ "$needs" = "$3" ] || { echo "$program has the library $needs, not $3"; exit 1; }
    done
}
all '' gossamer shared
all -static-libgossamer gossamer-static static

# What goes wrong is said as the compiler says it, and by its status.
echo 'int main(void) { return nowhere(); }' >"$tmp/bad.c"
! "$cc_wrapped" -w "$tmp/bad.c" -o "$tmp/bad" 2>"$tmp/out" || { echo "an undefined function was linked"; exit 1; }
grep -q nowhere "$tmp/out" || { echo "the undefined function is not named"; cat "$tmp/out"; exit 1; }
! CC=no-such-compiler "$cc_wrapped" "$tmp/bad.c" 2>"$tmp/out" || { echo "there is no such compiler"; exit 1; }
grep -q 'there is no no-such-compiler: set CC' "$tmp/out" || { echo "it is not named"; cat "$tmp/out"; exit 1; }
"$cc_wrapped" --version >"$tmp/out" || { echo "--version fails"; exit 1; }
