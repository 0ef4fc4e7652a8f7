/* pum_drivers_check: drivers that would take the program with them are left out before it loads them. */
#include "vk/drivers.h"

#include "base/cache_file.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "check/protocol.h"
#include "vk/device.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    LOOK_MS = 250,
    PATIENCE_MS = 2000, ///< with a process that was asked to end
    MOST_BYTES = 65536, ///< of what is known about drivers
    HOW_BYTES = 160,
    DAY_S = 86400
};

/* As for kernels: so much time of the processor, and where that is not used, or not told, so much time. */
static const double MOST_CPU_S = 10, MOST_S = 40;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool checked;
static pum_status outcome;
static pum_error failure;
static char *left_out; ///< "WHAT\tWHY\n" of each, or NULL

static const char DRIVER_OF[] = "the driver of ", ALL_LAYERS[] = "the set of implicit layers (vulkan/implicit_layer.d)";

/* ---- looking */

typedef enum verdict { LOADS, HARMS, NOT_SEEN } verdict;

/* Waits for the answer. hangs: whether none was waited for any longer. */
static verdict hear(child *c, bool *hangs) {
    const char *line;
    uint64_t begin = clock_now_ns();
    for (;;) {
        child_event event = child_read(c, LOOK_MS, &line);
        if (event == CHILD_GONE) return HARMS;
        if (event == CHILD_LINE && strncmp(line, "seen ", 5) == 0) return LOADS;
        double s = (double)(clock_now_ns() - begin) * 1e-9;
        *hangs = s >= MOST_S || child_cpu_s(c) >= MOST_CPU_S;
        if (*hangs) return HARMS;
    }
}

/* Whether such an end is no driver's work: the program is of another build or cannot be run, or somebody wanted it to end. */
static bool is_of_others(const char *end) {
    static const char *const ends[] = {"exit status 0", "exit status 127",   "signal 1",
                                       "signal 2",      "signal 9, SIGKILL", "signal 15, SIGTERM"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strcmp(end, ends[i]) == 0) return true;
    return false;
}

/* Loads a driver, or with "-" those that this process would load, in a process of its own. how [HOW_BYTES]: what it did. */
static verdict look(const char *program, const char *driver, bool layers, char *how) {
    char question[CHILD_LINE_BYTES], end[64];
    bool hangs = false;
    child *c;
    pum_error error;
    if ((size_t)snprintf(question, sizeof question, "look %d %s", layers, driver) >= sizeof question) return NOT_SEEN;
    if (child_start(program, &c, &error) != PUM_OK) {
        base_log(PUM_LOG_DEBUG, "drivers are loaded without a look at them first: %s", error.message);
        return NOT_SEEN;
    }
    bool asked = child_send(c, question) && child_send(c, "close");
    verdict seen = asked ? hear(c, &hangs) : HARMS;
    child_end(&c, hangs ? 0 : PATIENCE_MS, end, sizeof end);
    if (hangs)
        snprintf(how, HOW_BYTES, "the program that loads it does not go on");
    else
        snprintf(how, HOW_BYTES, "it ends the program that loads it (%s)", end);
    return seen == HARMS && !hangs && is_of_others(end) ? NOT_SEEN : seen;
}

/* ---- what is known */

static pum_status leave_out(const char *of, const char *what, const char *why, pum_error *err) {
    size_t n = left_out ? strlen(left_out) : 0, more = strlen(of) + strlen(what) + strlen(why) + 8;
    char *grown = realloc(left_out, n + more);
    if (!grown) return pum_fail_memory(err, "the list of drivers", n + more);
    left_out = grown;
    snprintf(grown + n, more, "%s%s\t%s\n", of, what, why);
    return PUM_OK;
}

static bool is_left_out(const char *of, const char *what) {
    size_t n_of = strlen(of), n = strlen(what);
    for (const char *at = left_out; at && *at; at = strchr(at, '\n') + 1)
        if (strncmp(at, of, n_of) == 0 && strncmp(at + n_of, what, n) == 0 && at[n_of + n] == '\t') return true;
    return false;
}

/* The drivers that are not left out, as the loader takes them: "" for none. To be freed; NULL without memory. */
static char *list_others(const vk_drivers *drivers) {
    size_t n_bytes = 1, n = 0;
    for (int i = 0; i < drivers->n; i++) n_bytes += strlen(drivers->manifests[i]) + 1;
    char *list = calloc(1, n_bytes);
    for (int i = 0; list && i < drivers->n; i++)
        if (!is_left_out(DRIVER_OF, drivers->manifests[i]))
            n += (size_t)snprintf(list + n, n_bytes - n, "%s%s", n ? ":" : "", drivers->manifests[i]);
    return list;
}

/* With layers every driver would look bad: they are looked at with what is left of the drivers. */
static pum_status judge_layers(const char *program, const char *drivers, pum_error *err) {
    char how[HOW_BYTES], ignored[HOW_BYTES];
    if (look(program, drivers, true, how) != HARMS) return PUM_OK;
    if (look(program, drivers, false, ignored) == LOADS) return leave_out("", ALL_LAYERS, how, err);
    return pum_fail(err, PUM_ERR_DEVICE,
                    "expected Vulkan drivers that can be loaded, got some of which each can be, but not all of them at once: %s; "
                    "update them, or name one of them in VK_DRIVER_FILES",
                    how);
}

