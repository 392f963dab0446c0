#!/bin/sh
# assemble.sh: installed as `as` in a folder of its own, which gossamer-cc tells gcc of by -B. Calls through pointers,
# as -dp marks them in gcc's output, go by __x86_indirect_thunk_r11 (runtime/arch/pointer_x86_64.S): r11 holds neither
# an argument nor anything else there. Jumps of switch and goto, and other people's assembly, stay as they are.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PATH=$(printf %s "$PATH" | tr : '\n' | grep -Fxv "$here" | paste -sd : -)
tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT
# The input is the one argument that is no option, nor belongs to one; without any, standard input.
input=- skip=
for argument; do
    shift
    case $skip$argument in
    -o | -I | --defsym) skip=: ;;
    :* | -?*) skip= ;;
    *)
        input=$argument
        continue
        ;;
    esac
    set -- "$@" "$argument"
done
operand='\*([^#]*[^#[:blank:]])[[:blank:]]*#'
cat "$input" | sed -E "/GOTPCREL/!{
s/^\\tcall\\t$operand.*\\*call.*/\\tmovq\\t\\1, %r11\\n\\tcall\\t__x86_indirect_thunk_r11/
s/^\\tjmp\\t$operand.*\\*sibcall.*/\\tmovq\\t\\1, %r11\\n\\tjmp\\t__x86_indirect_thunk_r11/
}" >"$tmp"
if grep -q '^[[:blank:]]*\.intel_syntax noprefix$' "$tmp"; then
    echo "gossamer-cc: calls through pointers are found in AT&T syntax only: leave -masm=intel out" >&2
    exit 1
fi
as "$@" "$tmp"
