# gossamer-gdb.py: gdb sees tasks: `info tasks`, `task N bt`; docs/DEBUGGING.md. In a live process or a core file.
import struct

import gdb
import gdb.unwinder

HEADER = struct.Struct("<QQ24xQiBBBBQ")  # struct gos__task: sp, region, waiter.task, result, state ... entry
CONTEXT = struct.Struct("<8xQQQQQQQ")    # struct gos__ctx: r15 ... rip
REGISTERS = ("r15", "r14", "r13", "r12", "rbx", "rbp", "rip")
COLOURS, COLOUR = 8, 128                 # stack/arena.h: gos__arena_colour
CHUNK = 1 << 24
MOST_FRAMES = 200


def constants(enum, prefix):
    """The names of an enumeration's values, as a dump writes them."""
    fields = gdb.lookup_type(f"enum {enum}").fields()
    return {field.enumval: field.name.removeprefix(prefix).lower() for field in fields}


class Task:
    def __init__(self, words, kind):
        self.sp, _, self.address, _, state, self.why, _, pinned, entry = words
        self.state, self.kind, self.pinned = state, kind, pinned & 63
        self.entry = entry & (1 << 47) - 1

    def rip(self):
        return CONTEXT.unpack(read(self.sp, CONTEXT.size))[-1]


def read(address, size):
    return gdb.selected_inferior().read_memory(address, size).tobytes()


def arenas():
    for name in ("'pool.c'::pool", "'runtime/stack/pool.c'::pool"):
        try:
            stacks = gdb.parse_and_eval(name)["stacks"]
        except gdb.error:
            continue
        low, high = stacks.type.range()
        return [{field: int(stacks[i][field]) for field in ("base", "carved", "stride")} for i in range(low, high + 1)]
    raise gdb.GdbError("gossamer: no tasks here: no run yet, or libgossamer was built without -g")


def headers(part, is_paged):
    """The header of each stack of one kind."""
    base, stride = part["base"], part["stride"]
    per_chunk = max(1, CHUNK // stride) * stride
    for start in range(base, part["carved"], per_chunk):
        size = min(per_chunk, part["carved"] - start)
        if is_paged:  # mostly untouched pages, and guards between them
            for slot in range(start, start + size, stride):
                top = slot + stride - slot // stride % COLOURS * COLOUR
                yield read(top - HEADER.size, HEADER.size), 0
        else:
            data = read(start, size)
            for offset in range(stride - HEADER.size, size, stride):
                yield data, offset


def tasks():
    """All that live, by kind of stack and address."""
    free = int(gdb.parse_and_eval("(int)GOS_FREE"))
    parts = arenas()
    for kind, part in enumerate(parts):
        if part["base"]:
            for data, offset in headers(part, kind == len(parts) - 1):
                task = Task(HEADER.unpack_from(data, offset), kind)
                if task.state != free and task.address:
                    yield task


def function(address):
    try:
        block = gdb.block_for_pc(address)
    except gdb.error:
        block = None
    while block and not block.function:
        block = block.superblock
    if block:
        return str(block.function)
    text = gdb.execute(f"info symbol {address:#x}", to_string=True)
    return text.split(" ")[0] if " in section" in text else "?"


class InfoTasks(gdb.Command):
    """Tasks of gossamer, those that do the same in the same place in one line; `info tasks all`: each in its own.
The number in front is for `task N bt`."""

    def __init__(self):
        super().__init__("info tasks", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        if argument not in ("", "all"):
            raise gdb.GdbError("info tasks: use no argument, or all")
        states, waits = constants("gos__state", "GOS_"), constants("gos__wait", "GOS_WAIT_")
        groups, total = {}, 0
        for number, task in enumerate(tasks(), 1):
            state = states[task.state]
            parked = state.startswith("parked")
            state = waits[task.why] if parked else state
            where = task.rip() if parked else 0
            key = number if argument else (state, task.entry, where, task.pinned > 0)
            groups.setdefault(key, [number, task, state, where, 0])[4] += 1
            total += 1
        print(f"{total} tasks")
        for number, task, state, where, count in groups.values():
            alike = f", {count} alike" if count > 1 else ""
            print(f"{number:>7}  {task.address:#x} [{state}] started with {function(task.entry)}"
                  f"{', at ' + function(where) if where else ''}{', pinned' if task.pinned else ''}{alike}")


class Saved(gdb.unwinder.Unwinder):
    """While `registers` is set, the selected thread's innermost frame seems to have been called by the parked task."""

    def __init__(self):
        super().__init__("gossamer")
        self.sp, self.registers = None, None

    def __call__(self, frame):
        if self.registers is None or int(frame.read_register("rsp")) != self.sp:
            return None
        info = frame.create_unwind_info(self.Id(frame))
        for name, value in self.registers.items():
            kind = frame.read_register(name).type
            info.add_saved_register(name, gdb.Value(value).cast(kind))
        return info

    class Id:
        def __init__(self, frame):
            self.sp, self.pc = frame.read_register("rsp"), frame.read_register("rip")


class TaskCommand(gdb.Command):
    """task N bt: the backtrace of a task of gossamer. N: its number in `info tasks`, or its address."""

    def __init__(self, saved):
        super().__init__("task", gdb.COMMAND_STACK)
        self.saved = saved

    def invoke(self, argument, from_tty):
        words = argument.split()
        if len(words) != 2 or words[1] != "bt":
            raise gdb.GdbError("task: use task N bt, with a number from `info tasks`, or an address")
        task = self.find(int(gdb.parse_and_eval(words[0])))
        if constants("gos__state", "GOS_")[task.state] == "running":
            self.running(task)
        else:
            self.parked(task)

    def find(self, wanted):
        for number, task in enumerate(tasks(), 1):
            if wanted in (number, task.address):
                return task
        raise gdb.GdbError(f"task: there is no task {wanted:#x}: see `info tasks`")

    def running(self, task):
        former = gdb.selected_thread()
        try:
            for thread in gdb.selected_inferior().threads():
                thread.switch()
                try:
                    if int(gdb.parse_and_eval("(unsigned long)gos__self.task")) == task.address:
                        gdb.execute("bt")
                        return
                except gdb.error:
                    continue
            print("it runs, on a thread that gdb cannot tell")
        finally:
            former.switch()

    def parked(self, task):
        registers = dict(zip(REGISTERS, CONTEXT.unpack(read(task.sp, CONTEXT.size))))
        registers["rsp"] = task.sp + CONTEXT.size
        self.saved.sp = int(gdb.newest_frame().read_register("rsp"))
        self.saved.registers = registers
        gdb.invalidate_cached_frames()
        try:
            self.show(gdb.newest_frame().older())
        finally:
            self.saved.registers = None
            gdb.invalidate_cached_frames()

    def show(self, frame):
        number = 0
        while frame is not None and number < MOST_FRAMES:
            place = frame.find_sal()
            source = f" at {place.symtab.filename}:{place.line}" if place.symtab else ""
            print(f"#{number:<3}{frame.pc():#x} in {frame.name() or '??'} (){source}")
            frame, number = frame.older(), number + 1


def load():
    saved = Saved()
    gdb.unwinder.register_unwinder(None, saved, replace=True)
    InfoTasks()
    TaskCommand(saved)


load()
