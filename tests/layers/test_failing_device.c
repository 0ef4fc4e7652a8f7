/* A model on a device that fails at every place where it can: of load and 20 greedy tokens of stories260K each call that may find
 * no memory finds none, the device is lost at each call that may say so, each submission hangs, each is dropped without a word.
 * The text must be right, after a recovery or after a clear error and another try with the same device, model and session, or as
 * much of them as there was; nothing may be left behind.
 *
 *   test_failing_device [--memory mapped|discrete] [--path host|device] [--kind KIND] [--step N] [--markdown]
 *
 * Without options everything, at every place; --step N looks at every N-th place. --markdown prints docs/faults.md. */
#define _DEFAULT_SOURCE // MAP_ANONYMOUS
#include "control.h"
#include "pumice.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_PROMPT = 12, N_TOKENS = 20, N_VOCAB = 512, MOST = 8192, SECONDS = 120 };

static layer_control layer;

/* ---- what is swept */

typedef struct kind {
    const char *word, *what;
    pum_status errors[3]; ///< that a failure may be reported as
} kind;
static const kind kinds[] = {
    {"host", "no host memory", {PUM_ERR_MEMORY, PUM_ERR_DEVICE_MEMORY}},
    {"device", "no device memory", {PUM_ERR_DEVICE_MEMORY}},
    {"lost", "device lost", {PUM_ERR_DEVICE_LOST}},
    {"hang", "submission that never ends", {PUM_ERR_DEVICE_LOST}},
    {"drop", "submission dropped in silence", {PUM_ERR_DEVICE_LOST}},
    {"lose", "device lost, and lost again whenever it is rebuilt", {PUM_ERR_DEVICE_LOST}},
    {"vanish", "device gone for ever", {PUM_ERR_NO_DEVICE}},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

typedef struct form {
    const char *memory, *path, *words;
    pum_decode_path decode;
} form;
static const form forms[] = {
    {"mapped", "host", "", PUM_DECODE_HOST},
    {"mapped", "device", "", PUM_DECODE_DEVICE},
    {"discrete", "host", "discrete,", PUM_DECODE_HOST},
    {"discrete", "device", "discrete,", PUM_DECODE_DEVICE},
};
enum { N_FORMS = sizeof forms / sizeof *forms };

/* ---- one run, with another try behind a failure */

typedef enum ending {
    RIGHT,     ///< nothing was noticed
    RECOVERED, ///< the device was rebuilt
    TOLD,      ///< a clear error, and right at the second try
    N_GOOD_ENDINGS,
    NOT_REACHED = N_GOOD_ENDINGS, ///< there is no n-th call
    BAD
} ending;

typedef struct outcome {
    int n;
    ending ending;
    char fired[48], text[700]; ///< text: of the error, or what is wrong
} outcome;

typedef struct run {
    const form *form;
    const kind *kind;
    outcome *o;
    pum_device *device;
    pum_file *file;
    pum_model *model;
    pum_session *session;
    pum_sampler *sampler;
    int32_t tokens[N_TOKENS];
    int n_tokens;
} run;

static char model_path[4096];
static int n_rebuilt;

static void on_log(void *user, pum_log_level level, const char *message) {
    (void)user, (void)level;
    n_rebuilt += strstr(message, "has been rebuilt") != NULL;
}

static bool on_token(void *user, int32_t token) {
    run *r = user;
    if (r->n_tokens < N_TOKENS) r->tokens[r->n_tokens++] = token;
    return true;
}

static pum_status open_device(run *r, pum_error *err) { return pum_device_open(NULL, &r->device, err); }
static pum_status open_file(run *r, pum_error *err) { return pum_file_open(model_path, &r->file, err); }
static pum_status load(run *r, pum_error *err) { return pum_model_load(r->device, r->file, NULL, &r->model, err); }
static pum_status make_session(run *r, pum_error *err) {
    return pum_session_create(r->model, &(pum_session_params){.n_ctx = 64, .n_chunk = 8}, &r->session, err);
}
static pum_status make_sampler(run *r, pum_error *err) {
    pum_sampler_params greedy = pum_sampler_defaults();
    greedy.temp = 0;
    return pum_sampler_create(&greedy, &r->sampler, err);
}
static pum_status append(run *r, pum_error *err) { // what is missing of the prompt
    int32_t prompt[N_PROMPT];
    for (int i = 0; i < N_PROMPT; i++) prompt[i] = i == 0 ? 1 : 3 + i * 97 % (N_VOCAB - 3);
    int n_past = pum_session_n_past(r->session);
    return n_past == N_PROMPT ? PUM_OK : pum_session_append(r->session, prompt + n_past, N_PROMPT - n_past, err);
}
static pum_status generate(run *r, pum_error *err) {
    if (r->n_tokens > 0) { // the last one that was handed out is not on the timeline yet
        pum_status status = pum_session_append(r->session, &r->tokens[r->n_tokens - 1], 1, err);
        if (status != PUM_OK || r->n_tokens == N_TOKENS) return status;
    }
    pum_generate_params p = {.n_tokens = N_TOKENS - r->n_tokens, .on_token = on_token, .user = r, .path = r->form->decode};
    pum_end end;
    return pum_session_generate(r->session, r->sampler, &p, &end, err);
}

static pum_status (*const stages[])(run *, pum_error *) = {open_device,  open_file, load,    make_session,
                                                           make_sampler, append,    generate};

static bool is_clear(const kind *k, const pum_error *e) {
    bool expected = false;
    for (size_t i = 0; i < sizeof k->errors / sizeof *k->errors; i++) expected = expected || e->status == k->errors[i];
    return expected && strlen(e->message) > 20 && strchr(e->message, ';') && !strchr(e->message, '\n');
}

/* Whether it came to its end, at the second try at the latest. */
static bool run_stages(run *r) {
    outcome *o = r->o;
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        pum_error error = {0}, second = {0};
        if (stages[i](r, &error) == PUM_OK) continue;
        snprintf(o->fired, sizeof o->fired, "%s", layer.fired() ? layer.fired() : "");
        o->ending = TOLD;
        snprintf(o->text, sizeof o->text, "%s: %.600s", pum_status_name(error.status), error.message);
        if (!r->kind || !is_clear(r->kind, &error)) {
            o->ending = BAD;
            snprintf(o->text, sizeof o->text, "not a clear error: %s: %.600s", pum_status_name(error.status), error.message);
            return false;
        }
        layer.begin(r->form->words);
        if (stages[i](r, &second) == PUM_OK) continue;
        o->ending = BAD;
        snprintf(o->text, sizeof o->text, "the second try fails: %.600s", second.message);
        return false;
    }
    return true;
}

