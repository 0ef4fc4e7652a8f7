/* What a frame looks like, as a list of commands, and the renderer that draws it. The list knows nothing of SDL's renderer. */
#ifndef WINDOW_DRAW_H
#define WINDOW_DRAW_H

#include "fonts.h"

typedef enum draw_kind { DRAW_RECT, DRAW_TEXT, DRAW_RUN, DRAW_CLIP } draw_kind;

typedef struct draw_command {
    draw_kind kind;
    SDL_Rect rect; ///< of a text: x, y of its line's top left; of a run: x, and y of its base line
    SDL_Color color;
    const char *text; ///< [n_bytes], borrowed until the list is drawn
    size_t n_bytes;
    int face;           ///< of a run
    bool rtl;           ///< a run that goes from right to left
    const char *script; ///< of a run, see fonts_shape
} draw_command;

typedef struct draw_list {
    draw_command *commands;
    size_t n, capacity;
    char **kept; ///< [n_kept] texts of draw_keep
    size_t n_kept, kept_capacity;
} draw_list;

void draw_clear(draw_list *list);
void draw_free(draw_list *list);
/// A copy of a text that lives until draw_clear; "" when the heap is out.
const char *draw_keep(draw_list *list, const char *text);
void draw_rect(draw_list *list, SDL_Rect rect, SDL_Color color);
/// One line; control characters are left out.
void draw_text(draw_list *list, int x, int y, const char *text, size_t n_bytes, SDL_Color color);
/// As much of the first line of a text as fits into a width, with an ellipsis.
void draw_text_within(draw_list *list, fonts *f, int x, int y, int width, const char *text, SDL_Color color);
/// A run that was laid out: one face, one direction, and at most DRAW_RUN_BYTES.
enum { DRAW_RUN_BYTES = 500 };
void draw_run(draw_list *list, int x, int base, const char *text, size_t n_bytes, int face, bool rtl, const char *script,
              SDL_Color color);
/// What follows is drawn inside the rectangle only; an empty one takes the limit away.
void draw_clip(draw_list *list, SDL_Rect rect);

/// Draws lists, and keeps the textures of the runs of text that it has drawn lately.
typedef struct renderer renderer;
renderer *renderer_create(SDL_Renderer *sdl);
void renderer_destroy(renderer **r);
void renderer_draw(renderer *r, fonts *f, const draw_list *list);
/// The fonts have changed.
void renderer_forget(renderer *r);

#endif
