/* registers.h: calls a function with given values in all callee-saved registers and shows what came back in them. */
#ifndef TEST_REGISTERS_H
#define TEST_REGISTERS_H

#include <stdint.h>

/* What a processor keeps of floating-point control across calls, in one word. */
typedef uint64_t control;

enum { NEAREST, DOWN, UP, TO_ZERO, ROUNDINGS };

#if defined(__x86_64__)
#include <xmmintrin.h>

enum { REGISTERS = 6 }; /* rbx, r12, r13, r14, r15, rbp */

__asm__(".text\n"
        ".type call_with_registers, @function\n"
        "call_with_registers:\n"
        "   pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15; pushq %rcx\n"
        "   movq (%rcx), %rbx; movq 8(%rcx), %r12; movq 16(%rcx), %r13\n"
        "   movq 24(%rcx), %r14; movq 32(%rcx), %r15; movq 40(%rcx), %rbp\n"
        "   callq *%rdx\n"
        "   popq %rcx\n"
        "   movq %rbx, (%rcx); movq %r12, 8(%rcx); movq %r13, 16(%rcx)\n"
        "   movq %r14, 24(%rcx); movq %r15, 32(%rcx); movq %rbp, 40(%rcx)\n"
        "   popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp\n"
        "   retq\n"
        ".size call_with_registers, . - call_with_registers\n");

static const control CONTROL_DEFAULT = 0x1f80 | 0x037full << 32;

/* MXCSR (rounding: bits 13-14) with flush-to-zero, and the x87 control word (bits 10-11) with its precision, so that
 * all of both words is seen to be kept. */
static inline control control_pair(unsigned mxcsr, unsigned x87, unsigned flag)
{
    uint32_t fpucw = 0x007fu | x87 << 10 | (flag ? 2u : 3u) << 8;
    return 0x1f80u | mxcsr << 13 | flag << 15 | (control)fpucw << 32;
}

static inline void set_control(control to)
{
    uint16_t fpucw = (uint16_t)(to >> 32);
    _mm_setcsr((uint32_t)to);
    __asm__ volatile("fldcw %0" : : "m"(fpucw));
}

static inline control control_now(void)
{
    uint16_t fpucw;
    __asm__ volatile("fnstcw %0" : "=m"(fpucw));
    return (_mm_getcsr() & 0xffc0u) | (control)fpucw << 32; /* without the sticky exception flags */
}

#else
enum { REGISTERS = 18 }; /* x19 to x28, d8 to d15 */

__asm__(".text\n"
        ".type call_with_registers, @function\n"
        "call_with_registers:\n"
        "   stp x29, x30, [sp, #-176]!; mov x29, sp; str x3, [sp, #16]\n"
        "   stp x19, x20, [sp, #32]; stp x21, x22, [sp, #48]; stp x23, x24, [sp, #64]\n"
        "   stp x25, x26, [sp, #80]; stp x27, x28, [sp, #96]; stp d8, d9, [sp, #112]\n"
        "   stp d10, d11, [sp, #128]; stp d12, d13, [sp, #144]; stp d14, d15, [sp, #160]\n"
        "   ldp x19, x20, [x3]; ldp x21, x22, [x3, #16]; ldp x23, x24, [x3, #32]\n"
        "   ldp x25, x26, [x3, #48]; ldp x27, x28, [x3, #64]; ldp d8, d9, [x3, #80]\n"
        "   ldp d10, d11, [x3, #96]; ldp d12, d13, [x3, #112]; ldp d14, d15, [x3, #128]\n"
        "   blr x2\n"
        "   ldr x3, [sp, #16]\n"
        "   stp x19, x20, [x3]; stp x21, x22, [x3, #16]; stp x23, x24, [x3, #32]\n"
        "   stp x25, x26, [x3, #48]; stp x27, x28, [x3, #64]; stp d8, d9, [x3, #80]\n"
        "   stp d10, d11, [x3, #96]; stp d12, d13, [x3, #112]; stp d14, d15, [x3, #128]\n"
        "   ldp x19, x20, [sp, #32]; ldp x21, x22, [sp, #48]; ldp x23, x24, [sp, #64]\n"
        "   ldp x25, x26, [sp, #80]; ldp x27, x28, [sp, #96]; ldp d8, d9, [sp, #112]\n"
        "   ldp d10, d11, [sp, #128]; ldp d12, d13, [sp, #144]; ldp d14, d15, [sp, #160]\n"
        "   ldp x29, x30, [sp], #176; ret\n"
        ".size call_with_registers, . - call_with_registers\n");

static const control CONTROL_DEFAULT = 0;

/* FPCR: rounding in bits 22-23, flush-to-zero in bit 24. There is no second word. */
static inline control control_pair(unsigned rounding, unsigned unused, unsigned flag)
{
    static const unsigned mode[ROUNDINGS] = { [NEAREST] = 0, [UP] = 1, [DOWN] = 2, [TO_ZERO] = 3 };
    (void)unused;
    return mode[rounding] << 22 | flag << 24;
}

static inline void set_control(control to)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(to));
}

static inline control control_now(void)
{
    control now;
    __asm__ volatile("mrs %0, fpcr" : "=r"(now));
    return now;
}
#endif

static inline control control_of(unsigned rounding, unsigned flag)
{
    return control_pair(rounding, rounding, flag);
}

/* fn(a, b), whose result it returns; takes 72 bytes of stack, 176 on aarch64. */
int call_with_registers(void *a, void *b, void *fn, uint64_t registers[REGISTERS]);

#endif