static int32_t *reference; ///< [N_TOKENS] of the undisturbed run; shared with the children

/* kind: NULL, undisturbed. */
static void run_once(const form *f, const kind *k, int n, outcome *o) {
    char words[64];
    snprintf(words, sizeof words, k ? "%s%s=%d" : "%s", f->words, k ? k->word : "", n);
    *o = (outcome){.n = n};
    run r = {.form = f, .kind = k, .o = o};
    n_rebuilt = 0;
    layer.begin(words);
    bool ended = run_stages(&r);
    if (!o->fired[0]) snprintf(o->fired, sizeof o->fired, "%s", layer.fired() ? layer.fired() : "");
    pum_sampler_destroy(&r.sampler);
    pum_session_destroy(&r.session);
    pum_model_destroy(&r.model);
    pum_file_destroy(&r.file);
    pum_device_destroy(&r.device);
    layer.bury();
    if (!ended) return;
    if (o->ending == RIGHT && n_rebuilt > 0) o->ending = RECOVERED;
    if (o->ending == RIGHT && k && !layer.fired()) o->ending = NOT_REACHED;
    if (!k) memcpy(reference, r.tokens, sizeof r.tokens);
    uint64_t n_left = layer.handles();
    if (r.n_tokens != N_TOKENS || memcmp(r.tokens, reference, sizeof r.tokens) != 0) {
        o->ending = BAD;
        snprintf(o->text, sizeof o->text, "wrong text: %d tokens", r.n_tokens);
    } else if (n_left > 0) {
        o->ending = BAD;
        snprintf(o->text, sizeof o->text, "%llu handles are left", (unsigned long long)n_left);
    }
}

/* ---- a sweep: in a child, so that a crash is an outcome and leaks are looked for at its end */

