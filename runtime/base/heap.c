#include "pumice.h"

#include <stdlib.h>

void pum_free(void *memory) { free(memory); }
