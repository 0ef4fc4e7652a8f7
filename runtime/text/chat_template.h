/* Chat templates: recognised by what the file's Jinja text contains, rendered by our own code. */
#ifndef TEXT_CHAT_TEMPLATE_H
#define TEXT_CHAT_TEMPLATE_H

#include "text/tokenizer.h"

typedef struct chat_template chat_template; ///< one row of the table: name, how it is recognised, how it is rendered

/// The row that fits a file's template text, with the default system turn that this very text has. The text is borrowed and must
/// outlive the result.
typedef struct chat_format {
    const chat_template *row; ///< NULL: not recognised
    text_span jinja;          ///< the text, for what differs between texts of one row
    text_span default_system; ///< in it, escapes and all; n_bytes 0: the template puts none
} chat_format;

/// Recognises a template. An unknown one gives row NULL.
chat_format chat_template_detect(const char *jinja, size_t n_bytes);
/// "chatml", "llama2", "llama3", "llama3.1", "mistral", "zephyr", or "unknown" for NULL. Static storage.
const char *chat_template_name(const chat_template *row);

/// The rendered conversation: pieces of template text (special) and message text (plain), in one allocation freed with pum_free.
typedef struct chat_pieces {
    text_piece *pieces;
    size_t n_pieces;
} chat_pieces;

/// Errors: PUM_ERR_ARGUMENT for roles in an order that the template refuses, PUM_ERR_MEMORY.
/// bos, eos: the text of those tokens, for templates that write them ("" if there is none).
pum_status chat_template_render(const chat_format *format, const pum_chat_message *messages, size_t n_messages, bool generate,
                                const char *bos, const char *eos, chat_pieces *out, pum_error *err);

#endif
