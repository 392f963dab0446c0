#!/usr/bin/env python3
"""budget.py: proves from its disassembly that the library keeps to the slack at the end of a nursery.

usage: .ci/budget.py [--verbose] ARCHIVE          environment: CC

Code that the linker takes for checked (its object has .note.GNU-split-stack) runs at the very end of a nursery:
    with a check     what its frame and all unchecked code that it calls need, beyond what the check compares,
                     is at most GOS_SLACK less GOS_NURSERY_WORDS;
    without one      (doors, thunks, functions marked no_split_stack) it needs, its return address included, at most
                     GOS_BELOW_FRAME and a word: it may be called from the deepest small frame.
The stack pointer is followed through every path: pushes, subtractions, calls, accesses below it, until it goes to
another stack. A path ends where a test has shown that there is no task, or that the thread is in the runtime, and at
the places that asm.h:IN_ROOM marks. Functions of libc that are called directly have to be leaves of
runtime/thunks/functions.list. Whatever cannot be followed is an error; each names the chain of calls.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = ["GOS_SLACK", "GOS_NURSERY_WORDS", "GOS_BELOW_FRAME", "GOS_THREAD_TASK", "GOS_THREAD_IN_RUNTIME",
         "GOS_LIMIT_WORD"]
SMALL_FRAME = 248  # the largest multiple of 8 that compilers compare without adding it: less than 256
WORD = 8
REAL = "gos__real_at_"  # io/real.h: where the C library's function of that name is
INSTRUCTION = re.compile(r"^ *([0-9a-f]+):\t(?:(?:bnd|notrack|rep[nz]*|data16|cs|lock) )*(\S+) *(.*)$")
RELOCATION = re.compile(r"\t([0-9a-f]+): (R_X86_64_\w+)\t(\S+?)([+-]0x[0-9a-f]+)?$")
MEMORY = re.compile(r"(%[a-z]s:)?(-?0x[0-9a-f]+)?\(%(rsp|rbp)(?:,[^)]*)?\)")
LARGE = re.compile(r"^-(0x[0-9a-f]+)\(%rsp\),%r1[01]$")


class Unprovable(Exception):
    """Text of what is wrong, and the chain that leads there, innermost first."""

    def __init__(self, text, chain=()):
        super().__init__(text)
        self.text, self.chain = text, list(chain)


class Code:
    """All instructions of an archive, by (member, section, address)."""

    def __init__(self, archive):
        self.at, self.symbols, self.sizes, self.exported, self.rooms = {}, {}, {}, [], set()
        self.split, self.ends, self.before = set(), {}, {}
        self.read_symbols(run("objdump", "-tw", archive))
        self.read_sections(run("objdump", "-hw", archive))
        self.read_rooms(run("objdump", "-rw", "-j", ".gos.room", archive))
        self.read_code(run("objdump", "-drw", "--no-show-raw-insn", archive))

    def read_symbols(self, text):
        for member, line in by_member(text):
            match = re.match(r"([0-9a-f]{16}) (.)(.)....(.) (\S+)\t([0-9a-f]{16}) (\.hidden )?(\S+)$", line)
            if not match or match[5] == "*UND*":
                continue
            place = (member, match[5], int(match[1], 16))
            name = match[8]
            self.symbols[(member, name)] = place
            if match[2] in "gu!" or match[3] == "w":
                self.symbols.setdefault(name, place)
            if match[4] == "F":
                self.sizes[place] = (name, int(match[6], 16))
                if match[2] == "g" and not match[7]:
                    self.exported.append((member, name))

    def read_sections(self, text):
        for member, line in by_member(text):
            if ".note.GNU-split-stack" in line:
                self.split.add(member)

    def read_rooms(self, text):
        for member, line in by_member(text):
            match = re.match(r"[0-9a-f]{16} R_X86_64_64 +(\S+?)(?:\+0x([0-9a-f]+))?$", line)
            if match:
                section = match[1]
                base = 0
                if (member, section) in self.symbols:
                    _, section, base = self.symbols[(member, section)]
                self.rooms.add((member, section, base + int(match[2] or "0", 16)))

    def read_code(self, text):
        section = last = None
        for member, line in by_member(text):
            heading = re.match(r"Disassembly of section (\S+):$", line)
            if heading:
                section, last = heading[1], None
                continue
            body, *notes = re.split(r"(?=\t[0-9a-f]+: R_X86_64_)", line, maxsplit=1)
            match = INSTRUCTION.match(re.sub(r" +# .*", "", body).rstrip())
            if not match:
                continue
            relocation = RELOCATION.search(notes[0]) if notes else None
            place = (member, section, int(match[1], 16))
            through_got = relocation and "GOTPCREL" in relocation[2] and match[3].startswith("*")
            self.at[place] = (match[2], match[3][1:] if through_got else match[3], relocation)
            if last:
                self.ends[last] = place[2]
                self.before[place] = last
            last = place

    def target(self, place, operand, relocation):
        """Where a direct call or jump goes: a place, or the name of something that is not in the archive."""
        member, section, _ = place
        if relocation is None:
            return (member, section, int(operand.split()[0], 16))
        name, addend = relocation[3], int(relocation[4] or "0", 16) + 4
        found = self.symbols.get((member, name)) or self.symbols.get(name)
        if found is None and name.startswith("."):
            found = (member, name, 0)
        return (found[0], found[1], found[2] + addend) if found else name

    def name(self, place):
        if place in self.sizes:
            return self.sizes[place][0]
        for (member, section, start), (name, size) in self.sizes.items():
            if (member, section) == place[:2] and start <= place[2] < start + size:
                return f"{name}+{place[2] - start:#x}"
        return f"{place[0]}:{place[1]}+{place[2]:#x}"


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def by_member(text):
    """Lines with their member, which has a number since names recur in an archive."""
    member, number = None, 0
    for line in text.splitlines():
        match = re.match(r"(\S+):\s+file format ", line)
        if match:
            number += 1
            member = f"{number}:{match[1]}"
        elif member:
            yield member, line


def constants():
    source = '#include "arch/state.h"\n' + "".join(f"= {n}\n" for n in NAMES)
    command = (os.environ.get("CC") or "gcc").split() + ["-E", "-P", "-D__ASSEMBLER__", f"-I{ROOT}/runtime", "-x", "c",
                                                         "-"]
    text = subprocess.run(command, input=source, check=True, capture_output=True, text=True).stdout
    return dict(zip(NAMES, (eval(value) for value in re.findall(r"^= (.+)$", text, re.MULTILINE))))


def leaves():
    names = set()
    for line in (ROOT / "runtime/thunks/functions.list").read_text().splitlines():
        kind, *rest = line.split()
        if kind in ("leaf", "inside"):
            names |= {f"__real_{n}" for n in rest} | set(rest)
    return names


class Proof:
    """What each function needs of the stack that it is entered on, its return address included."""

    def __init__(self, code, values):
        self.code, self.values, self.leaves = code, values, leaves()
        self.done, self.open = {}, []
        self.no_task = re.compile(rf"%fs:{offset(values['GOS_THREAD_TASK'])}\(%\w+\)")
        self.in_runtime = re.compile(rf"\$0x0,%fs:{offset(values['GOS_THREAD_IN_RUNTIME'])}\(%\w+\)")

    def allowance(self, place):
        """How much a function's check promises below its return address; None: it has no check."""
        limit = f"%fs:{self.values['GOS_LIMIT_WORD']:#x},"
        room = self.values["GOS_SLACK"] - self.values["GOS_NURSERY_WORDS"]
        mnemonic, operands, _ = self.code.at[place]
        if mnemonic.startswith("cmp") and (operands.startswith(limit + "%rsp") or "%rsp," + limit == operands + ","):
            return room
        match = LARGE.match(operands)
        after = self.code.at.get((*place[:2], self.code.ends.get(place)))
        if mnemonic == "lea" and match and after and after[0].startswith("cmp") and after[1].startswith(limit):
            return room + int(match[1], 16)
        return None

    def need(self, place, as_callee=False):
        """(bytes, chain). A checked function needs of its caller only what its prologue does when the check fails."""
        if not isinstance(place, tuple):
            if place in self.leaves:
                return self.values["GOS_BELOW_FRAME"], [place]
            raise Unprovable(f"{place} is neither checked nor a leaf of runtime/thunks/functions.list", [place])
        checked = self.allowance(place) is not None
        if checked and as_callee:
            more, chain = self.need(self.code.symbols["__morestack"])
            return WORD + more, [f"{self.code.name(place)} (checked)"] + chain
        if place not in self.done:
            name = self.code.name(place)
            if place in self.open:
                raise Unprovable("it calls itself", [name])
            self.open.append(place)
            try:
                self.done[place] = self.follow(place, name)
            except Unprovable as error:
                raise Unprovable(error.text, [name] + error.chain) from None
            finally:
                self.open.pop()
        return self.done[place]

    def follow(self, entry, name):
        """Walks all paths. A state: place, rsp and rbp as bytes below the entry's rsp, or None on another stack."""
        worst, seen, states = (WORD, [name]), set(), [(entry, 0, None)]
        while states:
            state = states.pop()
            if state in seen or state[0] in self.code.rooms:
                continue
            seen.add(state)
            if len(seen) > 100000:
                raise Unprovable("too many paths")
            if state[0] not in self.code.at:
                raise Unprovable(f"no code at {self.code.name(state[0])}")
            deepest, following = self.step(state, name)
            worst = max(worst, deepest, key=lambda found: found[0])
            states += following
        return worst

    def step(self, state, name):
        place, rsp, rbp = state
        mnemonic, operands, relocation = self.code.at[place]
        after = (*place[:2], self.code.ends.get(place))
        touched = [x for x in (rsp,) if x is not None]
        for match in MEMORY.finditer(operands) if mnemonic != "lea" and "nop" not in mnemonic else ():
            base = rsp if match[3] == "rsp" else rbp
            if base is not None:
                touched.append(base - int(match[2] or "0", 16))
        worst = (WORD + max(touched, default=0), [name])
        if mnemonic.startswith("ret") or mnemonic in ("ud2", "hlt"):
            return worst, []
        if mnemonic.startswith("call"):
            following = self.go_on(after, rsp, rbp) if self.is_here(after) else []
            return max(worst, self.call(place, rsp, name), key=lambda f: f[0]), following
        if mnemonic.startswith("j"):
            return self.jump(state, after, worst, name)
        rsp, rbp = self.effect(mnemonic, operands, rsp, rbp)
        if rsp is not None:
            worst = max(worst, (WORD + rsp, [name]), key=lambda f: f[0])
        return worst, self.go_on(after, rsp, rbp)

    def is_here(self, after):
        """Behind a call that does not return is nothing, or the next function."""
        entry = self.open[-1]
        return after in self.code.at and (entry not in self.code.sizes or self.sizes_of(entry)(after[2]))

    def go_on(self, after, rsp, rbp):
        return [(after, rsp, rbp)] if after in self.code.at else []  # else: behind a call that does not return

    def call(self, place, rsp, name):
        _, operands, relocation = self.code.at[place]
        if rsp is None:
            return (WORD, [name])
        if operands.startswith("*") and relocation and relocation[3].startswith(REAL):
            bytes_, chain = self.need(relocation[3][len(REAL):])
            return WORD + rsp + WORD + bytes_, [name] + chain
        if operands.startswith("*"):  # tasks' functions are checked, or reached through a check
            bytes_, chain = self.need(self.code.symbols["__morestack"])
            return WORD + rsp + WORD + bytes_, [name, "a checked function"] + chain
        bytes_, chain = self.called(place, operands, relocation)
        return WORD + rsp + bytes_, [f"{name} (+{rsp})"] + chain

    def called(self, place, operands, relocation):
        target = self.code.target(place, operands, relocation)
        caller_checked = self.allowance(self.open[-1]) is not None
        outside = not isinstance(target, tuple) or target[0] not in self.code.split
        if caller_checked and outside and target not in self.leaves:
            # The linker's business: a thunk, or it moves the caller first.
            more, chain = self.need(self.code.symbols["__morestack_non_split"])
            return WORD + more, ["a thunk"] + chain
        return self.need(target, as_callee=True)

    def jump(self, state, after, worst, name):
        place, rsp, rbp = state
        mnemonic, operands, relocation = self.code.at[place]
        following = self.go_on(after, rsp, rbp) if mnemonic != "jmp" else []
        if operands.startswith("*"):
            if rsp is not None:
                raise Unprovable(f"a jump to where a register says, at {self.code.name(place)}", [])
            return worst, following
        if self.shows_room(place, mnemonic):
            return worst, following
        target = self.code.target(place, operands, relocation)
        inside = self.sizes_of(self.open[-1])
        if isinstance(target, tuple) and target[:2] == place[:2] and inside(target[2]):
            return worst, following + [(target, rsp, rbp)]
        if rsp is None:
            return worst, following
        more, chain = self.need(target, as_callee=True)
        return max(worst, (rsp + more, [f"{name} (+{rsp})"] + chain), key=lambda f: f[0]), following

    def sizes_of(self, entry):
        size = self.code.sizes.get(entry, ("", 0))[1]
        return lambda address: entry[2] <= address < entry[2] + size

    def shows_room(self, place, mnemonic):
        """Whether a conditional jump is taken only without a task, or in the runtime."""
        before = self.code.before.get(place)
        test, load = (self.code.at.get(p, ("", "", None)) for p in (before, self.code.before.get(before)))
        if mnemonic == "je" and test[0].startswith("cmp") and test[1].startswith("$0x0,"):
            return bool(self.no_task.match(test[1][5:]))
        if mnemonic == "je" and test[0] == "test" and load[0] == "mov":
            register = load[1].rpartition(",")[2]
            return bool(self.no_task.match(load[1])) and test[1] == f"{register},{register}"
        return mnemonic == "jne" and test[0].startswith("cmp") and bool(self.in_runtime.match(test[1]))

    def effect(self, mnemonic, operands, rsp, rbp):
        """rsp and rbp after an instruction that goes on behind itself."""
        source, _, target = operands.rpartition(",")
        if mnemonic.startswith(("push", "pop")):
            by = WORD if mnemonic.startswith("push") else -WORD
            rsp = None if rsp is None else rsp + by
            return rsp, (None if mnemonic.startswith("pop") and operands == "%rbp" else rbp)
        if mnemonic == "leave":
            return (None if rbp is None else rbp - WORD), None
        if target in ("%rbp", "%ebp") and not mnemonic.startswith(("cmp", "test")):
            return rsp, (rsp if (mnemonic, source) == ("mov", "%rsp") else None)
        if target != "%rsp" or mnemonic.startswith(("cmp", "test")):
            return rsp, rbp
        return self.moved(mnemonic, source, rsp, rbp), rbp

    def moved(self, mnemonic, source, rsp, rbp):
        number = int(source[1:], 16) if re.fullmatch(r"\$-?0x[0-9a-f]+", source) else None
        signed = number - (1 << 64) if number is not None and number >> 63 else number
        match = MEMORY.fullmatch(source)
        if mnemonic == "mov":
            return rbp if source == "%rbp" else None
        if mnemonic in ("sub", "add") and number is not None:
            return None if rsp is None else rsp + (signed if mnemonic == "sub" else -signed)
        if mnemonic == "and" and number is not None:
            return None if rsp is None else rsp - signed - WORD
        if mnemonic == "lea" and match and "," not in source:
            base = rsp if match[3] == "rsp" else rbp
            return None if base is None else base - int(match[2] or "0", 16)
        if rsp is None:
            return None
        raise Unprovable(f"what '{mnemonic} {source},%rsp' does is not known")


