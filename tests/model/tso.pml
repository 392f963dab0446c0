/*
 * tso.pml: memory as x86 has it (x86-TSO). A store waits in its processor's buffer, first in, first out; the
 * processor itself sees its own waiting stores, others see them when they leave the buffer. A locked instruction
 * drains its own buffer first; a membarrier drains everybody's.
 *
 * With -DWEAK stores to different variables leave the buffer in any order, as on aarch64, but that one with release
 * waits for all before it. That loads overtake each other is left out: the acquire orders in the C are taken for granted.
 *
 * Before including: CPUS, VARS (shared variables, numbered from 0) and DEPTH (stores that may wait). A process keeps the
 * number of its processor in `me`.
 */
byte memory[VARS];
byte newest[CPUS * VARS]; /* of a processor's waiting stores to a variable */
byte waiting[CPUS * VARS];
#ifdef WEAK
byte releases[CPUS * VARS]; /* of these, with release; in the buffer as var + VARS */
#endif
chan buffer[CPUS] = [DEPTH] of { byte, byte };

#define AT(cpu, var) ((cpu) * VARS + (var))
/* newest is 0 where nothing waits; spin takes no conditional expression inside of an argument. */
#define LOAD(var) (newest[AT(me, var)] + !waiting[AT(me, var)] * memory[var])

inline store(var, value)
{
    atomic { buffer[me]!var, value; newest[AT(me, var)] = value; waiting[AT(me, var)]++ }
}

inline store_release(var, value)
{
#ifdef WEAK
    atomic {
        buffer[me]!var + VARS, value;
        newest[AT(me, var)] = value;
        waiting[AT(me, var)]++;
        releases[AT(me, var)]++
    }
#else
    store(var, value)
#endif
}

inline drain_one(cpu)
{
    buffer[cpu]?drained, content;
#ifdef WEAK
    if
    :: drained >= VARS -> drained = drained - VARS; releases[AT(cpu, drained)]--
    :: else
    fi;
#endif
    drained_to_memory(cpu)
}

inline drained_to_memory(cpu)
{
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

/* A plain store to this variable leaves before others that were made before it. */
#define OVERTAKES(var)                                                                                                 \
    :: atomic {                                                                                                        \
           waiting[AT(cpu, var)] && !releases[AT(cpu, var)] -> buffer[cpu]??eval(var), content;                        \
           drained = var;                                                                                              \
           drained_to_memory(cpu)                                                                                      \
       }

/* One for each processor: the buffer empties by itself, sooner or later. */
proctype store_buffer(byte cpu)
{
    byte drained, content;
end:do
    :: atomic { nempty(buffer[cpu]) -> drain_one(cpu) }
#ifdef WEAK
    OVERTAKES(0)
    OVERTAKES(1)
    OVERTAKES(2)
#if VARS > 3
    OVERTAKES(3)
#endif
#if VARS > 4
    OVERTAKES(4)
#endif
#if VARS > 5
    OVERTAKES(5)
#endif
#if VARS > 6
#error "more variables than may overtake each other"
#endif
#endif
    od
}
