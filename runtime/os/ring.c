#include "os/ring.h"

gos__rings gos__rings_are;

bool gos__ring_open(gos__ring *ring)
{
    if (gos__load_relaxed(&ring->events))
        return true;
    gos__event *events = gos__vm_new(GOS_RING * sizeof(gos__event));
    if (!events)
        return false;
    ring->often = ring->seldom = (gos__budget){ .left = gos__rings_are.most, .filled = gos__clock_ns() };
    gos__store_release(&ring->events, events); /* pairs with the acquire in gos__ring_note */
    return true;
}

void gos__ring_close(gos__ring *ring)
{
    if (ring->events)
        gos__vm_release(ring->events, GOS_RING * sizeof(gos__event));
    ring->events = NULL;
}

bool gos__budget_fill(gos__budget *budget, int64_t now)
{
    int64_t each = gos__load_relaxed(&gos__rings_are.each_ns), most = gos__load_relaxed(&gos__rings_are.most);
    int64_t earned = each ? (now - budget->filled) / each : 0;
    if (earned > 0) {
        budget->left = budget->left + earned < most ? budget->left + earned : most;
        budget->filled = now;
    }
    return budget->left > 0;
}

void gos__ring_note(gos__ring *ring, uint8_t kind, uint64_t a, uint64_t b, uint64_t c)
{
    if (!gos__load_acquire(&ring->events)) /* pairs with gos__ring_open */
        return;
    int64_t now = gos__clock_ns();
    if (ring->seldom.left <= 0 && !gos__budget_fill(&ring->seldom, now)) {
        gos__store_relaxed(&ring->lost, ring->lost + 1);
        return;
    }
    ring->seldom.left--;
    gos__ring_put(ring, gos__stamp(now, kind), a, b, c);
}
