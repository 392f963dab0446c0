/* gos__parse_size: what counts as a size. */
// build: plain
#include "base/env.h"
#include "tests/test.h"

int main(void)
{
    static const struct {
        const char *text;
        int64_t size;
    } cases[] = {
        { "0", 0 },
        { "1", 1 },
        { "65536", 65536 },
        { "007", 7 },
        { "1k", 1024 },
        { "3K", 3072 },
        { "64m", 64 << 20 },
        { "64M", 64 << 20 },
        { "2g", 2ll << 30 },
        { "8589934591g", 8589934591ll << 30 },
        { "9223372036854775807", INT64_MAX },
        /* and what does not */
        { "", -1 },
        { " 1", -1 },
        { "1 ", -1 },
        { "-1", -1 },
        { "+1", -1 },
        { "k", -1 },
        { "1kk", -1 },
        { "1kb", -1 },
        { "1.5m", -1 },
        { "0x10", -1 },
        { "8589934592g", -1 },
        { "9223372036854775808", -1 },
        { "99999999999999999999999", -1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fprintf(stderr, "\"%s\"\n", cases[i].text); /* shown when it fails */
        CHECK_EQ(gos__parse_size(cases[i].text), cases[i].size);
    }
    return 0;
}
