#include "ui_do.h"

#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ui_say_notice(ui *u) {
    if (u->chats.notice[0]) transcript_add(u->transcript, MESSAGE_NOTICE, u->chats.notice);
    u->chats.notice[0] = 0;
}

/* What a person wrote, with a line for each attachment in the place of its text. */
static void show_question(ui *u, const char *text) {
    attachments read = {0};
    const char *words = attachments_read(&read, text);
    size_t n_bytes = strlen(words) + 1;
    for (size_t i = 0; i < read.n; i++) n_bytes += strlen(read.list[i].name) + 100;
    char *shown = read.n ? malloc(n_bytes) : NULL;
    size_t n = 0;
    for (size_t i = 0; i < read.n && shown; i++) {
        char line[400], count[24];
        snprintf(count, sizeof count, "%zu", read.list[i].n_words);
        say_with(line, sizeof line, W_ATTACHED, read.list[i].name, count, NULL);
        n += (size_t)snprintf(shown + n, n_bytes - n, "\xF0\x9F\x93\x8E %.*s\n", (int)(strlen(read.list[i].name) + 80), line);
    }
    if (shown) snprintf(shown + n, n_bytes - n, "%s", words);
    transcript_add(u->transcript, MESSAGE_USER, shown ? shown : text);
    free(shown);
    attachments_clear(&read);
}

static void show_branch(ui *u) {
    transcript_clear(u->transcript);
    reader_reset(&u->reader);
    for (size_t i = 0; i < u->chats.n; i++) {
        const store_message *m = &u->chats.branch[i];
        if (m->role == STORE_USER)
            show_question(u, m->text);
        else
            transcript_add(u->transcript, MESSAGE_ASSISTANT, m->text);
    }
    u->sticks = true;
    ui_say_notice(u);
}

/* What is written, with what is attached; to be freed. */
static char *composed(ui *u) {
    const char *words = composer_text(&u->composer);
    return u->attached.n ? attachments_message(&u->attached, words) : strdup(words);
}

static void compose_anew(ui *u, const char *text) { composer_set(&u->composer, attachments_read(&u->attached, text)); }

/* The draft of the open chat goes back into the composer. */
static void take_draft(ui *u) {
    char *draft = chats_draft(&u->chats);
    compose_anew(u, draft ? draft : "");
    free(draft);
    u->edits = false;
}

/* While a turn is edited the draft that stood there before stays in the store. */
void ui_keep_draft(ui *u) {
    char *written = composed(u);
    if (written && u->edits)
        chats_keep_edit(&u->chats, u->edited, written);
    else if (written)
        chats_keep_draft(&u->chats, written);
    free(written);
}

void ui_end_edit(ui *u) {
    chats_keep_edit(&u->chats, u->edited, NULL);
    take_draft(u);
}

static void edit_text(ui *u, size_t turn, const char *text) {
    compose_anew(u, text);
    u->edits = true;
    u->edited = turn;
}

/* With what is being edited in it; a draft stays as it is. */
static void follow_branch(ui *u) {
    size_t turn;
    char *edited = chats_edit_kept(&u->chats, &turn);
    if (edited)
        edit_text(u, turn, edited);
    else if (u->edits)
        take_draft(u);
    free(edited);
    show_branch(u);
}

void ui_show_chat(ui *u) {
    take_draft(u);
    follow_branch(u);
}

void ui_open_chat(ui *u, store_id chat) {
    if (u->busy) worker_interrupt(u->worker);
    ui_keep_draft(u);
    chats_open(&u->chats, chat);
    u->n_past = 0;
    ui_show_chat(u);
}

/* What is to be answered goes to the worker, and its answer below what is shown. */
static void begin_answer(ui *u) {
    worker_turns *turns = chats_turns(&u->chats);
    if (!turns) {
        chats_end(&u->chats, STORE_FAILED);
        return;
    }
    worker_answer(u->worker, turns);
    u->busy = u->sticks = true;
    u->done = u->total = 0;
    u->n_pieces = 0;
    u->answer_began_ms = 0;
}

void ui_answer_again(ui *u, bool goes_on) {
    if (u->busy || u->loading) return;
    ui_keep_draft(u);
    if (!(goes_on ? chats_continue(&u->chats, u->model) : chats_answer_again(&u->chats, u->model))) return;
    follow_branch(u);
    begin_answer(u);
}

void ui_walk(ui *u, size_t turn, int by) {
    if (u->busy) return;
    ui_keep_draft(u);
    if (chats_walk(&u->chats, turn, by)) follow_branch(u);
}

void ui_begin_edit(ui *u, size_t turn) {
    if (u->busy || turn >= u->chats.n) return;
    if (u->edits) ui_end_edit(u);
    ui_keep_draft(u);
    edit_text(u, turn, u->chats.branch[turn].text);
    widgets_focus(&u->widgets, 0, 0);
}

static void send_edit(ui *u, const char *text) {
    bool answers;
    if (u->loading || !chats_edit(&u->chats, u->edited, text, u->model, &answers)) return;
    ui_end_edit(u);
    show_branch(u);
    if (answers) begin_answer(u);
}

static void send_text(ui *u, const char *text) {
    if (!chats_ask(&u->chats, text, u->model)) return;
    show_question(u, text);
    transcript_add(u->transcript, MESSAGE_ASSISTANT, "");
    compose_anew(u, "");
    begin_answer(u);
}

void ui_send(ui *u) {
    const char *words = composer_text(&u->composer);
    if (u->busy || (words[strspn(words, " \n\t")] == 0 && !u->attached.n)) return;
    u->sends_later = u->loading && !u->edits;
    if (u->loading) return;
    char *text = composed(u);
    if (text && u->edits)
        send_edit(u, text);
    else if (text)
        send_text(u, text);
    free(text);
}
