/* What a process that checks kernels and the one that asks it to say to each other: lines of words with a space between. A number
 * with a point is written as the bits of a double in hex, which no locale changes; text is the rest of a line.
 *
 * asked                                          answered
 * look LAYERS MANIFEST                           seen STATUS; MANIFEST: of the one driver to be loaded, or - for all; LAYERS: 0
 *                                                for none of the implicit ones, or 1
 * open INDEX FOLDER                              ready IDENTITY, or failed STATUS TEXT; FOLDER: of caches, or -
 * check OP SIZE VARIANT CASES REPEATS            done STATUS VERDICT RATIO US KL TEXT
 * time OP SIZE VARIANT ENOUGH                    the same
 * know VARIANT LEFT_OUT US US US                 nothing
 * model TYPE                                     done STATUS 0 0 0 KL TEXT
 * compile VARIANT BINDINGS PUSH SUBGROUP N CONSTANT…  compiled STATUS COMPILED and the seven statistics, TEXT
 * close                                          nothing: it ends
 *
 * In between, at any time: at VARIANT TEXT, before something is run; log LEVEL TEXT. */
#ifndef CHECK_PROTOCOL_H
#define CHECK_PROTOCOL_H

#include "check/tune.h"

#include <string.h>

/// The program that check_serve is made for, beside the library.
#define CHECK_PROGRAM "pumice-check"

static inline uint64_t protocol_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double protocol_value(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
