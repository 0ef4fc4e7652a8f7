/* For test_windows.sh: a program that does not read what it is sent holds nobody up. Started as its own child, which sleeps. */
#include "base/child.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

int main(int argc, char **argv) {
    (void)argc;
    if (GetEnvironmentVariableA("PUMICE_TEST_SLEEPS", NULL, 0) > 0) {
        Sleep(60000);
        return 0;
    }
    char line[1001], how[64] = "";
    const char *answer;
    child *c;
    pum_error err;
    SetEnvironmentVariableA("PUMICE_TEST_SLEEPS", "1");
    if (child_start(argv[0], &c, &err) != PUM_OK) {
        printf("%s\n", err.message);
        return 1;
    }
    memset(line, 'x', 1000);
    line[1000] = 0;
    int n = 0;
    ULONGLONG begin = GetTickCount64();
    while (n < 1000 && child_send(c, line)) n++;
    double sent_s = (double)(GetTickCount64() - begin) / 1000;
    bool silent = child_read(c, 100, &answer) == CHILD_SILENT;
    double cpu_s = child_cpu_s(c);
    child_end(&c, 0, how, sizeof how);
    printf("%d lines in %.1f s; cpu %.2f s; %s\n", n, sent_s, cpu_s, how);
    // Some fit into the pipe; ten seconds later it gives up.
    return n > 10 && n < 1000 && sent_s < 30 && silent && cpu_s >= 0 && cpu_s < 5 ? 0 : 1;
}
