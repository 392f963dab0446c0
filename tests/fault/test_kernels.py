#!/usr/bin/env python3
# Kernels that lack or refuse a call (seccomp answers in their place), and limits that are reached: everything.c gives
# the right sums without the call, and where that matters one line says so, once a run: unasked where workers are fewer
# for it, among GOS_DEBUG=stats where something only costs more; at a limit it is told, or ends with one line.
# timeout: 300
# arch: x86_64 (built for it alone)
# not-with: address (sanitizers need the calls themselves)
# not-with: undefined (the archive that lets calls fail is not built)
# not-with: thread (sanitizers need the calls themselves)
import ctypes
import errno
import fnmatch
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

# x86-64's numbers.
CALLS = {"madvise": 28, "prctl": 157, "epoll_ctl": 233, "sched_setaffinity": 203, "eventfd2": 290, "epoll_create1": 291,
         "userfaultfd": 323, "membarrier": 324, "rseq": 334, "pidfd_open": 434, "clone3": 435, "close_range": 436,
         "epoll_pwait2": 441, "io_uring_setup": 425, "getrandom": 318}
GUARD_INSTALL = 102
GET_TIMERSLACK = 30
NOBODY = 65534
libc = ctypes.CDLL(None, use_errno=True)


def refuse(names, error, argument=None):
    """A filter that ends these calls with `error`; argument: (number, value): only those with this argument."""
    code = [(0x20, 0, 0, 0)]  # load the number
    for name in names:
        code.append((0x15, 0, 3 if argument else 1, CALLS[name]))  # another call: on
        if argument:
            code.append((0x20, 0, 0, 16 + 8 * argument[0]))
            code.append((0x15, 0, 1, argument[1]))
        code.append((0x06, 0, 0, 0x00050000 | error))
        if argument:
            code.append((0x20, 0, 0, 0))
    code.append((0x06, 0, 0, 0x7fff0000))
    text = b"".join(struct.pack("HBBI", *step) for step in code)
    buffer = ctypes.create_string_buffer(text)
    program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP
        raise OSError(ctypes.get_errno(), "seccomp")


def limit(what, n):
    resource.setrlimit(what, (n, n))


def as_nobody(processes):
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    limit(resource.RLIMIT_NPROC, processes)


ONE = "gossamer: the kernel refuses membarrier(2)*: running with one"
COSTLY = "gossamer: stats: this kernel has no MADV_GUARD_INSTALL *"
COARSE = "gossamer: stats: this kernel refuses epoll_pwait2 *"
COUNTS = ["gossamer: stats: tasks started *", "gossamer: stats: ready before they ran*"]
STATS = {"GOS_DEBUG": "stats"}
IS_OLD = tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) < (6, 13)  # no MADV_GUARD_INSTALL anyhow
RUNS = 3  # of everything.c
STAY = "gossamer: GOS_DEBUG=cold: parked tasks stay as they are: *"
COLD = {"GOS_DEBUG": "cold=1"}
# What is refused, environment, the lines that are said.
REFUSED = {
    "no guards": (lambda: refuse(["madvise"], errno.EINVAL, (2, GUARD_INSTALL)), {}, []),
    "no guards, paged": (lambda: refuse(["madvise"], errno.EINVAL, (2, GUARD_INSTALL)), {"GOS_DEBUG": "paged"}, []),
    "no guards, asked": (lambda: refuse(["madvise"], errno.EINVAL, (2, GUARD_INSTALL)), STATS, RUNS * [COSTLY]),
    "all there, asked": (lambda: None, STATS, []),
    "slack not told, threads block": (lambda: (refuse(["prctl"], errno.EPERM, (0, GET_TIMERSLACK)),
                                               refuse(["epoll_ctl"], errno.ENOMEM)), {}, []),
    "no epoll_pwait2": (lambda: refuse(["epoll_pwait2"], errno.ENOSYS), {}, []),
    "epoll_pwait2 not allowed": (lambda: refuse(["epoll_pwait2"], errno.EPERM), {}, []),
    "no epoll_pwait2, asked": (lambda: refuse(["epoll_pwait2"], errno.ENOSYS), STATS, RUNS * [COARSE]),
    "no membarrier": (lambda: refuse(["membarrier"], errno.ENOSYS), {}, [ONE]),
    "membarrier not allowed": (lambda: refuse(["membarrier"], errno.EPERM), {}, [ONE]),
    "no rseq": (lambda: refuse(["rseq"], errno.ENOSYS), {}, []),
    "no io_uring": (lambda: refuse(["io_uring_setup"], errno.ENOSYS), {}, []),
    "no userfaultfd": (lambda: refuse(["userfaultfd"], errno.ENOSYS), COLD, None),
    "no clone3": (lambda: refuse(["clone3"], errno.ENOSYS), {}, []),
    "no close_range": (lambda: refuse(["close_range"], errno.ENOSYS), {}, []),
    "no pidfd_open": (lambda: refuse(["pidfd_open"], errno.ENOSYS), {}, []),
    "threads stay where they are": (lambda: refuse(["sched_setaffinity"], errno.EPERM), {}, []),
    "Linux 5.0": (lambda: (refuse(["madvise"], errno.EINVAL, (2, GUARD_INSTALL)), refuse(
        ["epoll_pwait2", "userfaultfd", "clone3", "close_range", "pidfd_open", "io_uring_setup", "rseq"],
        errno.ENOSYS)), {}, []),
}
NEITHER = "gossamer: fatal error: the kernel refuses both membarrier(2) and sched_setaffinity(2) *"
# What is limited, environment, and the lines that a program may end with, of which one is enough.
NO_STACK = "gossamer: fatal error: no memory for a deeper task stack: *"
ENDS = [NO_STACK, "gossamer: fatal error: no *", "gossamer: fatal error: fork: *"]
LIMITED = {
    "neither membarrier nor affinity": (lambda: refuse(["membarrier", "sched_setaffinity"], errno.EPERM), {},
                                        [NEITHER]),
    "no epoll": (lambda: refuse(["epoll_create1"], errno.EMFILE), {}, []),
    "no eventfd": (lambda: refuse(["eventfd2"], errno.EMFILE), {}, []),
    **{f"{n} descriptors": (lambda n=n: limit(resource.RLIMIT_NOFILE, n), {}, []) for n in (5, 8, 12, 20)},
    "7 descriptors, cold": (lambda: limit(resource.RLIMIT_NOFILE, 7), COLD, ENDS),
    **{f"{n} MiB of addresses": (lambda n=n: limit(resource.RLIMIT_AS, n << 20), {}, ENDS)
       for n in (150, 300, 1000)},
    **{f"{n} processes": (lambda n=n: as_nobody(n), {}, ENDS) for n in (1, 2, 3, 5)},
    "2 processes, one worker": (lambda: as_nobody(2), {"GOS_PROCS": "1"}, ENDS),
}


