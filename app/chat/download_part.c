#include "chat/download_part.h"

#include "chat/fail.h"
#include "chat/small_files.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#ifndef NETTLE_VERSION_MAJOR // on Android, where the sources have no version.h
#include <nettle/version.h>
#endif

enum { HASH_STEP_BYTES = 4 << 20, BUFFER_BYTES = 64 << 10, SPARE_BYTES = 16 << 20 };

static pum_status fail_part(const part *p, const char *doing, pum_error *err) {
    int why = errno;
    if (why == ENOSPC || why == EDQUOT)
        return fail_with(err, PUM_ERR_IO, "the disk is full after %llu MB of %s: make room, and go on",
                         (unsigned long long)(p->n_bytes / 1000000), p->file);
    if (why == EWOULDBLOCK)
        return fail_with(err, PUM_ERR_IO, "%s is being downloaded already, perhaps by another Pumice: wait for that, or end it",
                         p->file);
    return fail_with(err, PUM_ERR_IO, "%s could not be %s: %s; look at its permissions and at the disk", p->path, doing,
                     strerror(why));
}

/* ---- notes */

static void take_text(const json_t *object, const char *key, char *text, size_t n_bytes) {
    const char *value = json_string_value(json_object_get(object, key));
    if (value && strlen(value) < n_bytes) strcpy(text, value);
}

static void read_notes(part *p) {
    char *bytes;
    size_t n_bytes;
    p->origin = (part_origin){0};
    if (small_file_read(p->notes, &bytes, &n_bytes, NULL) != PUM_OK || !bytes) return;
    json_t *root = json_loadb(bytes, n_bytes, 0, NULL);
    free(bytes);
    take_text(root, "url", p->origin.url, sizeof p->origin.url);
    take_text(root, "etag", p->origin.etag, sizeof p->origin.etag);
    take_text(root, "last_modified", p->origin.last_modified, sizeof p->origin.last_modified);
    take_text(root, "sha256", p->origin.sha256, sizeof p->origin.sha256);
    json_int_t total = json_integer_value(json_object_get(root, "bytes"));
    p->origin.total_bytes = total > 0 ? (uint64_t)total : 0;
    json_decref(root);
}

pum_status part_note(const part *p, pum_error *err) {
    const part_origin *o = &p->origin;
    // What is no text, of a server that sends such a thing, is left out.
    json_t *root = json_pack("{s:s*, s:s*, s:s*, s:s*, s:I}", "url", o->url, "etag", o->etag, "last_modified", o->last_modified,
                             "sha256", o->sha256, "bytes", (json_int_t)o->total_bytes);
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    json_decref(root);
    if (!text) return fail_memory(err);
    pum_status status = small_file_write(p->notes, text, strlen(text), err);
    free(text);
    return status;
}

/* ---- bytes */

pum_status part_open(part *p, const char *file, pum_error *err) {
    *p = (part){.fd = -1};
    int n = snprintf(p->notes, sizeof p->notes, "%s.part.json", file);
    if (n < 0 || (size_t)n >= sizeof p->notes) return fail_with(err, PUM_ERR_ARGUMENT, "the path is too long: %.60s…", file);
    snprintf(p->file, sizeof p->file, "%s", file);
    snprintf(p->path, sizeof p->path, "%.*s", n - (int)strlen(".json"), p->notes);
    if (!small_file_make_folder_of(file) || (p->fd = small_file_open_locked(p->path, O_CREAT)) < 0)
        return fail_part(p, "opened", err);
    struct stat s;
    if (fstat(p->fd, &s) != 0 || !S_ISREG(s.st_mode)) {
        part_close(p);
        return fail_with(err, PUM_ERR_IO, "%s: expected a file, got something else: move it away", p->path);
    }
    p->n_bytes = (uint64_t)s.st_size;
    sha256_init(&p->hash);
    read_notes(p);
    return PUM_OK;
}

pum_status part_hash_more(part *p, pum_error *err) {
    uint8_t *buffer = malloc(BUFFER_BYTES);
    if (!buffer) return fail_memory(err);
    pum_status status = PUM_OK;
    for (size_t done = 0; done < HASH_STEP_BYTES && p->n_hashed < p->n_bytes;) {
        uint64_t left = p->n_bytes - p->n_hashed;
        ssize_t n = pread(p->fd, buffer, left < BUFFER_BYTES ? (size_t)left : BUFFER_BYTES, (off_t)p->n_hashed);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            status = fail_part(p, "read", err);
            break;
        }
        if (n == 0) p->n_bytes = p->n_hashed; // somebody cut it
        sha256_update(&p->hash, (size_t)n, buffer);
        p->n_hashed += (uint64_t)n;
        done += (size_t)n;
    }
    free(buffer);
    return status;
}

pum_status part_append(part *p, const void *bytes, size_t n_bytes, pum_error *err) {
    const uint8_t *at = bytes;
    while (n_bytes) {
        ssize_t n = pwrite(p->fd, at, n_bytes, (off_t)p->n_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_part(p, "written", err);
        sha256_update(&p->hash, (size_t)n, at);
        p->n_bytes += (uint64_t)n;
        p->n_hashed = p->n_bytes;
        at += n;
        n_bytes -= (size_t)n;
    }
    return PUM_OK;
}

pum_status part_begin_again(part *p, pum_error *err) {
    p->origin = (part_origin){0};
    unlink(p->notes);
    if (ftruncate(p->fd, 0) != 0) return fail_part(p, "emptied", err);
    p->n_bytes = p->n_hashed = 0;
    sha256_init(&p->hash);
    return PUM_OK;
}

pum_status part_check_space(const part *p, uint64_t more_bytes, pum_error *err) {
    struct statvfs s;
    if (fstatvfs(p->fd, &s) != 0 || s.f_blocks == 0) return PUM_OK; // it does not tell; the writing will
    uint64_t free_bytes = (uint64_t)s.f_bavail * s.f_frsize;
    if (more_bytes == 0 || (free_bytes >= SPARE_BYTES && free_bytes - SPARE_BYTES >= more_bytes)) return PUM_OK;
    return fail_with(err, PUM_ERR_IO,
                     "%s: expected %.1f MB of free space on the disk for the rest of the model, got %.1f MB: make room", p->file,
                     ((double)more_bytes + SPARE_BYTES) / 1e6, (double)free_bytes / 1e6);
}

void part_digest(part *p, char *hex) {
    uint8_t digest[SHA256_DIGEST_SIZE];
#if NETTLE_VERSION_MAJOR >= 4
    sha256_digest(&p->hash, digest);
#else
    sha256_digest(&p->hash, sizeof digest, digest);
#endif
    for (size_t i = 0; i < sizeof digest; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

bool part_is_gguf(const part *p) {
    char magic[4];
    return pread(p->fd, magic, sizeof magic, 0) == sizeof magic && memcmp(magic, "GGUF", sizeof magic) == 0;
}

/* ---- its end */

pum_status part_finish(part *p, pum_error *err) {
    if (fsync(p->fd) != 0) return fail_part(p, "written", err);
    if (rename(p->path, p->file) != 0) return fail_part(p, "renamed", err);
    unlink(p->notes);
    small_file_sync_folder_of(p->file);
    part_close(p);
    return PUM_OK;
}

void part_remove(part *p) {
    if (p->fd < 0) return;
    unlink(p->notes);
    unlink(p->path);
    part_close(p);
}

void part_close(part *p) {
    if (p->fd >= 0) close(p->fd);
    p->fd = -1;
}
