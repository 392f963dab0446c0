// A C++ program outside the tree: tasks that throw, unwind and catch within themselves, and a channel.
#include <cstdio>
#include <gossamer.h>
#include <stdexcept>
#include <string>

static gos_chan *results;

struct Guard {
    int *unwound;
    ~Guard() { ++*unwound; }
};

static int dig(int n, int *unwound)
{
    Guard guard{unwound};
    if (n == 0)
        throw std::runtime_error(std::string("at the bottom"));
    return dig(n - 1, unwound) + 1;
}

static void work(void *arg)
{
    int unwound = 0;
    try {
        dig(*static_cast<int *>(arg), &unwound);
    } catch (const std::runtime_error &) {
        gos_chan_send(results, &unwound);
    }
}

static int start(void *)
{
    int depths[] = {0, 9, 99, 999};
    int sum = 0;
    for (int &depth : depths)
        if (gos_go(work, &depth) != 0)
            return 2;
    for (int i = 0; i < 4; i++) {
        int result = 0;
        gos_chan_recv(results, &result);
        sum += result;
    }
    std::printf("%d\n", sum);
    return sum == 1111 ? 0 : 3;
}

int main()
{
    results = gos_chan_new(sizeof(int), 4);
    int status = results ? gos_run(start, nullptr) : 4;
    gos_chan_free(results);
    return status;
}
