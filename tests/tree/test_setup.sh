#!/bin/sh
# scripts/setup: refuses what it does not know, and names what it cannot install.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$1"; cat "$work/out"; exit 1; }

status=0; scripts/setup --frob >"$work/out" 2>&1 || status=$?
[ $status = 2 ] || fail "an unknown argument gave exit $status, not 2"
grep -q "unknown argument '--frob'" "$work/out" || fail "the unknown argument is not named"

# A machine that has a shell and little else: no tools, no apt-get.
mkdir "$work/bin"
for tool in find sed mktemp rm tail; do ln -s "$(command -v $tool)" "$work/bin/$tool"; done
# stub NAME LINE...: a script of that name on that machine.
stub() {
    stub=$work/bin/$1
    shift
    printf '%s\n' '#!/bin/sh' "$@" >"$stub"
    chmod +x "$stub"
}
# cannot WHY: exit 1, the reason and the packages are named.
cannot() {
    status=0
    PATH=$work/bin /bin/sh scripts/setup >"$work/out" 2>&1 || status=$?
    [ $status = 1 ] || fail "$1: exit $status, not 1"
    grep -q "cannot install: .*$1" "$work/out" || fail "$1: the reason is not named"
    grep -q 'missing: .*gcc .*lld .*gdb' "$work/out" || fail "$1: the missing packages are not named"
}
cannot 'no apt-get'
stub apt-get "echo \"\$@\" >>$work/calls" 'exit 100'
stub id 'echo 1000'
cannot 'no sudo'
[ ! -e "$work/calls" ] || fail "it called apt-get without the right to"
# shellcheck disable=SC2016  # the stubs expand these
stub sudo 'exec "$@"'
# shellcheck disable=SC2016
stub env 'while case $1 in *=*) ;; *) false ;; esac; do shift; done' 'exec "$@"'
cannot 'apt-get install failed'
grep -q update "$work/calls" || fail "the package lists were not refreshed"
