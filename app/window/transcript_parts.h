/* What transcript.c and transcript_text.c share. */
#ifndef WINDOW_TRANSCRIPT_PARTS_H
#define WINDOW_TRANSCRIPT_PARTS_H

#include "laid.h"
#include "sections.h"
#include "transcript.h"

typedef struct message {
    message_kind kind;
    long turn; ///< see transcript_head
    char *text;
    size_t n_bytes, capacity;
    sections sections;
    size_t n_read; ///< bytes that the sections know
    bool unfolded; ///< its thoughts are shown
    bool counted;  ///< every section has a height
    int y, height; ///< in the transcript
} message;

struct transcript {
    message *messages;
    size_t n, capacity;
    long n_turns;
    int width, height, line_height;
    size_t first_dirty;  ///< messages before it are read
    bool stale;          ///< all heights are to be guessed anew
    text_place from, to; ///< the selection, in order
    char *query;
    text_place *hits;
    size_t n_hits, hit_capacity, hit_now;
    bool has_anchor; ///< a resize keeps the anchor at the top
    size_t anchor_message, anchor_section;
    float anchor_part;
    int last_scroll;
};

/// The document of a section, read anew; NULL when the heap is out.
md_doc *transcript_read_section(const message *m, const section *s);
bool transcript_hidden(const message *m, const section *s);
int transcript_text_top(const transcript *t, const message *m);
int transcript_inset(const transcript *t);
/// Lays a section out, if it is not.
void transcript_lay_out(transcript *t, fonts *f, size_t message, size_t section);
void transcript_place(transcript *t, size_t from);
/// Where the query stands in a text from `at` on; the length in *n. Returns end where it is not.
uint32_t transcript_search(const char *text, uint32_t at, uint32_t end, const char *query, uint32_t *n);

#endif
