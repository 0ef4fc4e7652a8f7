/* A message's source cut into sections that can be read one by one: what arrives later changes none but the last. A section ends
 * at a blank line outside of a list, a fence or a formula; a long piece of code has several. */
#ifndef WINDOW_SECTIONS_H
#define WINDOW_SECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum section_kind { SECTION_TEXT, SECTION_CODE, SECTION_THOUGHT } section_kind;

typedef struct section {
    uint32_t begin, end; ///< bytes of the source
    uint32_t language;   ///< of code: where the fence's word begins
    uint8_t n_language;
    uint8_t kind;      ///< section_kind; SECTION_THOUGHT is the head of what follows, without a text
    bool thought;      ///< stands in <think>
    bool joins;        ///< code that goes on from the section before
    int32_t y, height; ///< the transcript's: of its layout, or a guess
    struct laid *laid; ///< the transcript's: NULL where it was never seen
    uint32_t laid_end; ///< of the source, when it was laid out
    bool laid_ends;    ///< no code went on after it then
} section;

/* Where the reading stands, after a whole line. */
typedef struct section_state {
    uint32_t at;
    char fence;       ///< ` or ~; 0 outside
    uint8_t n_fence;  ///< its length
    bool inner_fence; ///< in a list: not a section of its own
    bool thought, list, blank, formula, open;
    uint16_t n_lines; ///< of code in this section
} section_state;

typedef struct sections {
    section *all;
    uint32_t n, capacity;
    section_state state; ///< after the last whole line
    uint32_t n_settled, settled_end;
    bool plain; ///< only fences mean something
} sections;

/// Goes on reading a source that has grown to n_bytes. drop is told each section whose layout is void. Returns false when the
/// heap is out.
bool sections_read(sections *s, const char *source, size_t n_bytes, void (*drop)(section *));

#endif
