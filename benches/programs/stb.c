/* stb.c: stb's image code: a picture of ours to PNG and JPEG and back, rectangles packed, text formatted. */
#include <stdlib.h>

#include "program.h"

/* stb's headers carry their own code, which is not ours to warn about. */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define STB_IMAGE_IMPLEMENTATION
#define STBI_NO_STDIO
#include <stb/stb_image.h>
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>
#define STB_RECT_PACK_IMPLEMENTATION
#include <stb/stb_rect_pack.h>
#define STB_SPRINTF_IMPLEMENTATION
#include <stb/stb_sprintf.h>

enum { SIDE = 64, RECTS = 80 };

struct file {
    unsigned char *bytes;
    int length;
};

static void append(void *to, void *bytes, int length)
{
    struct file *file = to;
    file->bytes = realloc(file->bytes, (size_t)(file->length + length));
    if (!file->bytes)
        program_fail("stb", "no memory");
    memcpy(file->bytes + file->length, bytes, (size_t)length);
    file->length += length;
}

static uint64_t there_and_back(uint64_t sum, struct file *file, int written)
{
    int width, height, channels;
    unsigned char *pixels = written ? stbi_load_from_memory(file->bytes, file->length, &width, &height, &channels, 3)
                                    : NULL;
    if (!pixels)
        program_fail("stb", "a picture did not come back");
    sum = program_fold_bytes(sum, pixels, (long)width * height * 3);
    stbi_image_free(pixels);
    free(file->bytes);
    return sum;
}

static uint64_t pack(uint64_t sum, uint64_t *seed)
{
    stbrp_context context;
    stbrp_node nodes[128];
    stbrp_rect rects[RECTS];
    for (int i = 0; i < RECTS; i++) {
        uint64_t draw = program_random(seed);
        rects[i] = (stbrp_rect){ i, 2 + (int)(draw & 15), 2 + (int)(draw >> 8 & 15), 0, 0, 0 };
    }
    stbrp_init_target(&context, 128, 128, nodes, 128);
    stbrp_pack_rects(&context, rects, RECTS);
    for (int i = 0; i < RECTS; i++) {
        char text[64];
        int length = stbsp_snprintf(text, sizeof text, "%d,%d %5.2f %s", rects[i].x, rects[i].y, rects[i].w / 3.0,
                                    rects[i].was_packed ? "in" : "out");
        sum = program_fold_bytes(sum, text, length);
    }
    return sum;
}

uint64_t program_run(int rounds)
{
    uint64_t sum = PROGRAM_SUM, seed = 3;
    unsigned char *picture = malloc(SIDE * SIDE * 3);
    if (!picture)
        program_fail("stb", "no memory");
    while (rounds-- > 0) {
        for (int i = 0; i < SIDE * SIDE * 3; i++)
            picture[i] = (unsigned char)(i % SIDE * 3 + i / SIDE + (program_random(&seed) & 7));
        struct file png = { NULL, 0 }, jpeg = { NULL, 0 };
        sum = there_and_back(sum, &png, stbi_write_png_to_func(append, &png, SIDE, SIDE, 3, picture, SIDE * 3));
        sum = there_and_back(sum, &jpeg, stbi_write_jpg_to_func(append, &jpeg, SIDE, SIDE, 3, picture, 80));
        sum = pack(sum, &seed);
    }
    free(picture);
    return sum;
}
