#!/bin/sh
# gdb loads its script with the program and lists tasks, with their backtraces, in a live process and in a core file.
# timeout: 180
set -eu
command -v gdb >/dev/null || { echo "skipped: gdb is not installed"; exit 77; }
[ -z "${SAN:-}" ] || { echo "skipped: sanitized tasks have one stack"; exit 77; }
[ "$(cat /proc/sys/kernel/core_pattern)" = core ] || { echo "skipped: core files go elsewhere"; exit 77; }
program=$BUILD/tests/debug/test_gdb_tasks_program
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

ask() { # what to look at
    timeout 80 gdb -q -nx -batch -iex "set auto-load safe-path /" "$@" -ex "info tasks" -ex "task 1 bt" \
        -ex "task 2 bt" -ex "task 3 bt" 2>&1 # one of the first three is no receiver, or in a core file two
}

wants() { # name, text, then patterns that lines of it must match
    name=$1 text=$2
    shift 2
    for pattern; do
        printf '%s\n' "$text" | grep -q "$pattern" || {
            printf '%s: nothing like %s in\n%s\n' "$name" "$pattern" "$text"
            exit 1
        }
    done
}

look() { # name, text
    wants "$1" "$2" '^105 tasks' \
        '0x[0-9a-f]* \[recv\] started with receiver, at receiver, 100 alike' \
        '0x[0-9a-f]* \[recv\] started with deep, at receiver, 3 alike' \
        '^#0 .* in run_all () at .*gdb_tasks_program.c:' '^#0 .* in receiver () at .*gdb_tasks_program.c:'
}

ulimit -c unlimited 2>/dev/null || { echo "skipped: no core files are allowed"; exit 77; }
live=$(ask -ex run "$program")
case $live in *ptrace*|*"not being run"*) echo "skipped: no program can be traced here"; exit 77 ;; esac
look live "$live"
"$program" 2>/dev/null || :
look core "$(ask "$program" "$(ls core*)")"
