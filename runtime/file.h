/* What the other files of the library see of an opened model file. */
#ifndef RUNTIME_FILE_H
#define RUNTIME_FILE_H

#include "gguf/gguf.h"

/// The GGUF behind a file; belongs to it.
const gguf *file_gguf(const pum_file *file);
/// Another owner of it: it is closed when each has called pum_file_destroy. Any thread.
pum_file *file_share(const pum_file *file);

#endif
