/* prologue_x86_64.c: how was a function compiled? Decides on which kind of stack a task may start. */
#include <string.h>

#include "base/env.h"
#include "stack/stack.h"

/* cmp %fs:0x70, %rsp and what lld makes of it when the function calls unchecked code: stc; nopl. */
static const uint8_t compare_rsp[] = { 0x64, 0x48, 0x3b, 0x24, 0x25, GOS_LIMIT_WORD, 0, 0, 0 };
static const uint8_t rewritten[] = { 0xf9, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 };

/* lea -N(%rsp), %r10 or %r11; cmp %fs:0x70, the same: frames of 256 bytes and more. */
static bool is_large_frame(const uint8_t *code)
{
    if (code[0] != 0x4c || code[1] != 0x8d || (code[2] != 0x94 && code[2] != 0x9c) || code[3] != 0x24)
        return false;
    const uint8_t compare[] = { 0x64, 0x4c, 0x3b, code[2] == 0x94 ? 0x14 : 0x1c, 0x25, GOS_LIMIT_WORD, 0, 0, 0 };
    return !memcmp(code + 8, compare, sizeof compare);
}

/* Steps over an endbr64 and through the jumps of PLT stubs. */
static const uint8_t *resolve(const uint8_t *code)
{
    static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
    for (int hops = 0; hops < 3; hops++) {
        int32_t offset;
        if (!memcmp(code, endbr64, sizeof endbr64))
            code += sizeof endbr64;
        if (code[0] == 0xff && code[1] == 0x25) { /* jmp *offset(%rip) */
            memcpy(&offset, code + 2, sizeof offset);
            const uint8_t *target;
            memcpy(&target, code + 6 + offset, sizeof target);
            code = target;
        } else if (code[0] == 0xe9) { /* jmp offset */
            memcpy(&offset, code + 1, sizeof offset);
            code += 5 + offset;
        } else {
            break;
        }
    }
    return code;
}

/* A function of the program that a right link rewrites: where it was not, calls into unchecked code would overrun a
 * nursery in silence, and no task gets one. Nor in a program that has none, whose code was not linked for it. */
extern const uint8_t *const gos__probe;
void gos__unchecked(void);

static bool linker_rewrites(void)
{
    return gos__probe && !memcmp(resolve(gos__probe), rewritten, sizeof rewritten);
}

enum gos__kind gos__kind_of(void (*entry)(void *))
{
    if (GOS_PAGED_ONLY)
        return GOS_PAGED;
    static uint32_t rewrites; /* 0: not yet asked, 1: no, 2: yes */
    if (!rewrites)
        rewrites = 1 + linker_rewrites();
    if (rewrites == 1 || gos__env_get()->paged)
        return GOS_PAGED;
    const uint8_t *code = resolve((const uint8_t *)(uintptr_t)entry);
    if (!memcmp(code, compare_rsp, sizeof compare_rsp) || !memcmp(code, rewritten, sizeof rewritten) ||
        is_large_frame(code))
        return GOS_NURSERY;
    return GOS_PAGED;
}

/* What the probe calls: compiled without checks. */
void gos__unchecked(void)
{
}
