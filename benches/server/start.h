/* start.h: the one difference between the two builds of blocking.c: what runs a connection's function. */
#ifndef SERVER_START_H
#define SERVER_START_H

/* Calls fn where start may be called. */
int start_main(int (*fn)(void *), void *arg);

/* fn(arg) runs by itself from now on. 0 or -errno. */
int start(void (*fn)(void *), void *arg);

#endif
