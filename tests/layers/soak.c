/* A session as people use it, for a long time: models are loaded and unloaded, text is read, generated, stopped, rewound and read
 * again, the device is lost now and then, all in an order that the seed gives. Memory of the process and of the device, open
 * files and Vulkan handles must stay as they are, and a known prompt must go on with the same tokens, whatever was before.
 *
 *     soak SECONDS [SEED]
 *
 * It goes on behind its time until enough models were loaded to judge by. A line is printed each half minute, and whenever something has gone wrong. */
#define _DEFAULT_SOURCE // usleep
#include "base/clock.h"
#include "base/random.h"
#include "control.h"
#include "pumice.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_CTX = 256, N_KNOWN = 24, N_VOCAB = 512, REPORT_SECONDS = 30, MAX_SAMPLES = 100000 };
/* Allocators, the driver's threads and its compiler have what they keep for good behind some ten loads: memory is compared beyond them. */
enum { LEAST_SAMPLES = 48 };
/* What an allocator that hands pieces round may keep beyond what it did in the first third. */
static const double MOST_GROWTH_MB = 12;

typedef struct soak {
    layer_control layer;
    uint64_t seed, n_drawn;
    char path[4096];
    pum_device *device;
    pum_file *file;
    pum_model *model;
    pum_session *session;
    pum_sampler *sampler;
    int32_t known[N_KNOWN]; ///< how the known prompt goes on
    bool has_known;
    uint64_t device_bytes; ///< of a model with its session
    int n_fds;
    double rss_mb[MAX_SAMPLES]; ///< behind each unloading
    int n_samples;
    uint64_t n_loads, n_appends, n_generations, n_stops, n_rewinds, n_lost;
    int n_failed;
} soak;

static uint32_t draw(soak *s, uint32_t below) { return (uint32_t)(random_uniform(s->seed, s->n_drawn++) * (float)below); }

static bool fail(soak *s, const char *what, const char *detail) {
    printf("FAILED seed %llu, draw %llu: %s: %s\n", (unsigned long long)s->seed, (unsigned long long)s->n_drawn, what, detail);
    s->n_failed++;
    return false;
}

static bool must(soak *s, const char *what, pum_status status, const pum_error *error) {
    return status == PUM_OK || fail(s, what, error->message);
}

/* ---- what must stay flat */

static double read_rss_mb(void) {
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) return 0;
    if (fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static int count_fds(void) {
    int n = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder)) n++;
    if (folder) closedir(folder);
    return n;
}

static double median(const double *values, int n) {
    double sorted[512];
    int step = n / 512 + 1, m = 0;
    for (int i = 0; i < n && m < 512; i += step) {
        int k = m++;
        for (; k > 0 && sorted[k - 1] > values[i]; k--) sorted[k] = sorted[k - 1];
        sorted[k] = values[i];
    }
    return m ? sorted[m / 2] : 0;
}

static void check_unloaded(soak *s) {
    char text[128];
    uint64_t n_handles = s->layer.handles();
    if (n_handles > 0) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)n_handles);
        fail(s, "Vulkan handles are left", text);
    }
    int n_fds = count_fds();
    if (s->n_fds == 0) s->n_fds = n_fds;
    if (n_fds != s->n_fds) {
        snprintf(text, sizeof text, "%d, first %d", n_fds, s->n_fds);
        fail(s, "open files", text);
    }
    if (s->n_samples < MAX_SAMPLES) s->rss_mb[s->n_samples++] = read_rss_mb();
}

/* ---- the steps; each returns false where nothing further can be done with what is loaded */

static void unload(soak *s) {
    pum_sampler_destroy(&s->sampler);
    pum_session_destroy(&s->session);
    pum_model_destroy(&s->model);
    pum_file_destroy(&s->file);
    pum_device_destroy(&s->device);
    check_unloaded(s);
}

