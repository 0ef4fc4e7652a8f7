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

void draw_clear(draw_list *list) {
    for (size_t i = 0; i < list->n_kept; i++) free(list->kept[i]);
    list->n = list->n_kept = 0;
}

const char *draw_keep(draw_list *list, const char *text) {
    if (list->n_kept == list->kept_capacity) {
        size_t capacity = list->kept_capacity ? 2 * list->kept_capacity : 32;
        char **kept = realloc(list->kept, capacity * sizeof *kept);
        if (!kept) return "";
        list->kept = kept;
        list->kept_capacity = capacity;
    }
    char *copy = strdup(text);
    if (!copy) return "";
    return list->kept[list->n_kept++] = copy;
}

void draw_free(draw_list *list) {
    draw_clear(list);
    free(list->kept);
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

void draw_text_within(draw_list *list, fonts *f, int x, int y, int width, const char *text, SDL_Color color) {
    static const char dots[] = "\xE2\x80\xA6";
    size_t n = strcspn(text, "\n"), at = 0;
    bool whole = fonts_width(f, text, n) <= width;
    for (int used = fonts_width(f, dots, 3); !whole && at < n;) {
        uint32_t code;
        size_t step = fonts_next(text + at, n - at, &code);
        used += fonts_advance(f, code);
        if (used > width) break;
        at += step;
    }
    draw_text(list, x, y, text, whole ? n : at, color);
    if (!whole) draw_text(list, x + fonts_width(f, text, at), y, dots, 3, color);
}

void draw_run(draw_list *list, int x, int base, const char *text, size_t n_bytes, int face, bool rtl, const char *script,
              SDL_Color color) {
    if (n_bytes)
        add(list, (draw_command){.kind = DRAW_RUN,
                                 .rect = {x, base, 0, 0},
                                 .color = color,
                                 .text = text,
                                 .n_bytes = n_bytes,
                                 .face = face,
                                 .rtl = rtl,
                                 .script = script});
}

void draw_clip(draw_list *list, SDL_Rect rect) { add(list, (draw_command){.kind = DRAW_CLIP, .rect = rect}); }

/* ---- the renderer */

/* The texture of a run of text in one face and colour. */
typedef struct run_texture {
    SDL_Texture *texture;
    char text[RUN_BYTES];
    uint32_t color;
    int face, w, h; ///< the face: twice, and one more from right to left
    uint64_t used;  ///< when
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

/* A smaller picture, each pixel the mean of those that it stands for, weighted by how much of them is seen. */
static SDL_Surface *shrink(SDL_Surface *from, float scale) {
    int w = (int)((float)from->w * scale + 0.5f), h = (int)((float)from->h * scale + 0.5f);
    SDL_Surface *to = SDL_CreateRGBSurfaceWithFormat(0, w > 0 ? w : 1, h > 0 ? h : 1, 32, SDL_PIXELFORMAT_ARGB8888);
    SDL_Surface *in = SDL_ConvertSurfaceFormat(from, SDL_PIXELFORMAT_ARGB8888, 0);
    SDL_FreeSurface(from);
    for (int y = 0; to && in && y < to->h; y++)
        for (int x = 0; x < to->w; x++) {
            int x0 = x * in->w / to->w, x1 = (x + 1) * in->w / to->w, y0 = y * in->h / to->h, y1 = (y + 1) * in->h / to->h;
            uint32_t sum[3] = {0}, alpha = 0, n = 0;
            for (int v = y0; v < (y1 > y0 ? y1 : y0 + 1); v++)
                for (int u = x0; u < (x1 > x0 ? x1 : x0 + 1); u++, n++) {
                    uint32_t p = ((const uint32_t *)((const char *)in->pixels + v * in->pitch))[u], a = p >> 24;
                    for (int k = 0; k < 3; k++) sum[k] += (p >> 8 * k & 0xFF) * a;
                    alpha += a;
                }
            uint32_t pixel = alpha / n << 24;
            for (int k = 0; k < 3 && alpha; k++) pixel |= sum[k] / alpha << 8 * k;
            ((uint32_t *)((char *)to->pixels + y * to->pitch))[x] = pixel;
        }
    SDL_FreeSurface(in);
    return to;
}

static run_texture *find_run(renderer *r, fonts *f, const char *text, int face, bool rtl, SDL_Color color) {
    int key = 2 * face + rtl;
    uint32_t packed = (uint32_t)color.r << 16 | (uint32_t)color.g << 8 | color.b;
    run_texture *set = r->cache[hash(text, packed * 31u + (uint32_t)key) % CACHE_SETS], *oldest = set;
    for (int w = 0; w < CACHE_WAYS; w++) {
        if (set[w].texture && set[w].face == key && set[w].color == packed && strcmp(set[w].text, text) == 0) return &set[w];
        if (!set[w].texture || set[w].used < oldest->used) oldest = &set[w];
    }
    SDL_Surface *surface = TTF_RenderUTF8_Blended(fonts_face(f, face), text, color);
    if (surface && fonts_scale(f, face) < 1) surface = shrink(surface, fonts_scale(f, face));
    SDL_Texture *texture = surface ? SDL_CreateTextureFromSurface(r->sdl, surface) : NULL;
    if (texture) {
        if (oldest->texture) SDL_DestroyTexture(oldest->texture);
        *oldest = (run_texture){.texture = texture, .color = packed, .face = key, .w = surface->w, .h = surface->h};
        strcpy(oldest->text, text);
    }
    SDL_FreeSurface(surface);
    return texture ? oldest : NULL;
}

/* Faces differ in height: their base lines meet. */
static void put_run(renderer *r, fonts *f, const char *text, int face, bool rtl, SDL_Color color, int x, int base) {
    run_texture *run = find_run(r, f, text, face, rtl, color);
    if (!run) return;
    run->used = ++r->clock;
    int ascent = (int)((float)TTF_FontAscent(fonts_face(f, face)) * fonts_scale(f, face));
    SDL_Rect to = {x, base - ascent, run->w, run->h};
    SDL_RenderCopy(r->sdl, run->texture, NULL, &to);
}

static void put_laid_run(renderer *r, fonts *f, const draw_command *c) {
    char run[RUN_BYTES];
    size_t n = c->n_bytes < DRAW_RUN_BYTES ? c->n_bytes : DRAW_RUN_BYTES;
    memcpy(run, c->text, n);
    run[n] = 0;
    fonts_shape(f, c->face, c->rtl, c->script);
    put_run(r, f, run, c->face, c->rtl, c->color, c->rect.x, c->rect.y);
}

/* A line goes run by run: as long as the face is the same, and not longer than the cache likes. */
static void draw_line(renderer *r, fonts *f, const draw_command *c) {
    char run[RUN_BYTES];
    size_t n_run = 0;
    int face = -1, x = c->rect.x, run_x = x, base = c->rect.y + fonts_styled_base(f, 0);
    for (size_t at = 0; at < c->n_bytes;) {
        uint32_t code;
        size_t n = fonts_next(c->text + at, c->n_bytes - at, &code);
        int face_now = code >= 0x20 ? fonts_face_of(f, code) : face;
        if (n_run && (face_now != face || n_run + 5 > RUN_BYTES || code < 0x20)) {
            run[n_run] = 0;
            fonts_shape(f, face, false, "Zyyy");
            put_run(r, f, run, face, false, c->color, run_x, base);
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
    if (n_run) {
        fonts_shape(f, face, false, "Zyyy");
        put_run(r, f, run, face, false, c->color, run_x, base);
    }
}

void renderer_draw(renderer *r, fonts *f, const draw_list *list) {
    SDL_SetRenderDrawBlendMode(r->sdl, SDL_BLENDMODE_BLEND); // of what a sheet lies over something is seen
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
        case DRAW_RUN:
            put_laid_run(r, f, c);
            break;
        case DRAW_CLIP:
            SDL_RenderSetClipRect(r->sdl, c->rect.w > 0 ? &c->rect : NULL);
            break;
        }
    }
    SDL_RenderSetClipRect(r->sdl, NULL);
}
