#include "base/random.h"

#include <string.h>

void random_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t words[4]) {
    uint32_t c[4], k[2] = {key[0], key[1]};
    memcpy(c, counter, sizeof c);
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)c[0] * 0xD2511F53u, b = (uint64_t)c[2] * 0xCD9E8D57u;
        c[0] = (uint32_t)(b >> 32) ^ c[1] ^ k[0];
        c[1] = (uint32_t)b;
        c[2] = (uint32_t)(a >> 32) ^ c[3] ^ k[1];
        c[3] = (uint32_t)a;
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    memcpy(words, c, sizeof c);
}

float random_uniform(uint64_t seed, uint64_t number) {
    uint32_t words[4];
    random_philox((uint32_t[4]){(uint32_t)number, (uint32_t)(number >> 32)},
                  (uint32_t[2]){(uint32_t)seed, (uint32_t)(seed >> 32)}, words);
    return (float)(words[0] >> 8) * 0x1p-24f;
}
