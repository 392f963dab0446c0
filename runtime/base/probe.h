/*
 * probe.h: static probe points (USDT) of the provider `gossamer`, for perf, bpftrace, SystemTap and gdb: a nop each and
 * a note that says where its arguments are. Without <sys/sdt.h> (systemtap-sdt-dev) at build time there are none.
 *
 *     spawn(task, entry)  park(task, why, subject)  ready(task)  handoff(worker)  grow(task, bytes)
 *
 * A task that is met at the door of a channel of its own worker (arch/doors_x86_64.h: MEET) does not pass `ready`, nor
 * one that crosses to a spare region (arch/morestack_x86_64.S) `grow`.
 */
#ifndef GOS_BASE_PROBE_H
#define GOS_BASE_PROBE_H

#if defined(__has_include)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define GOS_PROBE1(name, a) STAP_PROBE1(gossamer, name, a)
#define GOS_PROBE2(name, a, b) STAP_PROBE2(gossamer, name, a, b)
#define GOS_PROBE3(name, a, b, c) STAP_PROBE3(gossamer, name, a, b, c)
#endif
#endif
#ifndef GOS_PROBE1
#define GOS_PROBE1(name, a) ((void)(a))
#define GOS_PROBE2(name, a, b) ((void)(a), (void)(b))
#define GOS_PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#endif

#endif
