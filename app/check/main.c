/* pumice-check: the library starts it to check the kernels of a device, because a bad driver may crash or hang the process that
 * does. */
#include "pumice.h"

#include "chat/system.h"

#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
    system_begin(&argc, &argv);
    if (argc > 1 || system_is_terminal(stdin)) {
        fputs("pumice: error: the library starts this program, and speaks with it through its standard input; "
              "for a person there is `pumice doctor`\n",
              stderr);
        return 2;
    }
    system_serve();
    // Drivers and layers print to standard output as they like: the answers go where they cannot reach.
    int out = dup(1);
    if (out < 0 || dup2(2, 1) < 0) return 1;
    return pum_check_serve(0, out);
}
