#!/bin/sh
# A debugger sees through the runtime: from C code on a thread's own stack back to the task that called it, and from a
# deep region across __morestack to the first stack. (gdb may read gos__x of assembly as a mangled gos.x.)
set -eu
command -v gdb >/dev/null || { echo "skipped: gdb is not installed"; exit 77; }
[ -z "${SAN:-}" ] || { echo "skipped: sanitized tasks have one stack"; exit 77; }

trace() { # program function: the backtrace where it is first called
    GOS_PROCS=1 timeout 50 gdb -q -nx -batch -ex "set breakpoint pending on" -ex "set disable-randomization off" \
        -ex "break $2" -ex run -ex bt "$BUILD/examples/$1" 2>&1
}

wants() { # text of a trace, then patterns in the order in which frames must show them
    rest=$1
    shift
    for pattern; do
        found=$(printf '%s\n' "$rest" | grep -n "^#.*$pattern" | head -n 1 | cut -d: -f1)
        [ -n "$found" ] || { printf 'no frame of %s where it should be in\n%s\n' "$pattern" "$rest"; exit 1; }
        rest=$(printf '%s\n' "$rest" | tail -n +"$((found + 1))")
    done
}

first=$(trace 02_ping_pong gos__chan_recv_parks)
case $first in *ptrace*|*"not being run"*) echo "skipped: no program can be traced here"; exit 77 ;; esac
wants "$first" ' gos[._]*chan_recv_parks ' ' gos_chan_recv ' '02_ping_pong.c' 'gos[._]*\(task\|main\)_start'
wants "$(trace 02_ping_pong printf)" 'printf' '__morestack' '02_ping_pong.c' 'gos[._]*\(task\|main\)_start'