def run(program, prepare, env, words):
    settings = {key: value for key, value in os.environ.items() if not key.startswith("GOS_")}
    settings.update({"GOS_PROCS": "2"}, **env)
    try:
        done = subprocess.run([program, *words], env=settings, preexec_fn=prepare, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired as late:
        return None, str(late.stdout), str(late.stderr)
    return done.returncode, done.stdout, done.stderr


def judge(name, status, out, err, lines, is_limited):
    """What is wrong, or None."""
    said = err.splitlines()
    if is_limited:
        if status == 2:
            return None if said and any(fnmatch.fnmatch(said[-1], line) for line in lines) else "ends with another line"
        return None if status == 0 else f"status {status}"
    usual = COUNTS + ([COSTLY] if IS_OLD and COSTLY not in (lines or []) else [])
    said = [line for line in said if not any(fnmatch.fnmatch(line, count) for count in usual)]
    if status != 0 or out.count(" result 7 refusals 0 ") != RUNS:
        return f"status {status}, or not all was done"
    if lines is None:  # one for each run, or none: /dev/userfaultfd serves as well
        return None if all(fnmatch.fnmatch(line, STAY) for line in said) else "does not say what it lacks"
    same = len(said) == len(lines) and all(map(fnmatch.fnmatch, said, lines))
    return None if same else f"said something else than {lines}"


def main():
    if not (Path(os.environ["BUILD"]) / "fault/everything").exists():
        print("skipped: built for x86-64 alone, whose numbers of system calls these are")
        return 77
    failed = tried = 0
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # nobody's as well
        program = shutil.copy(Path(os.environ["BUILD"]) / "fault/everything", folder)
        for is_limited, table in ((False, REFUSED), (True, LIMITED)):
            for name, (prepare, env, lines) in table.items():
                if "processes" in name and os.geteuid():
                    print(f"skip {name}: root alone can become nobody")
                    continue
                status, out, err = run(program, prepare, env, ["limited"] if is_limited else [])
                why = judge(name, status, out, err, lines, is_limited)
                tried += 1
                failed += why is not None
                print(f"{'FAIL' if why else 'ok  '} {name}: status {status}" + (f": {why}\n{out}{err}" if why else ""),
                      flush=True)
    print(f"{tried - failed} of {tried} kernels and limits")
    return 1 if failed else 0


sys.exit(main())
