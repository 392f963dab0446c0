#!/bin/sh
# gossamer-seeds finds a planted fault, says how to repeat it, and that is so; bad usage is one line and status 2.
set -eu
case ${SAN:-} in address | thread) echo "skipped: no checked calls, at which tasks are interrupted"; exit 77 ;; esac
build=${BUILD:?}
tool=runtime/cc/gossamer-seeds.sh
fail() { echo "$*"; exit 1; }

status=0
said=$(sh $tool -n 200 "$build/examples/13_seeds" lost) || status=$?
[ $status = 1 ] || fail "status $status, said: $said"
seed=$(echo "$said" | sed -n 's/.*again: GOS_SEED=\([0-9]*\) .*/\1/p')
[ -n "$seed" ] || fail "no seed in: $said"
for _ in 1 2 3; do
    status=0
    GOS_SEED=$seed "$build/examples/13_seeds" lost || status=$?
    [ $status = 1 ] || fail "GOS_SEED=$seed: status $status"
done

said=$(sh $tool -n 3 -f 5 true)
[ "$said" = "gossamer-seeds: no failure in seeds 5 to 7" ] || fail "$said"
said=$(sh $tool -n 1 -t 1 sleep 10) && fail "a program that does not end is no failure"
case $said in *"not over after 1 s"*) ;; *) fail "$said" ;; esac
for bad in "" "-n 3" "-n x true" "-q true" "-n 1 /nonexistent/program"; do
    status=0
    # shellcheck disable=SC2086
    said=$(sh $tool $bad 2>&1) || status=$?
    [ $status = 2 ] && [ "$(echo "$said" | wc -l)" = 1 ] || fail "'$bad': status $status: $said"
done
