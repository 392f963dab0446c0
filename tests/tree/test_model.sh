#!/bin/sh
# timeout: 300
# spin finds no error in the smallest model and one in each of its mutants, and an error is one of the runner's too.
# All models: make check-model.
set -eu
command -v spin >/dev/null || { echo "skipped: spin is not installed; run \`make setup\`"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$1"; cat "$work/out"; exit 1; }
python=${PYTHON:-python3}

"$python" tests/model/check.py lock >"$work/out" 2>&1 || fail "the model of the worker's lock"

# A mutant that is none, and a model that is broken.
mkdir "$work/model"
cp tests/model/check.py tests/model/tso.pml "$work/model"
sed 's/ \* config: .*/ * mutant: 99 -DTHIEVES=1 -DROUNDS=1 -DABANDONS=0  nothing is/' tests/model/lock.pml |
    grep -v 'mutant: [0-9]* .*  [^n]' >"$work/model/none.pml"
# wrong NAME WHAT: it is told so.
wrong() {
    status=0
    "$python" "$work/model/check.py" "$1" >"$work/out" 2>&1 || status=$?
    { [ $status = 1 ] && grep -q "$2" "$work/out"; } || fail "$1: check.py is content"
}
wrong none 'no error found although: nothing is'
sed "s/#define MONITOR .*/&\n#undef MUTANT\n#define MUTANT 1/; / \\* mutant/d" tests/model/lock.pml \
    >"$work/model/broken.pml"
wrong broken 'an error'
