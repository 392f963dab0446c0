/*
 * tso.pml: memory as x86 has it (x86-TSO). A store waits in its processor's buffer, first in, first out; the
 * processor itself sees its own waiting stores, others see them when they leave the buffer. A locked instruction
 * drains its own buffer first; a membarrier drains everybody's. Other processors reorder more: there the release and
 * acquire orders in the C count, which these models take for granted.
 *
 * Before including: CPUS, VARS (shared variables, numbered from 0) and DEPTH (stores that may wait). A process keeps the
 * number of its processor in `me`.
 */
byte memory[VARS];
byte newest[CPUS * VARS]; /* of a processor's waiting stores to a variable */
byte waiting[CPUS * VARS];
chan buffer[CPUS] = [DEPTH] of { byte, byte };

#define AT(cpu, var) ((cpu) * VARS + (var))
/* newest is 0 where nothing waits; spin takes no conditional expression inside of an argument. */
#define LOAD(var) (newest[AT(me, var)] + !waiting[AT(me, var)] * memory[var])

inline store(var, value)
{
    atomic { buffer[me]!var, value; newest[AT(me, var)] = value; waiting[AT(me, var)]++ }
}

inline drain_one(cpu)
{
    buffer[cpu]?drained, content;
    memory[drained] = content;
    waiting[AT(cpu, drained)]--;
    if
    :: !waiting[AT(cpu, drained)] -> newest[AT(cpu, drained)] = 0
    :: else
    fi;
    drained = 0; content = 0
}

/* A locked read-modify-write is atomic { FENCED -> ... }. */
#define FENCED empty(buffer[me])

inline membarrier()
{
    byte cpu;
    FENCED;
    for (cpu : 0 .. CPUS - 1) {
        atomic {
            do
            :: nempty(buffer[cpu]) -> drain_one(cpu)
            :: empty(buffer[cpu]) -> break
            od
        }
    }
    cpu = 0
}

/* One for each processor: the buffer empties by itself, sooner or later. */
proctype store_buffer(byte cpu)
{
    byte drained, content;
end:do
    :: atomic { nempty(buffer[cpu]) -> drain_one(cpu) }
    od
}
