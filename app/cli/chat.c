/* pumice chat: turns from a terminal or a pipe. */
#include "commands.h"

#include "chat/conversation.h"
#include "chat/devices.h"
#include "chat/system.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct chatting {
    engine e;
    const options *o;
    conversation *c;
    bool terminal; ///< a person types; otherwise lines come from a pipe
    bool write_failed;
    bool showed_progress;
    bool began;     ///< something of the answer was printed
    int n_left_out; ///< as last said
} chatting;

static const char HELP[] = "/new          begin a new chat\n"
                           "/system TEXT  change the system turn (empty: the template's own)\n"
                           "/save FILE    write the chat as Markdown\n"
                           "/device N     go on on another device, by index or part of the name (0,1: several)\n"
                           "/quit         end (%s too)\n"
                           "Ctrl-C stops an answer.\n";

static void forget_progress(chatting *ch) {
    if (ch->showed_progress) fputs("\r\033[K", stderr);
    fflush(stderr);
    ch->showed_progress = false;
}

static bool on_text(void *user, const char *text) {
    chatting *ch = user;
    forget_progress(ch);
    if (!engine_write(text, strlen(text))) ch->write_failed = true;
    ch->began = true;
    if (engine_interrupted()) conversation_stop(ch->c);
    return !ch->write_failed;
}

static void on_progress(void *user, int done, int total) {
    chatting *ch = user;
    if (engine_interrupted()) conversation_stop(ch->c);
    if (!ch->terminal || !system_is_terminal(stderr) || done == total) return;
    fprintf(stderr, "\rreading %d of %d tokens …", done, total);
    fflush(stderr);
    ch->showed_progress = true;
}

static bool save(const chatting *ch, const char *path) {
    size_t n;
    const pum_chat_message *turns = conversation_turns(ch->c, &n);
    FILE *file = system_open(path, "wb");
    bool ok = file;
    for (size_t i = 0; i < n && ok; i++) ok = fprintf(file, "**%s**\n\n%s\n\n", turns[i].role, turns[i].content) > 0;
    if (file && fclose(file) != 0) ok = false;
    if (!ok) engine_notice("%s: cannot be written: %s; choose another file", path, strerror(errno));
    return ok;
}

/* Takes model and chat to another device: the one that was used may be gone. Nothing has changed where that fails. */
static void move(chatting *ch, const char *which) {
    bool several = strchr(which, ',');
    options o = *ch->o;
    o.device = several ? NULL : which;
    o.devices = several ? which : NULL;
    engine other = {.file = ch->e.file, .tokenizer = ch->e.tokenizer}; // these stay
    pum_error err;
    bool ok = engine_open_device(&other, &o) && engine_load(&other, &o);
    if (ok) ok = conversation_move(ch->c, other.model, &err) == PUM_OK || engine_error(&err);
    engine left = ok ? ch->e : other;
    if (ok) ch->e = other;
    pum_model_destroy(&left.model);
    pum_device_destroy(&left.device);
    if (!ok) return;
    char names[512];
    devices_names(ch->e.device, names, sizeof names);
    engine_notice("the chat goes on on %s", names);
}

/* Returns false to end. */
static bool obey(chatting *ch, const char *line) {
    pum_error err;
    if (strcmp(line, "/quit") == 0) return false;
    if (strcmp(line, "/new") == 0) {
        conversation_clear(ch->c);
        ch->n_left_out = 0;
        engine_notice("a new chat");
    } else if (strncmp(line, "/system", 7) == 0 && (line[7] == ' ' || !line[7])) {
        if (conversation_set_system(ch->c, line[7] ? line + 8 : NULL, &err) != PUM_OK)
            engine_error(&err);
        else
            engine_notice("the system turn is changed");
    } else if (strncmp(line, "/save ", 6) == 0 && line[6]) {
        if (save(ch, line + 6)) engine_notice("saved to %s", line + 6);
    } else if (strncmp(line, "/device ", 8) == 0 && line[8]) {
        move(ch, line + 8);
    } else if (strcmp(line, "/help") == 0) {
        fprintf(stderr, HELP, system_end_keys);
        fflush(stderr);
    } else {
        engine_notice("%s is not a command; /help lists them", line);
    }
    return true;
}

static bool answer(chatting *ch, const char *line) {
    conversation_callbacks callbacks = {on_text, on_progress, NULL, ch};
    answer_report report;
    pum_error err;
    engine_clear_interrupt();
    ch->began = false;
    pum_status status = conversation_ask(ch->c, line, &callbacks, &report, &err);
    forget_progress(ch);
    if (ch->write_failed) return false;
    if ((status == PUM_OK || ch->began) && !engine_write("\n", 1)) return false;
    if (status != PUM_OK) engine_error(&err);
    if (status == PUM_ERR_NO_DEVICE && ch->terminal) engine_notice("here that is /device N; the chat goes on there");
    if (status != PUM_OK) return ch->terminal; // a person can go on; a script should hear of it
    if (report.n_turns_left_out > ch->n_left_out)
        engine_notice("the context is full: the oldest %d turns are left out", report.n_turns_left_out);
    ch->n_left_out = report.n_turns_left_out;
    if (report.end == ANSWER_CONTEXT_FULL)
        engine_notice("the context of %d tokens is full: the answer ends here", conversation_n_ctx(ch->c));
    engine_clear_interrupt();
    return true;
}

static bool talk(chatting *ch) {
    char *line = NULL;
    size_t capacity = 0;
    bool ok = true;
    while (ok) {
        if (ch->terminal) engine_write("> ", 2);
        errno = 0;
        long n = system_read_line(&line, &capacity);
        if (n < 0) break; // the end, or Ctrl-C at the prompt
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r')) line[--n] = 0;
        if (n == 0) continue;
        if (line[0] == '/') {
            if (!obey(ch, line)) break;
        } else {
            ok = answer(ch, line);
        }
    }
    free(line);
    if (ch->terminal) engine_write("\n", 1);
    return ok;
}

int command_chat(options *o) {
    chatting ch = {.o = o, .terminal = system_is_terminal(stdin)};
    pum_error err;
    bool ok = engine_open(&ch.e, o);
    if (ok) {
        engine_seed(o);
        conversation_params params = {
            .file = ch.e.file,
            .tokenizer = ch.e.tokenizer,
            .model = ch.e.model,
            .n_ctx = o->n_ctx,
            .kv = o->kv,
            .sampling = o->sampling,
            .stops = o->stops,
            .n_stops = (size_t)o->n_stops,
            .n_answer = o->n_tokens > 0 ? o->n_tokens : 0,
        };
        ok = conversation_create(&params, &ch.c, &err) == PUM_OK || engine_error(&err);
        pum_plan plan;
        if (ok) conversation_get_plan(ch.c, &plan);
        if (ok) engine_memory_notice(&plan);
    }
    if (ok && o->system) ok = conversation_set_system(ch.c, o->system, &err) == PUM_OK || engine_error(&err);
    if (ok) {
        if (ch.terminal) engine_notice("type and press Enter; /help lists commands, %s ends", system_end_keys);
        engine_catch_interrupt(NULL);
        ok = talk(&ch);
    }
    conversation_destroy(&ch.c);
    engine_close(&ch.e);
    return ok ? 0 : 1;
}
