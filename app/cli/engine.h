/* What the commands open and close together, and how they speak. */
#ifndef CLI_ENGINE_H
#define CLI_ENGINE_H

#include "options.h"

typedef struct engine {
    pum_device *device;
    pum_file *file;
    pum_tokenizer *tokenizer;
    pum_model *model;
} engine;

/// Opens the file that the options name (or the default model) and its tokenizer. Returns false after a sentence on stderr.
bool engine_open_file(engine *e, const options *o);
/// Opens the device, and says so if it is a CPU driver.
bool engine_open_device(engine *e, const options *o);
/// Loads the weights of the open file onto the open device.
bool engine_load(engine *e, const options *o);
/// All three.
bool engine_open(engine *e, const options *o);
void engine_close(engine *e);

/// "pumice: error: …" on stderr; returns false.
bool engine_error(const pum_error *err);
/// The sentence that it said last.
const char *engine_last_error(void);
/// "pumice: …" on stderr.
void engine_notice(const char *format, ...);

/// Says what of a session and its model is in the computer's memory, if something is.
void engine_memory_notice(const pum_plan *plan);
void engine_session_notice(const pum_session *session);

/// Chooses a seed if none was given, and says which.
void engine_seed(options *o);

/// Whether Ctrl-C was pressed since engine_catch_interrupt.
bool engine_interrupted(void);
/// From now on Ctrl-C stops what runs instead of the program; a session may be given, whose append it stops.
void engine_catch_interrupt(pum_session *session);
void engine_clear_interrupt(void);

/// Reads a whole file, or standard input for NULL. Zero-terminated, to be freed with free(); NULL after a sentence on stderr.
char *engine_read_all(const char *path, size_t *n_bytes);
/// Writes to standard output and flushes. Returns false after a sentence on stderr when it cannot.
bool engine_write(const char *bytes, size_t n_bytes);

#endif