static bool load(soak *s) {
    pum_error e;
    pum_sampler_params greedy = pum_sampler_defaults();
    greedy.temp = 0;
    s->n_loads++;
    bool ok = must(s, "opening", pum_device_open(NULL, &s->device, &e), &e) &&
              must(s, "file", pum_file_open(s->path, &s->file, &e), &e) &&
              must(s, "loading", pum_model_load(s->device, s->file, NULL, &s->model, &e), &e) &&
              must(s, "session",
                   pum_session_create(s->model, &(pum_session_params){.n_ctx = N_CTX, .n_chunk = 32}, &s->session, &e), &e) &&
              must(s, "sampler", pum_sampler_create(&greedy, &s->sampler, &e), &e);
    if (!ok) return false;
    pum_stats stats;
    pum_session_get_stats(s->session, &stats);
    if (s->device_bytes == 0) s->device_bytes = stats.device_bytes;
    if (stats.device_bytes != s->device_bytes) return fail(s, "device memory", "another amount than at the first loading");
    return true;
}

static void make_text(soak *s, int32_t *tokens, int n) {
    for (int i = 0; i < n; i++) tokens[i] = 3 + (int32_t)draw(s, N_VOCAB - 3);
}

static bool append(soak *s) {
    int32_t tokens[N_CTX];
    pum_error e;
    int room = N_CTX - pum_session_n_past(s->session), n = 1 + (int)draw(s, 80);
    if (room < n) return must(s, "rewinding", pum_session_rewind(s->session, 0, &e), &e);
    make_text(s, tokens, n);
    s->n_appends++;
    return must(s, "appending", pum_session_append(s->session, tokens, n, &e), &e);
}

static pum_status generate_some(soak *s, int n, int32_t *out, pum_error *e);

typedef struct stopper {
    pum_session *session;
    useconds_t after_us;
} stopper;

static void *stop_later(void *argument) {
    stopper *p = argument;
    usleep(p->after_us);
    pum_session_abort(p->session);
    return NULL;
}

static bool generate(soak *s) {
    pum_error e;
    int32_t out[N_CTX];
    if (!pum_session_logits(s->session)) return append(s);
    s->n_generations++;
    return must(s, "generating", generate_some(s, 1 + (int)draw(s, 40), out, &e), &e);
}

/* Stop at any moment of reading and generating. */
static bool stop(soak *s) {
    int32_t tokens[N_CTX];
    pum_error e;
    int n = 100, n_past = pum_session_n_past(s->session);
    if (n_past + n > N_CTX && !must(s, "rewinding", pum_session_rewind(s->session, 0, &e), &e)) return false;
    make_text(s, tokens, n);
    stopper p = {s->session, draw(s, 30000)};
    pthread_t thread;
    if (pthread_create(&thread, NULL, stop_later, &p) != 0) return fail(s, "a thread", "cannot be made");
    pum_status status = pum_session_append(s->session, tokens, n, &e);
    if (status == PUM_OK) status = generate_some(s, 60, tokens, &e);
    pthread_join(thread, NULL);
    pum_session_clear_abort(s->session);
    s->n_stops += status == PUM_ERR_ABORTED;
    return status == PUM_ERR_ABORTED || must(s, "stopping", status, &e);
}

static bool rewind_some(soak *s) {
    pum_error e;
    s->n_rewinds++;
    int n_past = pum_session_n_past(s->session);
    return must(s, "rewinding", pum_session_rewind(s->session, (int)draw(s, (uint32_t)n_past + 1), &e), &e);
}

typedef struct listening {
    int32_t *out;
    int n;
} listening;
static bool on_token(void *user, int32_t token) {
    listening *l = user;
    l->out[l->n++] = token;
    return true;
}

static pum_status generate_some(soak *s, int n, int32_t *out, pum_error *e) {
    listening l = {out, 0};
    pum_end end;
    pum_generate_params p = {
        .n_tokens = n, .on_token = on_token, .user = &l, .path = draw(s, 2) ? PUM_DECODE_HOST : PUM_DECODE_DEVICE};
    return pum_session_generate(s->session, s->sampler, &p, &end, e);
}

