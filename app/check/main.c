/* pumice-check: the library starts it to check the kernels of a device, because a bad driver may crash or hang the process that
 * does. */
#include "pumice.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1 || isatty(0)) {
        fputs("pumice: error: the library starts this program, and speaks with it through its standard input; "
              "for a person there is `pumice doctor`\n",
              stderr);
        return 2;
    }
    // What the terminal says is meant for the program that started this one.
    signal(SIGINT, SIG_IGN);
#ifdef SIGTTOU
    signal(SIGTTOU, SIG_IGN);
#endif
    // Drivers and layers print to standard output as they like: the answers go where they cannot reach.
    int out = dup(1);
    if (out < 0 || dup2(2, 1) < 0) return 1;
    return pum_check_serve(0, out);
}
