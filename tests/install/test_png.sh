#!/bin/sh
# timeout: 400
# libpng's error path, from tasks: it jumps by the longjmp of the program's choice out of the library, compiled with
# FORTIFY and not, in C that is checked; dynamic and static libpng.
set -eu
[ -z "${SAN:-}" ] || { echo "skipped: a sanitized library needs the sanitizer's flags"; exit 77; }
make=${MAKE:-make}
CC=${CC:-gcc}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
pkg-config --exists libpng || { echo "skipped: libpng-dev is not installed"; exit 77; }
$make B="$BUILD" install PREFIX="$tmp/gos" >/dev/null
PKG_CONFIG_PATH="$tmp/gos/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
export PKG_CONFIG_PATH

cat >"$tmp/png.c" <<'C'
#include <gossamer.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

enum { TASKS = 50, ROUNDS = 10, SIDE = 40 };
typedef struct bytes { unsigned char *at; size_t n, size, read; } bytes;
static gos_waitgroup all;
static _Atomic int errors, good;

static void put(png_structp png, png_bytep data, size_t n)
{
    bytes *to = png_get_io_ptr(png);
    if (to->n + n > to->size)
        to->at = realloc(to->at, to->size = 2 * (to->n + n));
    memcpy(to->at + to->n, data, n);
    to->n += n;
}
static void get(png_structp png, png_bytep data, size_t n)
{
    bytes *from = png_get_io_ptr(png);
    if (from->read + n > from->n)
        png_error(png, "no more bytes");
    memcpy(data, from->at + from->read, n);
    from->read += n;
    gos_yield(); /* from below the library: it goes on on another thread */
}
static void flush(png_structp png) { (void)png; }
static void quiet(png_structp png, png_const_charp what) { (void)what; png_longjmp(png, 1); }
static void no_warning(png_structp png, png_const_charp what) { (void)png, (void)what; }

static int encode(bytes *to)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, quiet, no_warning);
    png_infop info = png_create_info_struct(png);
    unsigned char row[SIDE * 3];
    if (setjmp(png_jmpbuf(png)))
        return 1;
    png_set_write_fn(png, to, put, flush);
    png_set_IHDR(png, info, SIDE, SIDE, 8, PNG_COLOR_TYPE_RGB, 0, 0, 0);
    png_write_info(png, info);
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE * 3; x++)
            row[x] = (unsigned char)(x * y);
        png_write_row(png, row);
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return 0;
}
static int decode(bytes *from)
{
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, quiet, no_warning);
    png_infop info = png_create_info_struct(png);
    unsigned char row[SIDE * 3];
    volatile int y = 0;
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_read_struct(&png, &info, NULL);
        return 1;
    }
    png_set_read_fn(png, from, get);
    png_read_info(png, info);
    for (; y < SIDE; y++) {
        png_read_row(png, row, NULL);
        for (int x = 0; x < SIDE * 3; x++)
            if (row[x] != (unsigned char)(x * y))
                abort();
    }
    png_read_end(png, NULL);
    png_destroy_read_struct(&png, &info, NULL);
    return 0;
}
static void task(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        bytes picture = { 0 };
        if (encode(&picture))
            abort();
        good += !decode(&picture);
        picture.read = 0;
        picture.n = picture.n * (size_t)(i + 1) / (ROUNDS + 2); /* cut short */
        errors += decode(&picture);
        picture.read = 0;
        picture.at[20] ^= 64; /* a wrong checksum */
        errors += decode(&picture);
        free(picture.at);
    }
    gos_waitgroup_done(&all);
}
static int run(void *unused)
{
    (void)unused;
    gos_waitgroup_add(&all, TASKS);
    for (int i = 0; i < TASKS; i++)
        gos_go(task, NULL);
    gos_waitgroup_wait(&all);
    return good == TASKS * ROUNDS && errors == 2 * TASKS * ROUNDS ? 0 : 1;
}
int main(void) { return gos_run(run, NULL); }
C

# try NAME COMPILER OPTIONS...; the libraries to link in $png
try() {
    name=$1
    shift
    # shellcheck disable=SC2046,SC2086  # lists of words
    "$@" $(pkg-config --cflags gossamer libpng) "$tmp/png.c" $png $(pkg-config --libs "$library") -lm -o "$tmp/png" || {
        echo "$name: does not build"; exit 1; }
    timeout 60 "$tmp/png" || { echo "$name: exit $?"; exit 1; }
    echo "$name: ok"
}
for way in shared static paged; do
    library=gossamer stack=
    case $way in static) library=gossamer-static ;; paged) stack=paged ;; esac
    GOS_DEBUG=$stack
    export GOS_DEBUG
    png=$(pkg-config --libs libpng)
    try "plain, $way" "$CC" -O2
    try "fortified, $way" "$CC" -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
    png='-Wl,-Bstatic -lpng16 -lz -Wl,-Bdynamic'
    try "fortified, static libpng, $way" "$CC" -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
done
