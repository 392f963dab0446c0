# choose.awk: which functions get a thunk, from what link.sh found out. Of a program: those that are defined in a shared
# library or in an object without checks, and that checked objects refer to. Of a plug-in: those that checked objects
# call and none of them defines.
#   linked OBJECT          is part of the program        T, W, i SYMBOL OBJECT   nm's letters for defined functions
#   checked OBJECT         is compiled with checks       U, w SYMBOL OBJECT      and for undefined ones
#   shared SYMBOL          a library has this function   taken SYMBOL            has a thunk already
#   called SYMBOL OBJECT   of a plug-in: by a relocation that only calls have
#   ours SYMBOL            the shared libgossamer has it, for checked code to call
# Of a program that uses the shared libgossamer the same, by other thunks. Each line names a macro of thunk.s too.
# Not those that look at their caller or come back twice: lld moves their callers, which such functions are right with.
BEGIN {
    split("dlsym dlvsym dlmopen getcontext setcontext swapcontext makecontext vfork clone __clone _setjmp setjmp " \
          "sigsetjmp __sigsetjmp mcount _mcount __fentry__ __cyg_profile_func_enter __cyg_profile_func_exit " \
          "__tls_get_addr __libc_start_main __gmon_start__", names, " ")
    for (i in names)
        taken[names[i]] = 1
}
$1 == "linked" { linked[substr($0, 8)] = 1; next }
$1 == "checked" { checked[substr($0, 9)] = 1; next }
$1 == "shared" { shared[$2] = 1; next }
$1 == "taken" { taken[$2] = 1; next }
$1 == "ours" { ours[$2] = 1; next }
{
    n++
    letter[n] = $1
    symbol[n] = $2
    object[n] = substr($0, length($1) + length($2) + 3)
}
END {
    for (i = 1; i <= n; i++) {
        if (!(object[i] in linked))
            continue
        if (letter[i] == "called") {
            if (object[i] in checked && symbol[i] !~ /^(gos_|__morestack|__x86_indirect_thunk)/)
                wanted[symbol[i]] = unchecked[symbol[i]] = 1
        } else if (letter[i] ~ /[Uw]/) {
            if (kind == "plug") {
                if (letter[i] == "w")
                    taken[symbol[i]] = 1 # it may be nowhere, and who calls it looks whether it is
                continue
            }
            wanted[symbol[i]] = wanted[symbol[i]] || object[i] in checked && object[i] !~ /libgossamer(_nonshared)?\.a\(/
        } else if (object[i] in checked)
            taken[symbol[i]] = 1
        else
            unchecked[symbol[i]] = 1
    }
    for (name in wanted)
        if (wanted[name] && (name in shared || name in unchecked) && !(name in taken) &&
            name !~ /^\.|@|personality|^_Unwind_|^__wrap_|^__real_/)
            print "THUNK_" (name in ours ? "leaf" : kind == "program" ? "variadic" : "away_variadic"), name
}
