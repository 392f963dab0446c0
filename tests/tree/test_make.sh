#!/bin/sh
# The Makefile: bad input, help, flag stamp, null builds, a machine without tools, setup before everything else.
set -eu
make=${MAKE:-make}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$1"; cat "$work/out"; exit 1; }

# refuses WORDS... -- MESSAGE: one line, exit 2, nothing built.
refuses() {
    words=$1
    status=0
    # shellcheck disable=SC2086  # a list of words
    $make B="$work/none" $words >"$work/out" 2>&1 || status=$?
    [ $status = 2 ] || fail "make $words gave exit $status, not 2"
    [ "$(wc -l <"$work/out")" = 1 ] || fail "make $words did not say it in one line"
    grep -q -e "$2" "$work/out" || fail "make $words did not say '$2'"
    [ ! -e "$work/none" ] || fail "make $words began to build"
}
refuses frobnicate 'make help'
refuses 'setup frobnicate' 'make help'
refuses 'bench PROFILE=slow' 'quick default full'
refuses 'setup bench PROFILE=slow' 'quick default full'
refuses 'bench PROFILE=%' 'quick default full'
refuses 'all SAN=memory' 'address undefined thread'
refuses 'all CHECKS=4' '0 1 2 3'
refuses 'all CC=no-such-compiler' "no-such-compiler"
refuses 'bench CHECKS=1' 'release build'
refuses 'all B=' 'no folder to build in'
$make compare A=results/reference >"$work/out" 2>&1 && fail 'compare without B did not fail'
grep -q 'make compare A=results/x B=results/y' "$work/out" || fail 'compare without B does not say what to do'

$make help >"$work/out" 2>&1 || fail "make help failed"
for word in setup all check bench plots report install uninstall clean help check-layers check-model \
    PROFILE SAN CHECKS CC V PREFIX RESULTS ONLY; do
    grep -q "^  $word " "$work/out" || fail "make help does not list $word"
done

# The flag stamp: the same flags do nothing, others compile again.
object=$work/b/runtime/arch/ctx.c.o
$make B="$work/b" "$object" >"$work/out" 2>&1 || fail "cannot build one object"
$make B="$work/b" "$object" 2>&1 | grep -v 'is up to date' >"$work/out" && fail "a second make is not silent"
$make B="$work/b" CFLAGS=-O1 "$object" >"$work/out" 2>&1
grep -q 'runtime/arch/ctx.c' "$work/out" || fail "other CFLAGS did not compile again"
$make B="$work/b" V=1 CFLAGS=-O0 "$object" >"$work/out" 2>&1
grep -q -- '-std=gnu17 .*-O0 -c' "$work/out" || fail "V=1 does not show the command, or the user's flags are not last"

# Without any tool: what needs none works, and building names what is missing.
mkdir "$work/bin"
for tool in sh sed uname grep find rm; do ln -s "$(command -v $tool)" "$work/bin/$tool"; done
ln -s "$(command -v "${make%% *}")" "$work/bin/make"
bare() { env -i PATH="$work/bin" make "$@" >"$work/out" 2>&1; }
bare help || fail "make help fails without tools"
[ "$(sed -n 1p "$work/out")" = 'make targets' ] || fail "noise without tools"
status=0; bare B="$work/none" || status=$?
[ $status = 2 ] || fail "make without tools gave exit $status, not 2"
grep -q 'missing: gcc g++ .*make setup' "$work/out" || fail "make without tools does not name them"

# setup is over before anything else begins, also with -j.
tree=$work/tree
mkdir -p "$tree/scripts" "$tree/plots"
cp Makefile "$tree"
cp scripts/install.mk "$tree/scripts"
printf '#!/bin/sh\nsleep 0.3\ntouch installed\n' >"$tree/scripts/setup"
chmod +x "$tree/scripts/setup"
printf 'import os\nassert os.path.exists("installed")\n' | tee "$tree/plots/plots.py" >"$tree/scripts/report.py"
$make -C "$tree" -j4 plots report setup >"$work/out" 2>&1 || fail "make -j plots report setup is not in order"
