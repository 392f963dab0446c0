/* gos__cpu_quota: of all groups that the process is in, in both versions, the smallest share, in whole CPUs. */
// build: plain
#include <sys/stat.h>

#include "os/os.h"
#include "tests/test.h"

static char root[] = "/tmp/gossamer-quota-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_EQ(fclose(file), 0);
}

static int64_t quota(const char *membership)
{
    char path[300];
    write_file("membership", membership);
    snprintf(path, sizeof path, "%s/membership", root);
    return gos__cpu_quota(root, path);
}

int main(void)
{
    CHECK(mkdtemp(root) != NULL);
    CHECK_EQ(gos__cpu_quota(root, "/no/such/file"), INT64_MAX);
    CHECK_EQ(quota("0::/\n"), INT64_MAX); /* no file has a limit */
    CHECK_EQ(quota("nonsense\n::\n"), INT64_MAX);

    /* Version 2: in the group itself, above it, and at the root, as a container sees its own. */
    write_file("a/b/cpu.max", "max 100000\n");
    CHECK_EQ(quota("0::/a/b\n"), INT64_MAX);
    write_file("a/cpu.max", "250000 100000\n");
    CHECK_EQ(quota("0::/a/b\n"), 3);
    write_file("a/b/cpu.max", "100001 100000\n");
    CHECK_EQ(quota("0::/a/b\n"), 2);
    CHECK_EQ(quota("0::/a\n"), 3);
    CHECK_EQ(quota("0::/elsewhere/b\n"), INT64_MAX);
    write_file("cpu.max", "50000 100000\n");
    CHECK_EQ(quota("0::/elsewhere/b\n"), 1);
    write_file("cpu.max", "max 100000\n");

    /* Version 1, whose controllers have other controllers' names in theirs. */
    write_file("cpu/c/cpu.cfs_quota_us", "400000\n");
    write_file("cpu/c/cpu.cfs_period_us", "100000\n");
    write_file("cpu/c/d/cpu.cfs_quota_us", "-1\n");
    write_file("cpu/c/d/cpu.cfs_period_us", "100000\n");
    CHECK_EQ(quota("3:cpuset:/\n2:cpu,cpuacct:/c/d\n1:memory:/\n"), 4);
    CHECK_EQ(quota("2:cpuacct,cpu:/c\n0::/a\n"), 3); /* both */
    CHECK_EQ(quota("3:cpuset:/c\n2:cpuacct:/c\n"), INT64_MAX);

    char command[100];
    snprintf(command, sizeof command, "rm -r '%s'", root);
    CHECK_EQ(system(command), 0);
    return 0;
}
