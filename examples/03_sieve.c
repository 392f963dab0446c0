/*
 * Prime numbers from a chain of tasks (McIlroy's sieve). The first task sends 2, 3, 4 ...; what comes out of the end
 * of the chain is prime, and each prime adds a filter that keeps its multiples back.
 */
#include <gossamer.h>
#include <stdio.h>
#include <stdlib.h>

enum { PRIMES = 200 };

typedef struct filter {
    gos_chan *in, *out;
    int prime;
} filter;

static void count(void *out)
{
    for (int n = 2;; n++)
        gos_chan_send(out, &n); /* waits until the chain asks for more */
}

static void sift(void *arg)
{
    filter *f = arg;
    for (int n; gos_chan_recv(f->in, &n) == 0;)
        if (n % f->prime != 0)
            gos_chan_send(f->out, &n);
}

static gos_chan *new_chan(void)
{
    gos_chan *chan = gos_chan_new(sizeof(int), 0);
    if (chan == NULL)
        abort();
    return chan;
}

static int sieve(void *unused)
{
    (void)unused;
    static filter filters[PRIMES];
    gos_chan *end = new_chan();
    if (gos_go(count, end) != 0)
        return 1;
    long sum = 0;
    int prime = 0;
    for (int i = 0; i < PRIMES; i++) {
        gos_chan_recv(end, &prime);
        sum += prime;
        filters[i] = (filter){ end, new_chan(), prime };
        if (gos_go(sift, &filters[i]) != 0)
            return 1;
        end = filters[i].out;
    }
    printf("prime number %d is %d\n", PRIMES, prime); // expect: prime number 200 is 1223
    printf("they add up to %ld\n", sum);              // expect: they add up to 111587

    /* When the main function returns, all tasks end with it, wherever they wait. */
    return 0;
}

int main(void)
{
    return gos_run(sieve, NULL);
}
