/* third_shapes.hh: classes of a C++ library compiled without stack checks; their members use 8 KiB of stack. */
#ifndef TEST_THIRD_SHAPES_HH
#define TEST_THIRD_SHAPES_HH

struct Shape {
    virtual ~Shape() = default;
    virtual long area(const char **where) const = 0;
    virtual long fail(long depth) const = 0; // throws depth
};

Shape *third_square(long side);

#endif
