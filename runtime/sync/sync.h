/*
 * sync.h: the C side of channels, mutexes and wait groups; arch/entry_x86_64.S calls these on the system stack. Those
 * with a `self` return the task to go on with; what the public function returns is self->result.
 *
 * Everywhere: a task puts itself into a wait list under that list's lock, its context long saved, releases the lock
 * and parks; who takes it out under the lock makes it ready after releasing it. Elements are copied by the side that
 * arrives second, straight from or to the stack of the parked one, which stays where it is.
 */
#ifndef GOS_SYNC_SYNC_H
#define GOS_SYNC_SYNC_H

#include "arch/state.h"
#include "include/gossamer.h"

gos_chan *gos__chan_new(size_t elem_size, size_t capacity);
void gos__chan_free(gos_chan *chan);
gos__task *gos__chan_send(gos_chan *chan, const void *elem, void *unused, gos__task *self);
gos__task *gos__chan_recv(gos_chan *chan, void *elem, void *unused, gos__task *self);
int gos__chan_try_send(gos_chan *chan, const void *elem);
int gos__chan_try_recv(gos_chan *chan, void *elem);
int gos__chan_close(gos_chan *chan);
size_t gos__chan_len(gos_chan *chan);
size_t gos__chan_cap(gos_chan *chan);

gos__task *gos__mutex_lock(gos_mutex *mutex, void *b, void *c, gos__task *self);
int gos__mutex_trylock(gos_mutex *mutex);
void gos__mutex_unlock(gos_mutex *mutex);

void gos__waitgroup_add(gos_waitgroup *group, long n);
void gos__waitgroup_done(gos_waitgroup *group);
gos__task *gos__waitgroup_wait(gos_waitgroup *group, void *b, void *c, gos__task *self);

#endif
