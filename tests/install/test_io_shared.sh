#!/bin/sh
# timeout: 400
# Calls that only a shared library makes, and the FORTIFY names, park tasks too; so do those of a static program. A
# library that waits by the kernel's futex, which nobody can see, loses its worker.
set -eu
[ -z "${SAN:-}" ] || { echo "skipped: a sanitized library needs the sanitizer's flags"; exit 77; }
make=${MAKE:-make}
CC=${CC:-gcc}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
$make B="$BUILD" install PREFIX="$tmp/gos"
PKG_CONFIG_PATH="$tmp/gos/lib/pkgconfig"
export PKG_CONFIG_PATH GOS_PROCS=1 GOS_DEBUG=stats
CFLAGS=$(pkg-config --cflags gossamer)

cat >"$tmp/lib.c" <<'C'
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
/* n: not known to the compiler, but the room is, so that FORTIFY checks it when the program runs */
long take(int fd, char *byte, unsigned long n)
{
    char room[8];
    long got = read(fd, room, n);
    *byte = room[0];
    return got;
}
long take_socket(int fd, unsigned long n) { char room[8]; return recv(fd, room, n, 0) > 0 ? room[0] : -1; }
long take_from(int fd, unsigned long n)
{
    char room[8];
    return recvfrom(fd, room, n, 0, NULL, NULL) > 0 ? room[0] : -1;
}
long give(int fd, const char *bytes, unsigned long n) { return write(fd, bytes, n); }
int await(int fd, unsigned long n)
{
    struct pollfd p[2] = { { fd, POLLIN, 0 }, { -1, 0, 0 } };
    return poll(p, n, 10000);
}
int await_precisely(int fd, unsigned long n)
{
    struct pollfd p[2] = { { fd, POLLIN, 0 }, { -1, 0, 0 } };
    struct timespec limit = { 10, 0 };
    return ppoll(p, n, &limit, NULL);
}
static pthread_mutex_t once_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t another = PTHREAD_COND_INITIALIZER;
static sem_t turns;
static int n;
void open_turns(void) { sem_init(&turns, 0, 0); }
void serve(int fd) /* reads with the lock held */
{
    char byte;
    sem_wait(&turns);
    pthread_mutex_lock(&once_at_a_time);
    n += (int)read(fd, &byte, 1);
    pthread_cond_signal(&another);
    pthread_mutex_unlock(&once_at_a_time);
}
void wait_for(int count)
{
    for (int i = 0; i < count; i++)
        sem_post(&turns);
    pthread_mutex_lock(&once_at_a_time);
    while (n < count)
        pthread_cond_wait(&another, &once_at_a_time);
    pthread_mutex_unlock(&once_at_a_time);
}
int child(void)
{
    int status = -1, pid = fork();
    if (!pid) {
        usleep(5000);
        _exit(7);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
C
cat >"$tmp/main.c" <<'C'
#include <gossamer.h>
extern long take(int, char *, unsigned long), take_socket(int, unsigned long);
extern long give(int, const char *, unsigned long);
extern long take_from(int, unsigned long);
extern int await(int, unsigned long), await_precisely(int, unsigned long), child(void);
extern int pipe(int *), socketpair(int, int, int, int *);
extern void open_turns(void), serve(int), wait_for(int);
static void server(void *arg) { serve(*(int *)arg); }
static void feeder(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        if (i % 50 == 0)
            gos_sleep(100000);
        give(((int *)arg)[1], "x", 1);
    }
}
static int fds[2], pair[2];
static volatile unsigned long one = 1;
static void writer(void *arg)
{
    (void)arg;
    gos_sleep(5000000);
    give(fds[1], "a", 1);
    gos_sleep(5000000);
    give(pair[1], "b", 1);
    gos_sleep(5000000);
    give(fds[1], "c", 1);
    gos_sleep(5000000);
    give(pair[1], "d", 1);
    gos_sleep(5000000);
    give(fds[1], "e", 1);
}
static int run(void *arg)
{
    char byte[8] = "";
    (void)arg;
    if (pipe(fds) || socketpair(1, 1, 0, pair) || gos_go(writer, 0))
        return 2;
    if (take(fds[0], byte, 1) != 1 || byte[0] != 'a')
        return 3;
    if (take_socket(pair[0], one) != 'b')
        return 4;
    if (await(fds[0], one) != 1)
        return 5;
    take(fds[0], byte, 1);
    if (take_from(pair[0], one) != 'd')
        return 7;
    if (await_precisely(fds[0], one) != 1)
        return 8;
    take(fds[0], byte, 1);
    open_turns();
    for (int i = 0; i < 1000; i++)
        gos_go(server, fds);
    gos_go(feeder, fds);
    wait_for(1000);
    return child() == 7 ? 0 : 6;
}
int main(void) { return gos_run(run, 0); }
C

run() { # what command...
    what=$1
    shift
    "$@" >"$tmp/out" 2>&1 || { echo "$what: status $?"; cat "$tmp/out"; exit 1; }
}
parks() { # what program: runs it; a thread that blocked would have handed its worker on
    run "$1" timeout 20 "$2"
    grep -q 'hand-offs 0, threads at most 1,' "$tmp/out" || { echo "$1: blocked its thread"; cat "$tmp/out"; exit 1; }
}

for library in gossamer gossamer-static; do
    LIBS=$(pkg-config --libs $library)
    for fortify in 0 2; do
        run "library, fortify $fortify" "$CC" -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$fortify -fPIC -shared \
            "$tmp/lib.c" -o "$tmp/libuser.so"
        # shellcheck disable=SC2086
        run "program" "$CC" -O2 $CFLAGS "$tmp/main.c" -L"$tmp" -luser -Wl,-rpath,"$tmp" $LIBS -o "$tmp/shared"
        parks "$library: calls from a shared library, fortify $fortify" "$tmp/shared"
    done
    # shellcheck disable=SC2086
    run "static objects" "$CC" -O2 $CFLAGS "$tmp/main.c" "$tmp/lib.c" $LIBS -o "$tmp/own"
    parks "$library: the program's own calls" "$tmp/own"
done
# Of the compilers only gcc fortifies recv: with clang the calls above were plain both times.
for name in read recv recvfrom poll ppoll; do
    nm -D "$tmp/libuser.so" | grep -q "__${name}_chk" || "$CC" --version | grep -q clang || {
        echo "the compiler made no fortified $name: nothing tested"; exit 1; }
done

# A lock that is none of libc's: who waits for it sleeps in the kernel, and main, on the same worker, goes on.
cat >"$tmp/futex.c" <<'C'
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
static int held = 1, waits;
void third_lock(void)
{
    while (__atomic_exchange_n(&held, 1, __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&waits, 1, __ATOMIC_RELEASE);
        syscall(SYS_futex, &held, FUTEX_WAIT_PRIVATE, 1, 0, 0, 0);
    }
}
void third_unlock(void)
{
    __atomic_store_n(&held, 0, __ATOMIC_RELEASE);
    syscall(SYS_futex, &held, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}
int third_waits(void) { return __atomic_load_n(&waits, __ATOMIC_ACQUIRE); }
C
cat >"$tmp/locks.c" <<'C'
#include <gossamer.h>
extern void third_lock(void), third_unlock(void);
extern int third_waits(void);
static int passed;
static void locks(void *arg)
{
    (void)arg;
    third_lock();
    __atomic_store_n(&passed, 1, __ATOMIC_RELEASE);
    third_unlock();
}
static int run(void *arg)
{
    (void)arg;
    if (gos_go(locks, 0))
        return 2;
    while (!third_waits())
        gos_yield();
    third_unlock();
    while (!__atomic_load_n(&passed, __ATOMIC_ACQUIRE))
        gos_yield();
    return 0;
}
int main(void) { return gos_run(run, 0); }
C
run "a library with a lock of its own" "$CC" -O2 -fPIC -shared "$tmp/futex.c" -o "$tmp/libfutex.so"
# shellcheck disable=SC2086
run "program" "$CC" -O2 $CFLAGS "$tmp/locks.c" -L"$tmp" -lfutex -Wl,-rpath,"$tmp" $LIBS -o "$tmp/locks"
run "a futex wait inside a shared library" timeout 20 "$tmp/locks"
grep -q 'hand-offs [1-9]' "$tmp/out" || { echo "the futex wait took no hand-off"; cat "$tmp/out"; exit 1; }

# hwloc's archive wants libudev, of which Debian has none: stand-ins that find no device.
cat >"$tmp/udev.c" <<'C'
void *udev_new(void) { return 0; }
void *udev_unref(void *udev) { return udev; }
void *udev_device_new_from_subsystem_sysname(void) { return 0; }
void *udev_device_get_property_value(void) { return 0; }
void *udev_device_unref(void *device) { return device; }
C
# shellcheck disable=SC2086,SC2046
run "static program" "$CC" -O2 -static $CFLAGS "$tmp/main.c" "$tmp/lib.c" "$tmp/udev.c" \
    $(pkg-config --static --libs gossamer) -o "$tmp/static"
parks "a static program" "$tmp/static"
