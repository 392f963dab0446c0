/* third.h: a library that knows nothing of gossamer. Each function uses 8 KiB of stack and says where. */
#ifndef TEST_THIRD_H
#define TEST_THIRD_H
#ifdef __cplusplus
extern "C" {
#endif
struct wide { long v[12]; };
struct ops {
    long (*add)(long, long, const char **);
    struct wide (*widen)(struct wide, long, const char **);
    double (*sum)(const char **, int, ...);
    long (*many)(long, long, long, long, long, long, long, long, long, long, long, long, long, long, long, long, long,
                 long, long, long, long, long, const char **);
    long (*back)(long (*)(long), long, const char **);
};
extern long third_add(long, long, const char **where);
extern struct wide third_widen(struct wide, long, const char **where);
extern double third_sum(const char **where, int, ...);
extern long third_many(long, long, long, long, long, long, long, long, long, long, long, long, long, long, long, long,
                       long, long, long, long, long, long, const char **where);
extern long third_back(long (*)(long), long, const char **where);
extern const struct ops *third_ops(void);
#ifdef __cplusplus
}
#endif
#endif
