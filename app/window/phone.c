#include "phone.h"

#include <math.h>
#include <stddef.h>

void phone_start(void) {}
bool phone_has_picker(void) { return false; }
void phone_pick_file(void) {}
const char *phone_last_file(void) { return NULL; }
float phone_heat(void) { return NAN; }
const pum_check_service *phone_check_service(void) { return NULL; }
