#!/bin/sh
# .ci/budget.py: the library keeps to the end of a nursery; one function too fat is found, and who calls it.
set -eu
[ -z "${SAN:-}" ] || { echo "skipped: sanitizers' builds have paged stacks"; exit 77; }
python=${PYTHON:-python3}
CC=${CC:-gcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$1"; cat "$work/out"; exit 1; }
"$python" .ci/budget.py --verbose "$BUILD/libgossamer.a" >"$work/out" 2>&1 || fail "the library itself"
grep -q 'keep to the slack of' "$work/out" || fail "nothing was proved"

# plant FILE OPTIONS...: the library with this file in it, looked at.
plant() {
    file=$1
    shift
    $CC -O1 -fcf-protection=none "$@" -Iruntime -c "$work/$file" -o "$work/planted.o" >"$work/out" 2>&1 ||
        fail "$file does not build"
    cp "$BUILD/libgossamer.a" "$work/lib.a"
    ar q "$work/lib.a" "$work/planted.o"
    status=0
    "$python" .ci/budget.py "$work/lib.a" >"$work/out" 2>&1 || status=$?
}
# found REGEX FILE OPTIONS...: it is refused with a line that matches.
found() {
    regex=$1
    shift
    plant "$@"
    [ $status = 1 ] || fail "$1: exit $status, not 1"
    grep -Eq "$regex" "$work/out" || fail "$1: no line matches $regex"
}
# door NAME BODY: a file of assembly with one door.
door() {
    # shellcheck disable=SC2028  # printf is not meant
    printf '%s\n' '#include "arch/asm.h"' "EXPORT(gos_$1)" "$2" 'retq' "END(gos_$1)" 'FUNC(gos__fat)' \
        'subq $160, %rsp' 'addq $160, %rsp' 'retq' 'END(gos__fat)' NO_EXECUTABLE_STACK \
        '.section .note.GNU-split-stack, "", @progbits' '.section .note.GNU-no-split-stack, "", @progbits' \
        >"$work/$1.S"
}
door fits 'pushq %rbp; movq %rsp, %rbp; subq $112, %rsp; movq $0, -112(%rbp); leave'
plant fits.S
[ $status = 0 ] || fail "a door of 128 bytes was refused"
door pushes 'subq $136, %rsp; addq $136, %rsp'
found '^budget.py: gos_pushes: 144 bytes, of 136' pushes.S
door below 'movq $0, -136(%rsp)'
found '^budget.py: gos_below: 144 bytes, of 136' below.S
door caller 'pushq %rbx; callq gos__fat; popq %rbx'
found 'gos_caller \(\+8\) -> gos__fat: 184 bytes, of 136' caller.S
door jumper 'jmp gos__fat'
found 'gos_jumper \(\+0\) -> gos__fat: 168 bytes, of 136' jumper.S
door libc 'callq puts'
found 'gos_libc -> puts: puts is neither checked nor a leaf' libc.S
door table 'jmpq *(%rax)'
found 'gos_table: a jump to where a register says' table.S
door elsewhere 'movq %rdi, %rax; leaq (%rsp,%rax), %rsp'
found 'gos_elsewhere: what .* does is not known' elsewhere.S

# What the linker does not see: a function without a check, called in its own file.
cat >"$work/fat.c" <<'C'
__attribute__((noinline, no_split_stack)) static int fat(int n)
{
    volatile char frame[200];
    frame[n] = 1;
    frame[n + 1] = 2;
    __asm__ volatile("" : : "r"(frame) : "memory");
    return frame[n] + frame[n / 2];
}
int gos__slim(int n);
int gos__slim(int n)
{
    volatile char frame[180];
    frame[n] = 1;
    return fat(n + 3) + frame[n];
}
C
found 'gos__slim \(\+[0-9]*\) -> fat: [0-9]* bytes, of 392 that its check promises' fat.c -fsplit-stack
