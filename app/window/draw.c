#include "draw.h"

#include <stdlib.h>
#include <string.h>

enum { CACHE_SETS = 256, CACHE_WAYS = 4, RUN_BYTES = 512 };

/* ---- the list */

static void add(draw_list *list, draw_command command) {
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 256;
        draw_command *commands = realloc(list->commands, capacity * sizeof *commands);
        if (!commands) return; // a frame without this is better than none
        list->commands = commands;
        list->capacity = capacity;
    }
    list->commands[list->n++] = command;
}

void draw_clear(draw_list *list) { list->n = 0; }

void draw_free(draw_list *list) {
    free(list->commands);
    *list = (draw_list){0};
}

void draw_rect(draw_list *list, SDL_Rect rect, SDL_Color color) {
    add(list, (draw_command){.kind = DRAW_RECT, .rect = rect, .color = color});
}

void draw_text(draw_list *list, int x, int y, const char *text, size_t n_bytes, SDL_Color color) {
    if (n_bytes)
        add(list, (draw_command){.kind = DRAW_TEXT, .rect = {x, y, 0, 0}, .color = color, .text = text, .n_bytes = n_bytes});
}

void draw_clip(draw_list *list, SDL_Rect rect) { add(list, (draw_command){.kind = DRAW_CLIP, .rect = rect}); }

/* ---- the renderer */

/* The texture of a run of text in one face and colour. */
typedef struct run_texture {
    SDL_Texture *texture;
    char text[RUN_BYTES];
    uint32_t color;
    int face, w, h;
    uint64_t used; ///< when
} run_texture;

struct renderer {
    SDL_Renderer *sdl;
    run_texture (*cache)[CACHE_WAYS];
    uint64_t clock;
};

renderer *renderer_create(SDL_Renderer *sdl) {
    renderer *r = calloc(1, sizeof *r);
    if (r) r->cache = calloc(CACHE_SETS, sizeof *r->cache);
    if (r && !r->cache) {
        free(r);
        return NULL;
    }
    if (r) r->sdl = sdl;
    return r;
}

void renderer_forget(renderer *r) {
    for (int s = 0; s < CACHE_SETS; s++)
        for (int w = 0; w < CACHE_WAYS; w++) {
            if (r->cache[s][w].texture) SDL_DestroyTexture(r->cache[s][w].texture);
            r->cache[s][w].texture = NULL;
        }
}

void renderer_destroy(renderer **r) {
    if (!*r) return;
    renderer_forget(*r);
    free((*r)->cache);
    free(*r);
    *r = NULL;
}

static uint32_t hash(const char *text, uint32_t seed) {
    for (; *text; text++) seed = (seed ^ (uint8_t)*text) * 16777619u;
    return seed ^ seed >> 15;
}

static run_texture *find_run(renderer *r, fonts *f, const char *text, int face, SDL_Color color) {
    uint32_t packed = (uint32_t)color.r << 16 | (uint32_t)color.g << 8 | color.b;
    run_texture *set = r->cache[hash(text, packed * 31u + (uint32_t)face) % CACHE_SETS], *oldest = set;
    for (int w = 0; w < CACHE_WAYS; w++) {
        if (set[w].texture && set[w].face == face && set[w].color == packed && strcmp(set[w].text, text) == 0) return &set[w];
        if (!set[w].texture || set[w].used < oldest->used) oldest = &set[w];
    }
    SDL_Surface *surface = TTF_RenderUTF8_Blended(fonts_face(f, face), text, color);
    SDL_Texture *texture = surface ? SDL_CreateTextureFromSurface(r->sdl, surface) : NULL;
    if (texture) {
        if (oldest->texture) SDL_DestroyTexture(oldest->texture);
        *oldest = (run_texture){.texture = texture, .color = packed, .face = face, .w = surface->w, .h = surface->h};
        strcpy(oldest->text, text);
    }
    SDL_FreeSurface(surface);
    return texture ? oldest : NULL;
}

static void draw_run(renderer *r, fonts *f, const char *text, int face, SDL_Color color, int x, int y) {
    run_texture *run = find_run(r, f, text, face, color);
    if (!run) return;
    run->used = ++r->clock;
    // Faces differ in height: their base lines meet.
    int base = y + fonts_line_height(f) * 3 / 4;
    SDL_Rect to = {x, base - TTF_FontAscent(fonts_face(f, face)), run->w, run->h};
    SDL_RenderCopy(r->sdl, run->texture, NULL, &to);
}

/* A line goes run by run: as long as the face is the same, and not longer than the cache likes. */
static void draw_line(renderer *r, fonts *f, const draw_command *c) {
    char run[RUN_BYTES];
    size_t n_run = 0;
    int face = -1, x = c->rect.x, run_x = x;
    for (size_t at = 0; at < c->n_bytes;) {
        uint32_t code;
        size_t n = fonts_next(c->text + at, c->n_bytes - at, &code);
        int face_now = code >= 0x20 ? fonts_face_of(f, code) : face;
        if (n_run && (face_now != face || n_run + 5 > RUN_BYTES || code < 0x20)) {
            run[n_run] = 0;
            draw_run(r, f, run, face, c->color, run_x, c->rect.y);
            n_run = 0;
        }
        if (n_run == 0) run_x = x;
        face = face_now;
        if (code == 0xFFFD && n == 1) {
            memcpy(run + n_run, "\xEF\xBF\xBD", 3);
            n_run += 3;
        } else if (code >= 0x20) {
            memcpy(run + n_run, c->text + at, n);
            n_run += n;
        }
        x += fonts_advance(f, code);
        at += n;
    }
    run[n_run] = 0;
    if (n_run) draw_run(r, f, run, face, c->color, run_x, c->rect.y);
}

void renderer_draw(renderer *r, fonts *f, const draw_list *list) {
    for (size_t i = 0; i < list->n; i++) {
        const draw_command *c = &list->commands[i];
        switch (c->kind) {
        case DRAW_RECT:
            SDL_SetRenderDrawColor(r->sdl, c->color.r, c->color.g, c->color.b, c->color.a);
            SDL_RenderFillRect(r->sdl, &c->rect);
            break;
        case DRAW_TEXT:
            draw_line(r, f, c);
            break;
        case DRAW_CLIP:
            SDL_RenderSetClipRect(r->sdl, c->rect.w > 0 ? &c->rect : NULL);
            break;
        }
    }
    SDL_RenderSetClipRect(r->sdl, NULL);
}
