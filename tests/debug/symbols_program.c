/* Tasks parked in functions of the program, of what it is linked with and of a plug-in; then a dump; or a stack that
 * overflows. test_symbols.sh builds it in several ways. */
#include <gossamer.h>

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

static gos_chan *chan;

__attribute__((noinline)) static void parks_in_program(void *unused)
{
    (void)unused;
    gos_chan_recv(chan, NULL);
    gos_yield(); /* no tail call */
}

__attribute__((noinline)) static int descends(int n)
{
    volatile char frame[500];
    frame[n % 500] = 1;
    return n ? descends(n - 1) + frame[n % 500] : 0;
}

static int dumps(void *plug)
{
    chan = gos_chan_new(0, 0);
    gos_go(parks_in_program, NULL);
    if (plug) {
        void (*fn)(void *);
        *(void **)&fn = dlsym(plug, "parks_in_plug");
        if (!fn)
            return 3;
        gos_go(fn, chan);
    }
    gos_sleep(50000000); /* until both have parked, on whichever thread */
    gos_dump(STDOUT_FILENO);
    return 0;
}

static int overflows(void *unused)
{
    (void)unused;
    return descends(100000000);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "overflow"))
        return gos_run(overflows, NULL);
    void *plug = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    return argc > 1 && !plug ? 4 : gos_run(dumps, plug);
}
