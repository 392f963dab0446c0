/* A call through a pointer knows a door by the mark before it, and looks for that only where its page has something
 * before: so no door begins a page, wherever the linker puts it. setjmp must not be taken for unchecked code: it would
 * keep a frame that is gone when it has returned. */
// arch: x86_64 (others have no such mark)
// build: checked
#include <gossamer.h>

#include <setjmp.h>
#include <string.h>

#include "arch/asm.h"
#include "tests/test.h"

typedef void door(void);

static const struct {
    const char *name;
    door *at;
} doors[] = {
#define DOOR(name) { #name, (door *)(uintptr_t)name },
    DOOR(_setjmp) DOOR(longjmp) DOOR(abort) DOOR(memcpy) DOOR(malloc) DOOR(free) DOOR(snprintf) DOOR(write)
    DOOR(gos_go) DOOR(gos_yield) DOOR(gos_exit) DOOR(gos_sleep) DOOR(gos_pin) DOOR(gos_unpin) DOOR(gos_chan_send)
    DOOR(gos_chan_recv) DOOR(gos_chan_close) DOOR(gos_mutex_lock) DOOR(gos_mutex_unlock) DOOR(gos_waitgroup_add)
};

int main(void)
{
    int marked = 0;
    for (size_t i = 0; i < sizeof doors / sizeof *doors; i++) {
        uintptr_t at = (uintptr_t)doors[i].at;
        uint32_t mark = GOS_DOOR_MARK;
        if (at % 4096)
            memcpy(&mark, (const char *)at - sizeof mark, sizeof mark); /* unchecked code may begin anywhere */
        if (mark == GOS_DOOR_MARK) {
            marked++;
            printf("%s %#lx\n", doors[i].name, (unsigned long)at);
            CHECK_EQ(at % 32, 16);
        }
    }
    CHECK(marked >= 12); /* gos_* are */
    return 0;
}
