/* What the transcript costs with a chat of a million tokens, on SDL's software renderer at 1280x800.
 *   bench_transcript [MEGABYTES]
 * Prints: opening (add, read, first frame), frames while scrolling and while still, streaming at 100 tokens/s (share of one
 * core), memory. */
#include "transcript.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WIDTH = 1280, HEIGHT = 800, FRAMES = 400, MESSAGE_BYTES = 8000 };

static double now_ms(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int resident_mib(void) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[128];
    int kib = 0;
    while (file && fgets(line, sizeof line, file)) sscanf(line, "VmHWM: %d", &kib);
    if (file) fclose(file);
    return kib / 1024;
}

/* Answers of all kinds of blocks, never twice the same. */
static char *make_message(unsigned *seed) {
    static const char *const words[] = {"the",
                                        "model",
                                        "kernel",
                                        "**memory**",
                                        "of",
                                        "a",
                                        "`token`",
                                        "reads",
                                        "writes",
                                        "bandwidth",
                                        "and",
                                        "is",
                                        "\xED\x95\x9C\xEA\xB5\xAD\xEC\x96\xB4",
                                        "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E",
                                        "slowly",
                                        "[link](http://x.org)"};
    char *text = malloc(MESSAGE_BYTES + 512);
    size_t n = 0;
    while (text && n < MESSAGE_BYTES) {
        unsigned kind = (*seed = *seed * 1664525 + 1013904223) >> 16 & 15;
        if (kind == 0) n += (size_t)sprintf(text + n, "## Part %u\n\n", *seed);
        if (kind == 1)
            n += (size_t)sprintf(text + n, "```c\nint f%u(int a) {\n    return a + %u; // sum\n}\n```\n\n", *seed, *seed);
        if (kind == 2) n += (size_t)sprintf(text + n, "|a|b|\n|-|-|\n|%u|%u|\n\n", *seed, *seed / 7);
        if (kind == 3) n += (size_t)sprintf(text + n, "- item %u\n- and another\n\n", *seed);
        for (int i = 0; kind > 3 && i < 30; i++)
            n += (size_t)sprintf(text + n, "%s ", words[(*seed = *seed * 1664525 + 1013904223) >> 16 & 15]);
        if (kind > 3) n += (size_t)sprintf(text + n, "%u.\n\n", *seed);
    }
    return text;
}

typedef struct bench {
    SDL_Surface *surface;
    SDL_Renderer *sdl;
    renderer *renderer;
    fonts *fonts;
    transcript *transcript;
    draw_list list;
    int scroll;
} bench;

static double frame(bench *b, bool sticks) {
    double begin = now_ms(CLOCK_THREAD_CPUTIME_ID); // others' work on a busy machine is not counted
    SDL_Rect area = {230, 70, 820, 600};
    transcript_layout(b->transcript, b->fonts, area.w);
    b->scroll = transcript_settle(b->transcript, b->fonts, b->scroll, area.h, sticks);
    draw_clear(&b->list);
    draw_rect(&b->list, (SDL_Rect){0, 0, WIDTH, HEIGHT}, theme_light.ground);
    transcript_draw(b->transcript, b->fonts, &theme_light, &b->list, area, b->scroll);
    renderer_draw(b->renderer, b->fonts, &b->list);
    SDL_RenderPresent(b->sdl);
    return now_ms(CLOCK_THREAD_CPUTIME_ID) - begin;
}

static void print_frames(const char *name, double *ms) {
    qsort(ms, FRAMES, sizeof *ms, compare);
    printf("%-34s median %.2f ms, 99 of 100 below %.2f ms, most %.2f ms\n", name, ms[FRAMES / 2], ms[FRAMES * 99 / 100],
           ms[FRAMES - 1]);
}

int main(int argc, char **argv) {
    size_t wanted = (size_t)((argc > 1 ? strtod(argv[1], NULL) : 4) * 1e6), n_bytes = 0;
    bench b = {0};
    unsigned seed = 7;
    b.surface = SDL_CreateRGBSurfaceWithFormat(0, WIDTH, HEIGHT, 32, SDL_PIXELFORMAT_ARGB8888);
    b.sdl = b.surface ? SDL_CreateSoftwareRenderer(b.surface) : NULL;
    b.fonts = TTF_Init() == 0 ? fonts_open(16) : NULL;
    b.renderer = b.sdl ? renderer_create(b.sdl) : NULL;
    b.transcript = transcript_create();
    if (!b.fonts || !b.renderer || !b.transcript) return 1;
    double opening = now_ms(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; n_bytes < wanted; i++) {
        char *text = i & 1 ? make_message(&seed) : strdup("Tell me more of it.");
        if (!text) return 1;
        n_bytes += strlen(text);
        transcript_add(b.transcript, i & 1 ? MESSAGE_ASSISTANT : MESSAGE_USER, text);
        free(text);
    }
    double made = now_ms(CLOCK_THREAD_CPUTIME_ID);
    frame(&b, true);
    printf("chat: %.1f MB; made in %.0f ms, opened (read, laid out, drawn) in %.0f ms, %d pixels high\n", (double)n_bytes / 1e6,
           made - opening, now_ms(CLOCK_THREAD_CPUTIME_ID) - made, transcript_height(b.transcript));
    static double ms[FRAMES];
    for (int i = 0; i < FRAMES; i++) ms[i] = frame(&b, true);
    print_frames("frame, still:", ms);
    for (int i = 0; i < FRAMES; i++) b.scroll -= 72, ms[i] = frame(&b, false);
    print_frames("frame, scrolling by the wheel:", ms);
    for (int i = 0; i < FRAMES; i++)
        b.scroll = (int)((seed = seed * 1664525 + 1013904223) % (unsigned)transcript_height(b.transcript)),
        ms[i] = frame(&b, false);
    print_frames("frame, jumping anywhere:", ms);
    double begin = now_ms(CLOCK_MONOTONIC);
    size_t found = transcript_find(b.transcript, "bandwidth");
    printf("find: %zu places in %.0f ms\n", found, now_ms(CLOCK_MONOTONIC) - begin);
    transcript_find(b.transcript, NULL);
    // 100 tokens/s for ten seconds, drawn at 30 frames a second: what the thread computes, without waiting.
    transcript_add(b.transcript, MESSAGE_ASSISTANT, "");
    char *text = make_message(&seed);
    double cpu = now_ms(CLOCK_THREAD_CPUTIME_ID);
    for (int token = 0, drawn = 0; text && token < 1000; token++) {
        char piece[8] = {0};
        memcpy(piece, text + token * 4, 4);
        transcript_append(b.transcript, piece);
        if (token * 30 / 100 >= drawn) frame(&b, true), drawn++;
    }
    printf("streaming 100 tokens/s:            %.1f %% of one core\n", (now_ms(CLOCK_THREAD_CPUTIME_ID) - cpu) / 100);
    printf("memory, at most:                   %d MiB\n", resident_mib());
    free(text);
    transcript_destroy(&b.transcript);
    renderer_destroy(&b.renderer);
    fonts_close(&b.fonts);
    draw_free(&b.list);
    SDL_DestroyRenderer(b.sdl);
    SDL_FreeSurface(b.surface);
    TTF_Quit();
    return 0;
}