/* Which of them it is. */
static pum_status find_culprits(const vk_drivers *drivers, const char *program, pum_error *err) {
    pum_status status = PUM_OK;
    char how[HOW_BYTES];
    if (look(program, "-", false, how) != HARMS) return judge_layers(program, "-", err);
    for (int i = 0; i < drivers->n && status == PUM_OK; i++)
        if (look(program, drivers->manifests[i], false, how) == HARMS)
            status = leave_out(DRIVER_OF, drivers->manifests[i], how, err);
    char *others = list_others(drivers);
    if (status == PUM_OK && others && others[0]) status = judge_layers(program, others, err);
    free(others);
    if (status != PUM_OK || left_out) return status;
    return pum_fail(err, PUM_ERR_DEVICE, "expected Vulkan drivers that can be loaded, got some that cannot: %s; update them",
                    how);
}

static void say_left_out(pum_log_level level) {
    for (const char *at = left_out; at && *at;) {
        size_t what = strcspn(at, "\t"), line = strcspn(at, "\n");
        base_log(level, "Vulkan: %.*s is left out: %.*s; update it or remove it", (int)what, at, (int)(line - what - 1),
                 at + what + 1);
        at += line + 1;
    }
}

/* The loader of this process gets what is not left out. */
static pum_status use_the_others(const vk_drivers *drivers, pum_error *err) {
    char *others = list_others(drivers);
    if (!others) return pum_fail_memory(err, "the list of drivers", MOST_BYTES);
    pum_status status = PUM_OK;
    const char *why = strchr(left_out, '\t') + 1;
    if (!others[0] && !drivers->unlisted)
        status =
            pum_fail(err, PUM_ERR_DEVICE,
                     "expected a Vulkan driver that can be loaded, got %s: %.*s; update it, or install a driver that runs on "
                     "the CPU (Debian: mesa-vulkan-drivers)",
                     drivers->manifests[0], (int)strcspn(why, "\n"), why);
    else if (is_left_out("", ALL_LAYERS) && !vk_drivers_without_layers())
        status = pum_fail(err, PUM_ERR_DEVICE, "VK_LOADER_LAYERS_DISABLE: expected a shorter list, to add ~implicit~ to it");
    else if (strncmp(left_out, DRIVER_OF, strlen(DRIVER_OF)) == 0 && !vk_drivers_use(others))
        status = pum_fail_memory(err, "the list of drivers", strlen(others));
    free(others);
    return status;
}

/* ---- keeping it */

/* Whether a text is such a list: a file may be anything. */
static bool is_list(const char *text) {
    for (const char *at = text; *at;) {
        size_t path = strcspn(at, "\t"), line = strcspn(at, "\n");
        if (path == 0 || path >= line || !at[line]) return false;
        at += line + 1;
    }
    return true;
}

/* A healthy set of drivers is known as long as it is the same; what is left out is looked at again after a day, since a driver
 * can be mended without its manifest. *when: they were looked at, unchanged where there is nothing to go by. Returns whether
 * there is. */
static bool recall(const char *path, const char *identity, int64_t *when) {
    void *bytes;
    size_t n_bytes;
    int n = 0;
    int64_t looked = 0, now = (int64_t)time(NULL);
    if (!cache_file_read(path, identity, MOST_BYTES, &bytes, &n_bytes)) return false;
    const char *text = bytes;
    bool good = strlen(text) == n_bytes && sscanf(text, "%" SCNd64 "\n%n", &looked, &n) == 1 && n > 0;
    bool healthy = good && text[n] == 0, fresh = looked <= now && now - looked < DAY_S;
    if (good && !healthy && fresh && is_list(text + n)) left_out = strdup(text + n);
    free(bytes);
    if (healthy || left_out) *when = looked;
    return healthy || left_out;
}

static void keep(const char *path, const char *identity, int64_t when) {
    size_t n_bytes = (left_out ? strlen(left_out) : 0) + 32;
    char *text = malloc(n_bytes);
    if (text) {
        int n = snprintf(text, n_bytes, "%" PRId64 "\n%s", when, left_out ? left_out : "");
        cache_file_write(path, identity, text, (size_t)n);
    }
    free(text);
}

/* ---- all of it */

static pum_status find_out(const vk_drivers *drivers, const char *program, pum_error *err) {
    char how[HOW_BYTES];
    if (look(program, "-", true, how) != HARMS) return PUM_OK;
    return find_culprits(drivers, program, err);
}

static pum_status check(const char *folder, pum_error *err) {
    vk_drivers drivers;
    char program[CHILD_PATH_BYTES], path[FILES_MAX_PATH] = "", identity[256];
    pum_status status = vk_drivers_find(&drivers, err);
    if (status != PUM_OK || (drivers.n == 0 && !drivers.unlisted) || !child_find(CHECK_PROGRAM, program)) goto end;
    snprintf(identity, sizeof identity, "drivers of pumice %s; %016" PRIx64, pum_version(), drivers.hash);
    if (folder && (size_t)snprintf(path, sizeof path, "%s/drivers", folder) >= sizeof path) path[0] = 0;
    int64_t when = (int64_t)time(NULL);
    bool known = path[0] && recall(path, identity, &when);
    if (!known) status = find_out(&drivers, program, err);
    if (status == PUM_OK && left_out) status = use_the_others(&drivers, err);
    if (status != PUM_OK) goto end;
    say_left_out(known ? PUM_LOG_INFO : PUM_LOG_WARNING);
    // Should they crash this process all the same, nothing is known to the next one, and it looks.
    int n;
    files_remove(path);
    if (vk_devices(NULL, 0, &n, NULL) == PUM_OK && path[0]) keep(path, identity, when);
end:
    vk_drivers_free(&drivers);
    return status;
}

pum_status pum_drivers_check(const char *cache_folder, pum_error *err) {
    pthread_mutex_lock(&lock);
    if (!checked) outcome = check(cache_folder, &failure);
    checked = true;
    pum_status status = outcome;
    pthread_mutex_unlock(&lock);
    return status == PUM_OK ? PUM_OK : pum_fail(err, status, "%s", failure.message);
}

const char *pum_drivers_left_out(void) { return left_out; }