enum { MAX_JOBS = 8 };

/* Where children write what they found; shared with them. */
typedef struct board {
    int at[MAX_JOBS]; ///< the place that each is at
    bool ended[MAX_JOBS];
    outcome all[MOST + 1];
} board;
static board *found;

static void sweep_in_child(const form *f, const kind *k, int job, int first, int stride) {
    for (int n = first; n <= MOST; n += stride) {
        alarm(SECONDS);
        found->at[job] = n;
        run_once(f, k, n, &found->all[n]);
        if (found->all[n].ending == NOT_REACHED) break;
    }
    found->ended[job] = true;
}

static pid_t start(const form *f, const kind *k, int job, int first, int stride) {
    fflush(stdout);
    found->at[job] = first;
    found->ended[job] = false;
    pid_t child = fork();
    if (child != 0) return child;
    sweep_in_child(f, k, job, first, stride);
    exit(0); // with the leak checker's own verdict, where there is one
}

static bool ended_well(pid_t child, int job, outcome *crash) {
    int status;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    *crash = (outcome){.n = found->at[job], .ending = BAD};
    if (WIFSIGNALED(status))
        snprintf(crash->text, sizeof crash->text, WTERMSIG(status) == SIGALRM ? "it hung" : "ended by signal %d",
                 WTERMSIG(status));
    else
        snprintf(crash->text, sizeof crash->text, "exit status %d behind the last place: something leaked", WEXITSTATUS(status));
    return false;
}

typedef struct tally {
    int n, endings[N_GOOD_ENDINGS], n_bad;
} tally;

static void complain(const form *f, const kind *k, const outcome *o) {
    printf("FAILED memory %s, path %s, %s=%d (%s): %s\n", f->memory, f->path, k->word, o->n, o->fired, o->text);
}

static tally sweep(const form *f, const kind *k, int step, bool verbose) {
    tally t = {0};
    long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
    int n_jobs = n_cores < 1 ? 1 : n_cores > MAX_JOBS ? MAX_JOBS : (int)n_cores, stride = n_jobs * step;
    pid_t children[MAX_JOBS];
    memset(found, 0, sizeof *found);
    for (int job = 0; job < n_jobs; job++) children[job] = start(f, k, job, 1 + job * step, stride);
    for (int job = 0; job < n_jobs; job++) {
        outcome crash;
        while (!ended_well(children[job], job, &crash)) {
            if (found->ended[job]) { // only the end of it was bad
                complain(f, k, &crash);
                t.n_bad++;
                break;
            }
            found->all[crash.n] = crash;
            children[job] = start(f, k, job, crash.n + stride, stride);
        }
    }
    for (int n = 1; n <= MOST; n += step) {
        const outcome *o = &found->all[n];
        if (o->n == 0 || o->ending == NOT_REACHED) continue;
        t.n++;
        if (o->ending < N_GOOD_ENDINGS) t.endings[o->ending]++;
        if (o->ending == BAD && t.n_bad++ < 20) complain(f, k, o);
        if (verbose) printf("    %s=%d (%s): %d %s\n", k->word, o->n, o->fired, (int)o->ending, o->text);
    }
    return t;
}

/* ---- the program */

typedef struct options {
    const char *memory, *path, *kind;
    int step;
    bool markdown, verbose;
} options;

static bool parse(int argc, char **argv, options *o) {
    *o = (options){.step = 1};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--markdown") == 0)
            o->markdown = true;
        else if (strcmp(argv[i], "--verbose") == 0)
            o->verbose = true;
        else if (!value)
            return false;
        else if (strcmp(argv[i], "--memory") == 0)
            o->memory = argv[++i];
        else if (strcmp(argv[i], "--path") == 0)
            o->path = argv[++i];
        else if (strcmp(argv[i], "--kind") == 0)
            o->kind = argv[++i];
        else if (strcmp(argv[i], "--step") == 0)
            o->step = atoi(argv[++i]);
        else
            return false;
    }
    return o->step > 0;
}

static bool wanted(const char *option, const char *name) { return !option || strcmp(option, name) == 0; }

