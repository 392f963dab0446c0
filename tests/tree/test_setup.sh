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
for tool in id find sed mktemp rm tail; do ln -s "$(command -v $tool)" "$work/bin/$tool"; done
status=0; PATH=$work/bin /bin/sh scripts/setup >"$work/out" 2>&1 || status=$?
[ $status = 1 ] || fail "without apt-get it gave exit $status, not 1"
grep -q 'missing: .*gcc .*lld .*gdb' "$work/out" || fail "the missing packages are not named"

# apt-get is there and fails: the same, after one refresh of the lists.
# shellcheck disable=SC2016  # $1 belongs to the script that is written
printf '#!/bin/sh\necho "$@" >>%s/calls\nexit 100\n' "$work" >"$work/bin/apt-get"
printf '#!/bin/sh\nexec "$@"\n' >"$work/bin/sudo"
# shellcheck disable=SC2016  # as above
printf '#!/bin/sh\nwhile case $1 in *=*) ;; *) false ;; esac; do shift; done\nexec "$@"\n' >"$work/bin/env"
chmod +x "$work/bin/apt-get" "$work/bin/sudo" "$work/bin/env"
status=0; PATH=$work/bin /bin/sh scripts/setup >"$work/out" 2>&1 || status=$?
[ $status = 1 ] || fail "with a failing apt-get it gave exit $status, not 1"
grep -q 'missing: .*gcc' "$work/out" || fail "the missing packages are not named when apt-get fails"
grep -q update "$work/calls" || fail "the package lists were not refreshed"
