#!/bin/sh
# gossamer-seeds: runs a program under one seed of the scheduler after the other until it fails.
# usage: gossamer-seeds [-n COUNT] [-f FIRST] [-t SECONDS] PROGRAM [ARGUMENT...]
#   COUNT seeds (1000) from FIRST (1) on, each for at most SECONDS (60). A failure is an exit status that is not 0, or
#   the time being up. Exits 1 when there was one, after saying how to repeat it; 0 when there was none; 2: bad usage.
# The program's output is shown for the seed that failed.
set -u
count=1000 first=1 seconds=60
usage() {
    echo "gossamer-seeds: $1: usage: gossamer-seeds [-n COUNT] [-f FIRST] [-t SECONDS] PROGRAM [ARGUMENT...]" >&2
    exit 2
}
while getopts :n:f:t: option; do
    case $option in
    [nft]) case $OPTARG in '' | *[!0-9]* | 0?*) usage "-$option '$OPTARG' is not a number" ;; esac ;;
    *) usage "option -$OPTARG is unknown or lacks its value" ;;
    esac
    case $option in n) count=$OPTARG ;; f) first=$OPTARG ;; t) seconds=$OPTARG ;; esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage "no program given"
command -v "$1" >/dev/null || { echo "gossamer-seeds: there is no program $1" >&2; exit 2; }

output=$(mktemp) || exit 2
trap 'rm -f "$output"' EXIT
trap 'exit 130' INT TERM
seed=$first last=$((first + count - 1))
while [ "$seed" -le "$last" ]; do
    [ -t 2 ] && printf '\rseed %s of %s ' "$seed" "$last" >&2
    GOS_SEED=$seed timeout "$seconds" "$@" >"$output" 2>&1 </dev/null
    status=$?
    if [ $status != 0 ]; then
        [ -t 2 ] && printf '\r' >&2
        cat "$output"
        [ $status = 124 ] && echo "gossamer-seeds: not over after $seconds s"
        echo "gossamer-seeds: exit status $status; again: GOS_SEED=$seed $*"
        exit 1
    fi
    seed=$((seed + 1))
done
[ -t 2 ] && printf '\r' >&2
echo "gossamer-seeds: no failure in seeds $first to $last"
