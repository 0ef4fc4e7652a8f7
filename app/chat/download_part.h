/* The part of a download that is there: NAME.part with its bytes, NAME.part.json with where they are from, and the SHA-256 of
 * those bytes, which goes along. One process at a time has it; it outlives kill -9 and is found at the next start. */
#ifndef CHAT_DOWNLOAD_PART_H
#define CHAT_DOWNLOAD_PART_H

#include "chat/paths.h"
#include "pumice.h"

#include <nettle/sha2.h>

enum { PART_URL_BYTES = 4096, PART_VALIDATOR_BYTES = 256, PART_SHA256_BYTES = 2 * SHA256_DIGEST_SIZE + 1 };

/// What is known of the file that is being downloaded. "" and 0: not known.
typedef struct part_origin {
    char url[PART_URL_BYTES];                 ///< the source that the bytes are from
    char etag[PART_VALIDATOR_BYTES];          ///< as the server wrote it, a strong one
    char last_modified[PART_VALIDATOR_BYTES]; ///< as the server wrote it
    char sha256[PART_SHA256_BYTES];           ///< that the source promises, in small hex digits
    uint64_t total_bytes;
} part_origin;

typedef struct part {
    char file[PATHS_MAX], path[PATHS_MAX], notes[PATHS_MAX]; ///< NAME, NAME.part, NAME.part.json
    int fd;                                                  ///< locked; -1: closed
    uint64_t n_bytes;                                        ///< that are there
    struct sha256_ctx hash;                                  ///< of the first n_hashed of them
    uint64_t n_hashed;
    part_origin origin;
} part;

/* Errors of all: PUM_ERR_IO with a sentence (a full disk, permissions, another process that has it), PUM_ERR_MEMORY. */

/// Opens the part of a file, makes it and its folder where there is none. Notes that cannot be read are as good as none.
pum_status part_open(part *p, const char *file, pum_error *err);
/// Takes up to 4 MiB that were there already into the hash; to be called until n_hashed is n_bytes.
pum_status part_hash_more(part *p, pum_error *err);
/// Adds bytes behind the others, which are all hashed.
pum_status part_append(part *p, const void *bytes, size_t n_bytes, pum_error *err);
/// Throws the bytes away, and what is known of where they are from.
pum_status part_begin_again(part *p, pum_error *err);
/// Writes down p->origin, for whoever goes on.
pum_status part_note(const part *p, pum_error *err);
/// Whether the disk has room for so many more bytes.
pum_status part_check_space(const part *p, uint64_t more_bytes, pum_error *err);
/// The SHA-256 of the bytes, in hex [PART_SHA256_BYTES]. The hash begins anew.
void part_digest(part *p, char *hex);
/// Whether it begins as a GGUF file does.
bool part_is_gguf(const part *p);
/// Gives the bytes, once they are on the disk, the name of the file. The part is closed.
pum_status part_finish(part *p, pum_error *err);
/// Closes it and removes it with its notes.
void part_remove(part *p);
void part_close(part *p);

#endif
