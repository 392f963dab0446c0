/*
 * curl_tasks.c: libcurl, which knows nothing of tasks, used from a thousand of them at once: each has a handle of its
 * own and calls curl_easy_perform, which blocks, several times over one connection. Built by test_curl_tasks.sh.
 */
#include <curl/curl.h>
#include <gossamer.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY "Hello, world\n"

enum { REQUESTS = 3 };

static char url[64];
static gos_waitgroup all;
static int right, wrong, connects;

static size_t take(char *data, size_t one, size_t n, void *sum)
{
    char *text = sum;
    size_t have = strlen(text);
    if (have + one * n < 64) {
        memcpy(text + have, data, one * n);
        text[have + one * n] = 0;
    }
    return one * n;
}

static void fetch(void *unused)
{
    (void)unused;
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    for (int i = 0; i < REQUESTS; i++) {
        char body[64] = "";
        long status = 0, made = 0;
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
        CURLcode code = curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &made);
        bool good = code == CURLE_OK && status == 200 && !strcmp(body, BODY);
        if (!good)
            fprintf(stderr, "request %d: %s, status %ld, body '%s'\n", i, curl_easy_strerror(code), status, body);
        __atomic_fetch_add(good ? &right : &wrong, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&connects, (int)made, __ATOMIC_RELAXED);
    }
    curl_easy_cleanup(curl);
    gos_waitgroup_done(&all);
}

static int body(void *arg)
{
    int tasks = *(int *)arg;
    gos_waitgroup_add(&all, tasks);
    for (int i = 0; i < tasks; i++)
        if (gos_go(fetch, NULL))
            return 1;
    gos_waitgroup_wait(&all);
    gos_stats stats;
    gos_stats_read(&stats);
    printf("%d right, %d wrong, %d connections, %lld threads\n", right, wrong, connects, (long long)stats.threads);
    return wrong || right != tasks * REQUESTS || connects != tasks;
}

int main(int argc, char **argv)
{
    int tasks = argc > 2 ? atoi(argv[2]) : 0;
    if (tasks < 1)
        return 2;
    snprintf(url, sizeof url, "http://127.0.0.1:%s/", argv[1]);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return gos_run(body, &tasks);
}
