/* What was said, laid out in lines. Only what changed is laid out again, and only what is visible is drawn. */
#ifndef WINDOW_TRANSCRIPT_H
#define WINDOW_TRANSCRIPT_H

#include "draw.h"
#include "theme.h"

typedef enum message_kind { MESSAGE_USER, MESSAGE_ASSISTANT, MESSAGE_NOTICE, MESSAGE_ERROR } message_kind;

typedef struct transcript transcript;

transcript *transcript_create(void);
void transcript_destroy(transcript **t);
void transcript_clear(transcript *t);
/// Begins a message; text may be "". Returns false when the heap is out.
bool transcript_add(transcript *t, message_kind kind, const char *text);
/// Adds to the last message.
bool transcript_append(transcript *t, const char *text);
/// The whole chat as Markdown, without notices; to be freed with free(). NULL when the heap is out.
char *transcript_markdown(const transcript *t);

/// Lays out what changed since the last call; width in pixels. Everything again where the width or the fonts did.
void transcript_layout(transcript *t, fonts *f, int width);
/// The fonts have changed.
void transcript_invalidate(transcript *t);
int transcript_height(const transcript *t);
/// Draws the part from `scroll` pixels on into the area.
void transcript_draw(const transcript *t, fonts *f, const theme *colors, draw_list *list, SDL_Rect area, int scroll);

#endif
