/*
 * gossamer/trace.h: what the workers did, by time, for operators: a trace in a file, and a recorder that always runs.
 * docs/DEBUGGING.md says how to read both, and how to have them by GOS_DEBUG without a word in the program.
 */
#ifndef GOSSAMER_TRACE_H
#define GOSSAMER_TRACE_H

#include <gossamer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- traces ----------------------------------------------------------------------------------------------------- */

/* From now on what the workers do goes into a file, which it makes or writes over: Chrome's trace event format, for
 * Perfetto (ui.perfetto.dev) or chrome://tracing. It ends with the run, or when the file has 1 GiB. Waits for the disk.
 * -EPERM: no runtime is running; -EALREADY: a trace has been started, and gos_trace_stop was not called; -EACCES,
 * -ENOENT ...: the file cannot be; -ENOMEM, -EAGAIN. */
int gos_trace_start(const char *file);

/* Ends it; the file is whole then. Waits for the disk. -EPERM: there is none; -EALREADY: another call starts or
 * ends one just now; -ENOSPC, -EIO ...: the file ends where it could not be written further. */
int gos_trace_stop(void);

/* Writes the newest 300 records of what the workers did to a file descriptor, a line each: of the flight recorder,
 * which has gaps where they switch more often than some thousand times a second, and nothing with
 * GOS_DEBUG=noflight. -EPERM: no runtime is running; -ENOMEM; -EBADF, -EPIPE ...: not all could be written. */
int gos_flight_write(int fd);

#ifdef __cplusplus
}
#endif
#endif
