/* What the other files of the library see of an opened model file. */
#ifndef RUNTIME_FILE_H
#define RUNTIME_FILE_H

#include "gguf/gguf.h"

/// The GGUF behind a file; belongs to it.
const gguf *file_gguf(const pum_file *file);

#endif
