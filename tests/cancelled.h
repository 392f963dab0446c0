/* cancelled.h: for programs in which threads are cancelled. Address sanitizer does not see the frames that these leave,
 * and trips over their bounds when it looks for the thread's signal stack itself. */
#ifndef TEST_CANCELLED_H
#define TEST_CANCELLED_H

#if defined(GOS_ASAN)
const char *__asan_default_suppressions(void);
const char *__asan_default_suppressions(void)
{
    return "interceptor_name:sigaltstack";
}
#endif
#endif
