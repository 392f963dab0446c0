#!/bin/sh
# gossamer-cc, gossamer-c++: the C or C++ compiler with what gossamer needs. Arguments are the compiler's own.
# CC (CXX for gossamer-c++) names the compiler: gcc or clang; cc (c++) otherwise.
# -static-libgossamer puts the library into the program, as -static does with all of them.
# The flags are those of gossamer.pc, and what plug-ins need of a program.
set -eu
self=$(readlink -f "$0" 2>/dev/null || printf %s "$0")
prefix=$(cd "$(dirname "$self")/.." && pwd)
lib=$prefix/@LIBDIR@
case $0 in
*++) compiler=${CXX:-c++} ;;
*) compiler=${CC:-cc} ;;
esac
case $compiler in
*gossamer-c[c+]*) echo "gossamer-cc: CC and CXX name the compiler that is called here: gcc or clang" >&2; exit 2 ;;
esac
command -v "${compiler%% *}" >/dev/null || { echo "gossamer-cc: there is no $compiler: set CC or CXX" >&2; exit 2; }

links=1 shared='' inputs='' static='' skip=''
for argument; do
    shift
    if [ -n "$skip" ]; then
        skip=
        set -- "$@" "$argument"
        continue
    fi
    case $argument in
    -c | -S | -E | -M | -MM | -fsyntax-only | -r) links= ;;
    -shared) shared=1 ;;
    -static | -static-pie) static=all ;;
    -static-libgossamer)
        static=${static:-library}
        continue
        ;;
    -o | -x | -I | -L | -D | -U | -MF | -MT | -MQ | -include | -isystem | -idirafter | -iquote | -Xlinker) skip=1 ;;
    -l* | @*) inputs=1 ;;
    -?*) ;;
    *) inputs=1 ;;
    esac
    set -- "$@" "$argument"
done
# shellcheck disable=SC2086  # a compiler with its options
[ -n "$inputs" ] || exec $compiler "$@"

# Those of gossamer.pc; but jumps of switch and goto stay as they are with clang, too.
flags="-fsplit-stack -ftls-model=initial-exec -fno-plt -fcf-protection=none"
# shellcheck disable=SC2086
if $compiler --version 2>/dev/null | grep -q clang; then
    flags="$flags -Qunused-arguments -mllvm -no-x86-call-frame-opt"
    for feature in retpoline-indirect-calls retpoline-external-thunk; do
        flags="$flags -Xclang -target-feature -Xclang +$feature"
    done
    specs='' assembler=''
else
    specs=-specs=$lib/gossamer/gcc.specs assembler=-B$lib/gossamer/as/
fi
if [ -n "$links" ]; then
    set -- "$@" -L"$lib" -fuse-ld=lld -B"$lib/gossamer/link/" -Wl,-z,now
    # A shared library uses the program's runtime, so a program offers it.
    if [ -z "$shared" ]; then
        for name in 'gos_*' '__morestack*' __x86_indirect_thunk_r11; do
            set -- "$@" "-Wl,--export-dynamic-symbol=$name"
        done
        set -- "$@" "-Wl,@$lib/gossamer.wrap" -Wl,-u,__x86_indirect_thunk_r11
        case $static,$lib in
        ,/usr/lib* | ,/usr/local/lib*) set -- "$@" -lgossamer ;;
        ,*) set -- "$@" -lgossamer "-Wl,-rpath,$lib" ;;
        library,*) set -- "$@" "$lib/libgossamer.a" -lhwloc ;;
        *) set -- "$@" -lgossamer "-Wl,@$lib/gossamer.static" -Wl,-u,__wrap_pthread_create -lhwloc ;;
        esac
        set -- "$@" -lm -pthread
    fi
fi
# shellcheck disable=SC2086
exec $compiler $flags ${specs:+"$specs" "$assembler"} -I"$prefix/include" -isystem "$prefix/include/gossamer/libc" "$@"