/* The text that must always be the same. */
static bool know(soak *s) {
    pum_error e;
    int32_t prompt[20], out[N_CTX];
    for (int i = 0; i < 20; i++) prompt[i] = i == 0 ? 1 : 3 + i * 97 % (N_VOCAB - 3);
    if (!must(s, "rewinding", pum_session_rewind(s->session, 0, &e), &e) ||
        !must(s, "appending", pum_session_append(s->session, prompt, 20, &e), &e) ||
        !must(s, "generating", generate_some(s, N_KNOWN, out, &e), &e))
        return false;
    if (!s->has_known) memcpy(s->known, out, sizeof s->known);
    s->has_known = true;
    return memcmp(s->known, out, sizeof s->known) == 0 || fail(s, "the known prompt", "went on with other tokens");
}

static bool lose(soak *s) {
    char words[32];
    snprintf(words, sizeof words, draw(s, 2) ? "lost=%u" : "drop=%u", 1 + draw(s, 12));
    s->layer.begin(words);
    bool ok = know(s);
    s->n_lost += s->layer.fired() != NULL;
    s->layer.begin("");
    return ok;
}

/* Each as often as it stands here. */
static bool (*const steps[])(soak *) = {append, append, append,      generate,    generate, generate,
                                        stop,   stop,   rewind_some, rewind_some, know,     lose};

static void report(const soak *s, double seconds) {
    printf("%.0f s: %llu loaded, %llu read, %llu generated, %llu stopped, %llu rewound, %llu lost; %.1f MB resident, %.1f MB on "
           "the device, %d "
           "files, %llu handles, %d failed\n",
           seconds, (unsigned long long)s->n_loads, (unsigned long long)s->n_appends, (unsigned long long)s->n_generations,
           (unsigned long long)s->n_stops, (unsigned long long)s->n_rewinds, (unsigned long long)s->n_lost, read_rss_mb(),
           (double)s->device_bytes / 1e6, count_fds(), (unsigned long long)s->layer.handles(), s->n_failed);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc < 2 || atof(argv[1]) <= 0) {
        fprintf(stderr, "usage: soak SECONDS [SEED]\n");
        return 2;
    }
    static soak s;
    s.seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    const char *data = getenv("PUMICE_TEST_DATA");
    snprintf(s.path, sizeof s.path, "%s/models/stories260K/stories260K-f32.gguf", data ? data : ".");
    if (!layer_control_open(&s.layer)) return 1;
    s.layer.begin("");
    pum_error e;
    if (pum_device_open(NULL, &s.device, &e) != PUM_OK || pum_file_open(s.path, &s.file, &e) != PUM_OK) {
        printf("skipped: %s\n", e.message);
        return 77;
    }
    unload(&s);
    double end = (double)clock_now_ns() / 1e9 + atof(argv[1]), begin = (double)clock_now_ns() / 1e9, next = begin;
    for (double now; ((now = (double)clock_now_ns() / 1e9) < end || s.n_samples < LEAST_SAMPLES) && s.n_failed < 20;) {
        if (now >= next) {
            report(&s, now - begin);
            next = now + REPORT_SECONDS;
        }
        bool ok = load(&s) && know(&s);
        for (uint32_t n = draw(&s, 40); ok && n > 0; n--) ok = steps[draw(&s, sizeof steps / sizeof *steps)](&s);
        unload(&s);
    }
    report(&s, (double)clock_now_ns() / 1e9 - begin);
    int third = s.n_samples / 3;
    double early = median(s.rss_mb + third / 2, third - third / 2), late = median(s.rss_mb + 2 * third, s.n_samples - 2 * third);
    printf("resident behind an unloading: %.1f MB in the first third, %.1f MB in the last\n", early, late);
    if (late > early + MOST_GROWTH_MB) fail(&s, "resident memory", "it grows");
    printf("%s\n", s.n_failed == 0 ? "flat" : "FAILED");
    return s.n_failed != 0;
}
