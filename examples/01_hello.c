#include <gossamer.h>
#include <stdint.h>
#include <stdio.h>

enum { TASKS = 100000 };

static gos_chan *numbers;

static void send_number(void *number) {
    int64_t n = (int64_t)(intptr_t)number;
    gos_chan_send(numbers, &n);   /* parks until somebody receives */
}

static int start_and_add_up(void *unused) {
    (void)unused;
    int64_t sum = 0, n;
    numbers = gos_chan_new(sizeof n, 0);
    if (numbers == NULL) return 1;
    for (intptr_t i = 1; i <= TASKS; i++)
        if (gos_go(send_number, (void *)i) != 0) return 1;
    for (int i = 0; i < TASKS; i++) {
        gos_chan_recv(numbers, &n);
        sum += n;
    }
    gos_chan_free(numbers);
    printf("%d tasks sent numbers that add up to %lld\n", TASKS, (long long)sum);
    return 0;
}

int main(void) {
    return gos_run(start_and_add_up, NULL) == 0 ? 0 : 1;
}

// not-with: emulator (more tasks than there are mappings for guards)
// not-with: thread (it has room for 8,128 tasks at once)
// expect: 100000 tasks sent numbers that add up to 5000050000
