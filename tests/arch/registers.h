/* registers.h: calls a function with given values in all callee-saved registers and shows what came back in them. */
#ifndef TEST_REGISTERS_H
#define TEST_REGISTERS_H

#include <stdint.h>
#include <xmmintrin.h>

enum { REGISTERS = 6 }; /* rbx, r12, r13, r14, r15, rbp */

/* fn(a, b), whose result it returns; takes 72 bytes of stack. */
int call_with_registers(void *a, void *b, void *fn, uint64_t registers[REGISTERS]);

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

/* Rounding modes, as MXCSR (bits 13-14) and the x87 control word (bits 10-11) number them. */
enum { NEAREST, DOWN, UP, TO_ZERO, ROUNDINGS };

/* MXCSR's flush-to-zero and the x87 precision, so that all of both words is seen to be kept. */
static inline uint32_t mxcsr_of(unsigned rounding, unsigned flush)
{
    return 0x1f80u | rounding << 13 | flush << 15;
}

static inline uint16_t fpucw_of(unsigned rounding, unsigned is_short)
{
    return (uint16_t)(0x007fu | rounding << 10 | (is_short ? 2u : 3u) << 8);
}

static inline void set_control(uint32_t mxcsr, uint16_t fpucw)
{
    _mm_setcsr(mxcsr);
    __asm__ volatile("fldcw %0" : : "m"(fpucw));
}

static inline uint32_t mxcsr_control(void)
{
    return _mm_getcsr() & 0xffc0u; /* without the sticky exception flags */
}

static inline uint16_t fpucw(void)
{
    uint16_t word;
    __asm__ volatile("fnstcw %0" : "=m"(word));
    return word;
}

#endif