static void *share(size_t n_bytes) {
    void *p = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* What uses a device is in a child: a failing Vulkan must not have been loaded here before it fails, and a driver that was has
 * left its threads behind in the children of later. Returns what it does. */
static int in_child(int (*what)(void)) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int status = what();
        fflush(stdout);
        _exit(status);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int undisturbed(void) {
    outcome o;
    n_rebuilt = 0;
    run_once(&forms[0], NULL, 0, &o);
    if (o.ending != BAD) return 0;
    printf("%s\n", o.text);
    return strstr(o.text, "PUM_ERR_NO_") || strstr(o.text, "PUM_ERR_IO") ? 77 : 1;
}

static int print_head(void) {
    pum_device *device = NULL;
    pum_device_info info = {.name = "no device"};
    layer.begin("");
    if (pum_device_open(NULL, &device, NULL) == PUM_OK) pum_device_get_info(device, &info);
    pum_device_destroy(&device);
    printf(
        "# Faults\n\n"
        "`build/dev/bin/tests/test_failing_device --markdown >docs/faults.md` made this page: %s, %s; pumice %s.\n\n"
        "A device that is lost, hangs or drops work is rebuilt (runtime/recovery.c): the weights are loaded again, the "
        "session's\n"
        "tokens replayed, and the call that met it goes on. Three times in a row without a new token are an error, after which "
        "the\n"
        "same device, model and session can be used again. Want of memory is an error at once, and leaves them as they were.\n\n"
        "The test layer (tests/layers) fails a model at every place where it can fail: it counts each call of load and %d "
        "greedy\n"
        "tokens of stories260K that may fail by the specification, and runs once for each of them. *Right* is the text of an\n"
        "undisturbed run. Behind a clear error the same step is tried again in the same process, with the device, the model and "
        "the\n"
        "session that are there, and must come to the right text. Bad is everything else: a crash, a hang, a leak (of memory "
        "under\n"
        "the sanitizers; of Vulkan handles, which the layer counts), a wrong token, a failure without a sentence. Kernels are "
        "made\n"
        "on threads, so that the number of places differs by a few from run to run. Each fault that goes unnoticed is a call "
        "that\n"
        "may fail without a loss, such as one that keeps the pipeline cache, or one whose kernel is asked for again.\n\n",
        info.name, info.driver_version, pum_version(), N_TOKENS);
    return 0;
}

/* Whether all is well. */
static bool run_all(const options *o) {
    tally all = {0};
    if (o->markdown) in_child(print_head);
    printf("| memory | tokens chosen | fault | places | right, unnoticed | right, rebuilt | clear error, then right | bad |\n");
    printf("|---|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < N_FORMS; i++)
        for (int j = 0; j < N_KINDS; j++) {
            const form *f = &forms[i];
            if (!wanted(o->memory, f->memory) || !wanted(o->path, f->path) || !wanted(o->kind, kinds[j].word)) continue;
            tally t = sweep(f, &kinds[j], o->step, o->verbose);
            printf("| %s | on the %s | %s | %d | %d | %d | %d | %d |\n", f->memory, f->path, kinds[j].what, t.n, t.endings[RIGHT],
                   t.endings[RECOVERED], t.endings[TOLD], t.n_bad);
            fflush(stdout);
            all.n += t.n;
            all.n_bad += t.n_bad + (t.n == 0);
        }
    printf("\n%d places%s, %d bad.\n", all.n, o->step > 1 ? " of many" : "", all.n_bad);
    return all.n_bad == 0 && all.n > 0;
}

int main(int argc, char **argv) {
    options o;
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: test_failing_device [--memory mapped|discrete] [--path host|device] [--kind KIND] [--step N] "
                        "[--markdown] [--verbose]\n");
        return 2;
    }
    const char *data = getenv("PUMICE_TEST_DATA");
    snprintf(model_path, sizeof model_path, "%s/models/stories260K/stories260K-f32.gguf", data ? data : ".");
    pum_set_log(on_log, NULL);
    if (!layer_control_open(&layer)) return 1;
    reference = share(N_TOKENS * sizeof *reference);
    found = share(sizeof *found);
    if (!reference || !found) return 1;
    int status = in_child(undisturbed);
    if (status != 0) {
        if (status == 77) printf("skipped: there is no device or no model\n");
        return status;
    }
    return run_all(&o) ? 0 : 1;
}
