#!/bin/sh
# Each memory order in the source has a row with its partner in docs/INVARIANTS.md; and the check can fail.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" .ci/orders.py

mkdir "$work/.ci" "$work/docs"
cp .ci/orders.py "$work/.ci/"
cp docs/INVARIANTS.md "$work/docs/"
cp -r runtime "$work/"
names() {
    status=0
    "${PYTHON:-python3}" "$work/.ci/orders.py" >"$work/out" || status=$?
    [ $status = 1 ] && grep -q "$1" "$work/out" || { echo "$2"; cat "$work/out"; exit 1; }
}
printf 'void frob(void)\n{\n    gos__store_release(&it->novelty, 1u);\n}\n' >>"$work/runtime/sched/sched.c"
names 'sched.c:[0-9]*: frob: novelty' 'a new word with an order was not named'
sed -i '$d' "$work/runtime/sched/sched.c"
printf '    gos__fence_seq();\n}\n' >>"$work/runtime/sched/sched.c"
names 'frob: a fence' 'a new fence was not named'
cp runtime/sched/sched.c "$work/runtime/sched/"
sed -i '/gos__fd_keep/d' "$work/docs/INVARIANTS.md"
names 'gos__fd_keep: facts' 'a row that is gone was not missed'
