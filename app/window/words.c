#include "words.h"

#include <SDL.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *const sentences[][N_WORDS] = {
    [LANGUAGE_ENGLISH] =
        {
#define WORD(id, english, korean) english,
#include "words.def"
#undef WORD
        },
    [LANGUAGE_KOREAN] =
        {
#define WORD(id, english, korean) korean,
#include "words.def"
#undef WORD
        },
};

static window_language used = LANGUAGE_ENGLISH;

static window_language of_system(void) {
    window_language found = LANGUAGE_ENGLISH;
    SDL_Locale *locales = SDL_GetPreferredLocales();
    for (SDL_Locale *l = locales; l && l->language; l++) {
        bool english = strcmp(l->language, "en") == 0, korean = strcmp(l->language, "ko") == 0;
        if (!english && !korean) continue;
        found = korean ? LANGUAGE_KOREAN : LANGUAGE_ENGLISH;
        break;
    }
    SDL_free(locales);
    return found;
}

void words_use(window_language l) { used = l == LANGUAGE_SYSTEM ? of_system() : l; }
window_language words_language(void) { return used; }
const char *say(word w) { return sentences[used][w]; }

const char *say_with(char *text, size_t n_bytes, word w, const char *one, const char *two, const char *three) {
    const char *const values[] = {one ? one : "", two ? two : "", three ? three : ""};
    size_t n = 0;
    for (const char *at = say(w); *at && n + 1 < n_bytes;) {
        if (at[0] == '{' && at[1] >= '1' && at[1] <= '3' && at[2] == '}') {
            size_t room = n_bytes - 1 - n, length = SDL_strlen(values[at[1] - '1']);
            memcpy(text + n, values[at[1] - '1'], length < room ? length : room);
            n += length < room ? length : room;
            at += 3;
        } else {
            text[n++] = *at++;
        }
    }
    text[n] = 0;
    // A character that was cut goes as a whole.
    size_t lead = n;
    while (lead && ((unsigned char)text[lead - 1] & 0xC0) == 0x80) lead--;
    if (n + 1 == n_bytes && lead) {
        unsigned char first = (unsigned char)text[lead - 1];
        size_t needs = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
        if (n - (lead - 1) < needs) text[lead - 1] = 0;
    }
    return text;
}

const char *say_size(char text[static 32], uint64_t n_bytes) {
    bool giga = n_bytes >= 1000000000;
    snprintf(text, 32, giga ? "%.2f GB" : "%.0f MB", (double)n_bytes / (giga ? 1e9 : 1e6));
    return text;
}
