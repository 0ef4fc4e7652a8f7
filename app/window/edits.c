#include "edits.h"

#include <stdlib.h>
#include <string.h>

/* A run ends there at the latest: a long one without spaces would be undone as a whole. */
enum { PAUSE_MS = 2000, RUN_BYTES = 120 };

static size_t size_of(const edit *step) { return step->n_removed + step->n_inserted; }

static void drop(edits *e, size_t first, size_t n) {
    if (n == 0) return;
    for (size_t i = first; i < first + n; i++) {
        e->n_bytes -= size_of(&e->list[i]);
        free(e->list[i].bytes);
    }
    memmove(e->list + first, e->list + first + n, (e->n - first - n) * sizeof *e->list);
    e->n -= n;
}

void edits_clear(edits *e) {
    drop(e, 0, e->n);
    free(e->list);
    *e = (edits){0};
}

void edits_seal(edits *e) { e->sealed = true; }

static bool is_space(char byte) { return byte == ' ' || byte == '\n' || byte == '\t'; }

static bool runs_on(const edits *e, const edit *step, const char *inserted) {
    if (e->sealed || e->done == 0 || e->done < e->n) return false;
    const edit *last = &e->list[e->n - 1];
    if (last->kind != step->kind || size_of(last) + size_of(step) > RUN_BYTES) return false;
    switch (step->kind) {
    case EDIT_TYPED: {
        if (step->n_removed > 0 || step->n_inserted == 0 || last->n_inserted == 0 || step->at != last->at + last->n_inserted)
            return false;
        bool begins_word = is_space(last->bytes[size_of(last) - 1]) && !is_space(inserted[0]);
        return !begins_word && step->ms - last->ms < PAUSE_MS;
    }
    case EDIT_ERASED_LEFT:
        return last->n_inserted == 0 && step->at + step->n_removed == last->at;
    case EDIT_ERASED_RIGHT:
        return last->n_inserted == 0 && step->at == last->at;
    case EDIT_OTHER:
        break;
    }
    return false;
}

static bool run_on(edits *e, const edit *step, const char *removed, const char *inserted) {
    edit *last = &e->list[e->n - 1];
    size_t n = size_of(last);
    char *grown = realloc(last->bytes, n + size_of(step));
    if (!grown) return false;
    last->bytes = grown;
    if (step->kind == EDIT_ERASED_LEFT) {
        memmove(grown + step->n_removed, grown, n);
        memcpy(grown, removed, step->n_removed);
        last->at = step->at;
    } else {
        memcpy(grown + n, removed, step->n_removed);
        memcpy(grown + n, inserted, step->n_inserted); // one of them is nothing
    }
    last->n_removed += step->n_removed;
    last->n_inserted += step->n_inserted;
    last->ms = step->ms;
    e->n_bytes += size_of(step);
    return true;
}

bool edits_add(edits *e, edit step, const char *removed, const char *inserted) {
    if (runs_on(e, &step, inserted)) return run_on(e, &step, removed, inserted);
    if (!e->list && !(e->list = malloc(EDITS_MAX * sizeof *e->list))) return false;
    step.bytes = malloc(size_of(&step) + 1);
    if (!step.bytes) return false;
    memcpy(step.bytes, removed, step.n_removed);
    memcpy(step.bytes + step.n_removed, inserted, step.n_inserted);
    drop(e, e->done, e->n - e->done);
    size_t n_old = e->n == EDITS_MAX, n_bytes = e->n_bytes + size_of(&step);
    for (size_t i = 0; i < n_old; i++) n_bytes -= size_of(&e->list[i]);
    while (n_old < e->n && n_bytes > EDITS_MAX_BYTES) n_bytes -= size_of(&e->list[n_old++]);
    drop(e, 0, n_old);
    e->list[e->n++] = step;
    e->n_bytes = n_bytes;
    e->done = e->n;
    e->sealed = false;
    return true;
}

const edit *edits_undo(edits *e) {
    e->sealed = true;
    return e->done > 0 ? &e->list[--e->done] : NULL;
}

const edit *edits_redo(edits *e) {
    e->sealed = true;
    return e->done < e->n ? &e->list[e->done++] : NULL;
}
