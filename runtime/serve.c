/* pum_check_serve: the other side of the checks that a device starts. */
#include "check/serve.h"
#include "pumice.h"

int pum_check_serve(int in, int out) { return check_serve(in, out); }
