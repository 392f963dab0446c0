// third_shapes.cc: see third_shapes.hh.
#include "third_shapes.hh"

#include <cstring>

namespace {

struct Square : Shape {
    long side;
    explicit Square(long n) : side(n) {}
    long area(const char **where) const override
    {
        char used[8192];
        memset(used, 7, sizeof used);
        __asm__ volatile("" : : "r"(used) : "memory");
        *where = used;
        return side * side;
    }
    long fail(long depth) const override
    {
        char used[8192];
        memset(used, 7, sizeof used);
        __asm__ volatile("" : : "r"(used) : "memory");
        if (depth > 0)
            return fail(depth - 1) + used[depth];
        throw side;
    }
};

} // namespace

Shape *third_square(long side)
{
    return new Square(side);
}
