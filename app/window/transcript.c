#include "transcript.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct message {
    message_kind kind;
    char *text;
    size_t n_bytes, capacity;
    size_t *lines; ///< where each line begins; lines[n_lines] is the end
    size_t n_lines, lines_capacity;
    size_t laid_out; ///< bytes of whole paragraphs whose lines are final
    size_t final_lines;
    bool dirty;
    int y, height; ///< in the transcript
} message;

struct transcript {
    message *messages;
    size_t n, capacity;
    int width, height, line_height;
    size_t first_dirty; ///< messages before it are laid out
};

transcript *transcript_create(void) { return calloc(1, sizeof(transcript)); }

void transcript_clear(transcript *t) {
    for (size_t i = 0; i < t->n; i++) {
        free(t->messages[i].text);
        free(t->messages[i].lines);
    }
    t->n = t->first_dirty = 0;
    t->height = 0;
}

void transcript_destroy(transcript **t) {
    if (!*t) return;
    transcript_clear(*t);
    free((*t)->messages);
    free(*t);
    *t = NULL;
}

bool transcript_append(transcript *t, const char *text) {
    if (t->n == 0) return false;
    message *m = &t->messages[t->n - 1];
    size_t n = strlen(text);
    if (m->n_bytes + n + 1 > m->capacity) {
        size_t capacity = 2 * (m->n_bytes + n) + 64;
        char *grown = realloc(m->text, capacity);
        if (!grown) return false;
        m->text = grown;
        m->capacity = capacity;
    }
    memcpy(m->text + m->n_bytes, text, n + 1);
    m->n_bytes += n;
    m->dirty = true;
    if (t->first_dirty > t->n - 1) t->first_dirty = t->n - 1;
    return true;
}

bool transcript_add(transcript *t, message_kind kind, const char *text) {
    if (t->n == t->capacity) {
        size_t capacity = t->capacity ? 2 * t->capacity : 32;
        message *messages = realloc(t->messages, capacity * sizeof *messages);
        if (!messages) return false;
        t->messages = messages;
        t->capacity = capacity;
    }
    t->messages[t->n++] = (message){.kind = kind, .dirty = true};
    if (t->first_dirty > t->n - 1) t->first_dirty = t->n - 1;
    return transcript_append(t, text);
}

char *transcript_markdown(const transcript *t) {
    size_t n = 1;
    for (size_t i = 0; i < t->n; i++) n += t->messages[i].n_bytes + 32;
    char *all = malloc(n), *at = all;
    if (!all) return NULL;
    *at = 0;
    for (size_t i = 0; i < t->n; i++) {
        const message *m = &t->messages[i];
        if (m->kind == MESSAGE_USER || m->kind == MESSAGE_ASSISTANT)
            at += sprintf(at, "**%s**\n\n%s\n\n", m->kind == MESSAGE_USER ? "You" : "Pumice", m->text);
    }
    return all;
}

/* ---- layout */

static bool add_line(message *m, size_t begin) {
    if (m->n_lines + 1 >= m->lines_capacity) {
        size_t capacity = m->lines_capacity ? 2 * m->lines_capacity : 8;
        size_t *lines = realloc(m->lines, capacity * sizeof *lines);
        if (!lines) return false;
        m->lines = lines;
        m->lines_capacity = capacity;
    }
    m->lines[m->n_lines++] = begin;
    return true;
}

/* Lines of finished paragraphs stay; the last paragraph may have grown. */
static void lay_out_message(message *m, fonts *f, int width) {
    m->n_lines = m->final_lines;
    for (size_t at = m->laid_out; at < m->n_bytes || m->n_lines == 0;) {
        if (!add_line(m, at)) break;
        at += m->n_bytes > at ? fonts_break(f, m->text + at, m->n_bytes - at, width) : 0;
        if (at > 0 && at < m->n_bytes && m->text[at - 1] == '\n') {
            m->laid_out = at;
            m->final_lines = m->n_lines;
        }
        if (at >= m->n_bytes) break;
    }
    if (m->lines) m->lines[m->n_lines] = m->n_bytes;
    m->dirty = false;
}

void transcript_invalidate(transcript *t) {
    for (size_t i = 0; i < t->n; i++) {
        t->messages[i].dirty = true;
        t->messages[i].laid_out = t->messages[i].final_lines = 0;
    }
    t->first_dirty = 0;
}

static int inset(const transcript *t) { return t->line_height / 2; }

void transcript_layout(transcript *t, fonts *f, int width) {
    if (width != t->width || fonts_line_height(f) != t->line_height) transcript_invalidate(t);
    t->width = width;
    t->line_height = fonts_line_height(f);
    int y = t->first_dirty ? t->messages[t->first_dirty - 1].y + t->messages[t->first_dirty - 1].height : 0;
    for (size_t i = t->first_dirty; i < t->n; i++) {
        message *m = &t->messages[i];
        if (m->dirty) lay_out_message(m, f, width - 2 * inset(t));
        m->y = y;
        // A line for who speaks, the text, and room below.
        m->height = (int)(m->n_lines + 1) * t->line_height + 2 * inset(t);
        y += m->height;
    }
    t->first_dirty = t->n;
    t->height = y;
}

int transcript_height(const transcript *t) { return t->height; }

/* ---- drawing */

static void draw_message(const transcript *t, const message *m, const theme *colors, draw_list *list, SDL_Rect area, int top) {
    static const char *const names[] = {"You", "Pumice", "Note", "Error"};
    int x = area.x + inset(t);
    SDL_Color color = m->kind == MESSAGE_ERROR ? colors->error : m->kind == MESSAGE_NOTICE ? colors->faint : colors->text;
    if (m->kind == MESSAGE_USER) draw_rect(list, (SDL_Rect){area.x, top, area.w, m->height - inset(t)}, colors->bubble);
    SDL_Color name = m->kind == MESSAGE_ERROR ? colors->error : m->kind == MESSAGE_ASSISTANT ? colors->accent : colors->faint;
    draw_text(list, x, top + inset(t) / 2, names[m->kind], strlen(names[m->kind]), name);
    int text_top = top + inset(t) / 2 + t->line_height;
    // Only the lines that can be seen.
    int first = (area.y - text_top) / t->line_height, last = (area.y + area.h - text_top) / t->line_height;
    for (int i = first > 0 ? first : 0; i < (int)m->n_lines && i <= last; i++)
        draw_text(list, x, text_top + i * t->line_height, m->text + m->lines[i], m->lines[i + 1] - m->lines[i], color);
}

void transcript_draw(const transcript *t, fonts *f, const theme *colors, draw_list *list, SDL_Rect area, int scroll) {
    (void)f;
    // The first visible message, by halves: the cost follows what is visible.
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (t->messages[middle].y + t->messages[middle].height <= scroll)
            low = middle + 1;
        else
            high = middle;
    }
    draw_clip(list, area);
    for (size_t i = low; i < t->n && t->messages[i].y < scroll + area.h; i++)
        draw_message(t, &t->messages[i], colors, list, area, area.y + t->messages[i].y - scroll);
    draw_clip(list, (SDL_Rect){0});
}
