/* Fork-join trees, even and lopsided: every leaf is counted once, on one worker and on several. */
// also: paged
#include <gossamer.h>

#include "tests/test.h"

typedef struct node {
    long first, n;   /* leaves */
    long lopsided;   /* the left part is this many times smaller; 2: even */
    long sum, count; /* of its leaves' numbers, and leaves */
    gos_waitgroup done;
} node;

static void tree(node *at);

static void tree_task(void *arg)
{
    node *at = arg;
    tree(at);
    gos_waitgroup_done(&at->done);
}

static void tree(node *at)
{
    if (at->n == 1) {
        at->sum = at->first;
        at->count = 1;
        return;
    }
    long left_n = at->n / at->lopsided ? at->n / at->lopsided : 1;
    node left = { .first = at->first, .n = left_n, .lopsided = at->lopsided };
    node right = { .first = at->first + left_n, .n = at->n - left_n, .lopsided = at->lopsided };
    gos_waitgroup_add(&left.done, 1);
    gos_waitgroup_add(&right.done, 1);
    CHECK_EQ(gos_go(tree_task, &left), 0);
    CHECK_EQ(gos_go(tree_task, &right), 0);
    gos_waitgroup_wait(&right.done);
    gos_waitgroup_wait(&left.done);
    at->sum = left.sum + right.sum;
    at->count = left.count + right.count;
}

static int run(void *unused)
{
    (void)unused;
    const char *san = getenv("SAN");
    long leaves = san && *san ? 1000 : 50000;
    for (long lopsided = 2; lopsided <= 50; lopsided = lopsided * 5) {
        node root = { .n = leaves, .lopsided = lopsided };
        tree(&root);
        CHECK_EQ(root.count, leaves);
        CHECK_EQ(root.sum, leaves * (leaves - 1) / 2);
    }
    return 0;
}

int main(void)
{
    static const int workers[] = { 1, 2, 4, 8 };
    for (int i = 0; i < 4; i++) {
        gos_procs(workers[i]);
        CHECK_EQ(gos_run(run, NULL), 0);
    }
    return 0;
}