def offset(value):
    return f"{value:#x}" if value else "(?:0x0)?"


def judge(proof, code, values):
    """(faults, the function without a check, but for libc's leaves, that needs most)."""
    faults, most = [], (0, [])
    for member, name in sorted(code.exported) + sorted(k for k in code.symbols if isinstance(k, tuple)
                                                       and k[1].startswith("gos__real_")):
        place = code.symbols[(member, name)]
        if member in code.split and place in code.at:
            faults += judge_one(proof, place, values)
    for place in sorted(code.sizes):
        if place[0] in code.split and place in code.at and proof.allowance(place) is not None:
            faults += judge_one(proof, place, values)
    for place, found in proof.done.items():
        if proof.allowance(place) is None and found[1][-1] not in proof.leaves:
            most = max(most, found, key=lambda f: f[0])
    return faults, most


def judge_one(proof, place, values):
    allowed = proof.allowance(place)
    bound = values["GOS_BELOW_FRAME"] + WORD if allowed is None else allowed + WORD
    try:
        bytes_, chain = proof.need(place)
    except Unprovable as error:
        return [f"{' -> '.join(error.chain)}: {error.text}"]
    if bytes_ <= bound:
        return []
    return [f"{' -> '.join(chain)}: {bytes_} bytes, of {bound} that {'its check promises' if allowed else 'are left'}"]


def main():
    arguments = [a for a in sys.argv[1:] if a != "--verbose"]
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("budget.py: name one archive: .ci/budget.py build/.../libgossamer.a", file=sys.stderr)
        return 2
    values = constants()
    code = Code(arguments[0])
    proof = Proof(code, values)
    if values["GOS_SLACK"] < SMALL_FRAME + WORD + values["GOS_BELOW_FRAME"] + values["GOS_NURSERY_WORDS"]:
        print(f"budget.py: GOS_SLACK={values['GOS_SLACK']} is less than a small frame, a return address, "
              "GOS_BELOW_FRAME and GOS_NURSERY_WORDS", file=sys.stderr)
        return 1
    faults, most = judge(proof, code, values)
    for fault in faults:
        print(f"budget.py: {fault}", file=sys.stderr)
    if "--verbose" in sys.argv and not faults:
        checked = sum(proof.allowance(p) is not None for p in proof.done)
        print(f"{len(proof.done) - checked} functions without a check need at most {most[0]} bytes "
              f"({' -> '.join(most[1])}); {checked} checked ones keep to the slack of {values['GOS_SLACK']}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
