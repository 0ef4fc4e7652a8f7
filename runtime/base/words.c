#include "base/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_BYTES = 64 };

bool words_text(const char **at, char *word, size_t n_bytes) {
    const char *begin = *at + strspn(*at, " ");
    size_t n = strcspn(begin, " ");
    if (n == 0 || n >= n_bytes) return false;
    memcpy(word, begin, n);
    word[n] = 0;
    *at = begin + n + (begin[n] == ' ');
    return true;
}

bool words_int(const char **at, int64_t min, int64_t max, int64_t *value) {
    char word[NUMBER_BYTES], *end;
    if (!words_text(at, word, sizeof word)) return false;
    errno = 0;
    *value = strtoll(word, &end, 10);
    return *end == 0 && errno == 0 && *value >= min && *value <= max;
}

bool words_bits(const char **at, uint64_t *bits) {
    char word[NUMBER_BYTES], *end;
    if (!words_text(at, word, sizeof word) || word[strspn(word, "0123456789abcdefABCDEF")] != 0) return false;
    errno = 0;
    *bits = strtoull(word, &end, 16);
    return *end == 0 && errno == 0;
}

bool words_amount(const char **at, double *value) {
    char word[NUMBER_BYTES], *end;
    if (!words_text(at, word, sizeof word)) return false;
    *value = strtod(word, &end);
    return *end == 0 && *value >= 0;
}
