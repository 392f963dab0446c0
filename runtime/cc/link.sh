#!/bin/sh
# link.sh: installed as ld.lld in a folder of its own, which compilers are told of by -B. It links twice: once to see
# what the program is made of, then with a thunk (runtime/thunks) for each function that checked code refers to and that
# comes from a shared library or from objects compiled without checks, by call or by address. Its callers stay on their
# nurseries then, and no list is needed for any library. A plug-in (-shared) gets one for each function that it calls
# and does not define in checked code, which lld knows nothing of: it goes on as a call through a pointer does.
# What has no checked code in it, or cannot be read, is linked once; lld then moves the callers.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PATH=$(printf %s "$PATH" | tr : '\n' | grep -Fxv "$here" | paste -sd : -)
command -v ld.lld >/dev/null || { echo "gossamer: there is no ld.lld to link with: install lld" >&2; exit 1; }
kind=program
for option; do
    case $option in
    -r | --relocatable | --version | -v | -V | --help) exec ld.lld "$@" ;;
    -shared | --shared | -Bshareable) kind=plug ;;
    esac
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
ld.lld "$@" --trace >"$tmp/said"
# The shared library knows where tasks are, the program does not: its thunks, as a plug-in's, lead there. The library's
# own functions, which the linker cannot see to have checks, get a jump.
shared=$(grep '/libgossamer\.so\.[0-9.]*$' "$tmp/said" | head -n 1)
if [ $kind = program ] && [ -n "$shared" ]; then
    kind=shared
    grep -q 'libgossamer_nonshared\.a(' "$tmp/said" || exit 0
fi
[ $kind != program ] || grep -q 'libgossamer\.a(' "$tmp/said" || exit 0
give_up() {
    echo "gossamer: $1: functions of other libraries get no thunks, their callers move instead" >&2
    exit 0
}
for tool in nm readelf as awk; do
    command -v $tool >/dev/null || give_up "there is no $tool (binutils)"
done

grep -v '\.so\(\.[0-9.]*\)\{0,1\}$' "$tmp/said" | sed 's/\.a(.*)$/.a/' | sort -u >"$tmp/objects"
grep '\.so\(\.[0-9.]*\)\{0,1\}$' "$tmp/said" | sort -u >"$tmp/libraries"
# each COMMAND...: of each file that standard input names
each() {
    while IFS= read -r file; do
        [ ! -f "$file" ] || "$@" "$file" 2>/dev/null || :
    done
}
# Lines for choose.awk: a word, and names of objects as the linker traces them: FILE or FILE(MEMBER).
{
    sed 's/^/linked /' "$tmp/said"
    each readelf -SW /dev/null <"$tmp/objects" |
        awk '/^File: /{ name = substr($0, 7) } /\.note\.GNU-split-stack/{ print "checked", name }'
    each nm -A -P <"$tmp/objects" | sed -n \
        's/^\(.*\)\[\([^]]*\)\]: /\1(\2): /; s/^\(.*\): \([^ ]*\) \([TWiUw]\)\( .*\)\{0,1\}$/\3 \2 \1/p'
    printf '%s\n' "$@" | sed -n 's/^--\{0,1\}wrap[= ]*/taken /p'
    if [ $kind = plug ]; then
        each readelf -rW /dev/null <"$tmp/objects" | awk '/^File: /{ name = substr($0, 7) }
            $3 == "R_X86_64_PLT32" || $3 == "R_X86_64_GOTPCRELX" { print "called", $5, name }'
    else
        each nm -D -P --defined-only <"$tmp/libraries" |
            sed -n 's/^\([^ @]*\)\(@@[^ ]*\)\{0,1\} [TWi] .*/shared \1/p'
        sed 's/^--wrap=/taken /' "$here/../../gossamer.wrap"
        [ $kind != shared ] || nm -D -P --defined-only "$shared" |
            sed -n 's/^\([^ @]*\)\(@@[^ ]*\)\{0,1\} [TW] .*/ours \1/p'
    fi
} | awk -v kind=$kind -f "$here/choose.awk" | sort -u >"$tmp/thunks"
[ -s "$tmp/thunks" ] || exit 0
{
    cat "$here/thunk.s"
    cat "$tmp/thunks"
} >"$tmp/thunks.s"
as "$tmp/thunks.s" -o "$tmp/thunks.o" || give_up "as cannot make the thunks"
sed 's/.* /--wrap=/' "$tmp/thunks" >"$tmp/wrap"
ld.lld "$@" "$tmp/thunks.o" "@$tmp/wrap"
