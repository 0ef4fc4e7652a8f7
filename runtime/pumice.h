/* Pumice: LLaMA-family language models on any GPU that has a Vulkan driver.
 * SPDX-License-Identifier: MIT
 *
 * The one public header of libpumice. The usual way of a program through it:
 *
 *     pum_device_open → pum_model_load → pum_session_create
 *     → pum_session_append (prompt) → { pum_session_sample → pum_stream_push → pum_session_append } …
 *
 * Conventions
 *   - Functions that can fail return a pum_status and take a pum_error * last; pass NULL if the sentence is not wanted.
 *     On failure every out-parameter is set to NULL or left as it was, and nothing that was passed in is lost.
 *   - Every *_destroy takes the address of the handle, accepts NULL and pointers to NULL, and nulls the handle.
 *   - Text is UTF-8; paths are as the C library takes them, under Windows UTF-8 too. Sizes end in _bytes, times in _ms or _us.
 *   - The library never prints, never exits, and never asserts on input. Notices go to the log callback.
 *   - A handle may be used by one thread at a time; what may be shared is said at the handle.
 */
#ifndef PUMICE_H
#define PUMICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(PUMICE_BUILDING) // the library itself
#define PUM_API __declspec(dllexport)
#elif defined(_WIN32)
#define PUM_API
#elif defined(__GNUC__)
#define PUM_API __attribute__((visibility("default")))
#else
#define PUM_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ errors, log, version */

typedef enum pum_status {
    PUM_OK = 0,
    PUM_ERR_ARGUMENT = -1,       ///< the caller passed something that cannot be meant
    PUM_ERR_MEMORY = -2,         ///< host memory ran out
    PUM_ERR_IO = -3,             ///< a file could not be opened, read or mapped
    PUM_ERR_FORMAT = -4,         ///< a file is not what it claims to be
    PUM_ERR_UNSUPPORTED = -5,    ///< well-formed, but not something this version or this device can do
    PUM_ERR_NO_VULKAN = -6,      ///< no Vulkan loader on this machine
    PUM_ERR_NO_DEVICE = -7,      ///< no Vulkan device, or none that matches
    PUM_ERR_DEVICE = -8,         ///< a Vulkan call failed or the driver did not do its work
    PUM_ERR_DEVICE_LOST = -9,    ///< the device was reset, hangs or drops work, and rebuilding it did not help
    PUM_ERR_DEVICE_MEMORY = -10, ///< the device has not enough memory; the message has the numbers
    PUM_ERR_CONTEXT_FULL = -11,  ///< the session has no room for these tokens
    PUM_ERR_ABORTED = -12,       ///< pum_session_abort or a progress callback asked to stop
} pum_status;

/// What went wrong, as one sentence without a newline: what, expected, got, what to do. Owned by the caller.
typedef struct pum_error {
    pum_status status;
    char message[1024];
} pum_error;

/// The name of a status, e.g. "PUM_ERR_IO"; never NULL. Any thread.
PUM_API const char *pum_status_name(pum_status status);

/// "X.Y.Z (COMMIT)"; static storage. Any thread.
PUM_API const char *pum_version(void);

typedef enum pum_log_level { PUM_LOG_DEBUG, PUM_LOG_INFO, PUM_LOG_WARNING } pum_log_level;

/// Receives one line without a newline; called from any thread that uses the library, one call at a time.
typedef void (*pum_log_fn)(void *user, pum_log_level level, const char *message);

/// Sets the receiver of the library's notices for the whole process; NULL (the start) drops them. Any thread.
PUM_API void pum_set_log(pum_log_fn fn, void *user);

/// Reports progress of a long call. `done` of `total` units; return false to stop it (PUM_ERR_ABORTED).
typedef bool (*pum_progress_fn)(void *user, uint64_t done, uint64_t total);

/// Frees memory that the library handed out, where a function says so. NULL is fine.
PUM_API void pum_free(void *memory);

/* ------------------------------------------------------------------ devices */

/// A device with its queue, pipelines and memory. May be shared by models and sessions of several threads.
///
/// A device that is lost is rebuilt by the call that meets it, or else by the next one: it was reset by the driver, a submission
/// did not end within a minute (ten on a CPU driver), or work was dropped in silence. The GPU is opened again, weights are loaded
/// again from the file, sessions compute their timelines again when they are next used. The call goes on where it was and returns
/// PUM_OK; the log gets one PUM_LOG_WARNING that the device "was lost and has been rebuilt", and pum_stats counts it. All other
/// calls on the device, of any thread, meet the loss too and go on likewise. Nothing but time is lost: pointers to logits and
/// tokens stay as they are. Three rebuilds in a row that got nothing done are PUM_ERR_DEVICE_LOST; a device that cannot be opened
/// again is PUM_ERR_NO_DEVICE. Device, models and sessions stay valid behind both, and the next call tries again. Only from
/// within one of its callbacks a device cannot be rebuilt: a call there fails with PUM_ERR_DEVICE_LOST. Where memory runs out
/// (PUM_ERR_MEMORY, PUM_ERR_DEVICE_MEMORY) nothing is rebuilt: the call fails, and what there was is as it was.
typedef struct pum_device pum_device;

typedef enum pum_device_type {
    PUM_DEVICE_OTHER,
    PUM_DEVICE_INTEGRATED,
    PUM_DEVICE_DISCRETE,
    PUM_DEVICE_VIRTUAL,
    PUM_DEVICE_CPU, ///< a driver that runs on the CPU, e.g. lavapipe
} pum_device_type;

typedef struct pum_device_info {
    int index; ///< as `--device N` takes it
    pum_device_type type;
    char name[256];
    char vendor[32];          ///< "AMD", "NVIDIA", "Intel", … or the id in hex
    char driver[256];         ///< e.g. "llvmpipe"
    char driver_version[256]; ///< as the driver words it, e.g. "Mesa 22.3.6 (LLVM 15.0.6)"
    uint32_t api_version;     ///< Vulkan's packed form
    uint8_t uuid[16];
    uint64_t memory_bytes;    ///< size of the heap that weights go to
    uint64_t available_bytes; ///< what is free of it now, as far as the driver says
    bool used;                ///< whether the default choice is this one
    char reason[256];         ///< why it is used, or why not, in words
    uint32_t subgroup_size;
    bool fp16;     ///< 16-bit float arithmetic
    bool int8_dot; ///< accelerated 4x8-bit integer dot product
    bool coopmat;  ///< VK_KHR_cooperative_matrix
} pum_device_info;

/// Leaves out the Vulkan drivers that would end or hang this program as soon as it loads them: a process of its own loads them
/// first. Layers that do so and are loaded into every program are left out too. To be called once, before all else that has to do
/// with devices, while no other thread uses environment variables: where a driver is left out, VK_DRIVER_FILES and
/// VK_ICD_FILENAMES are set to the others, VK_LOADER_LAYERS_DISABLE for layers. Later calls return what the first one did. Under
/// Windows only layers can be left out; on Android nothing is looked at.
/// cache_folder  where it is kept what is known about these drivers, so that they are not loaded twice the next time; or NULL
/// Errors: PUM_ERR_DEVICE where no driver is left; PUM_ERR_MEMORY. Everything else may be tried all the same.
PUM_API pum_status pum_drivers_check(const char *cache_folder, pum_error *err);
/// What it has left out: a line for each, what ("the driver of FILE") and why, with a tab between; NULL: nothing. The library's.
PUM_API const char *pum_drivers_left_out(void);

/// Lists the Vulkan devices of this machine, usable or not, in the order of their index.
/// infos    [capacity]; may be NULL when capacity is 0. *n_devices is how many there are, even if more than capacity.
/// Errors: PUM_ERR_NO_VULKAN. No devices is PUM_OK with 0. Any thread.
PUM_API pum_status pum_devices(pum_device_info *infos, int capacity, int *n_devices, pum_error *err);

/// Opens a device.
/// which    an index ("0"), a part of the name (any case), or NULL: the fastest that is not a CPU driver, else the CPU driver.
/// Errors: PUM_ERR_NO_VULKAN, PUM_ERR_NO_DEVICE (the message lists what there is), PUM_ERR_DEVICE. All drivers that are installed
/// are loaded into this process: see pum_drivers_check.
PUM_API pum_status pum_device_open(const char *which, pum_device **device, pum_error *err);

/// Where a library cannot start programs (Android): a process of the host program's in which kernels are checked, so that a crash
/// or a hang does no harm. Any thread, one call at a time.
typedef struct pum_check_service {
    int (*start)(void *user); ///< starts a process that calls pum_check_serve on one end of a stream socket; returns the other
                              ///< end, which is the library's from then on, or -1. May be called again after stop
    void (*stop)(void *user); ///< ends that process, whatever it is doing
    void *user;
} pum_check_service;
enum { PUM_MAX_DEVICES = 8 };

typedef struct pum_device_params {
    const char *which;   ///< as pum_device_open
    const char *devices; ///< several to be used together, at most PUM_MAX_DEVICES, joined by commas: each as `which`, without a
                         ///< comma in it ("0,1"). The layers of a model are divided among them; NULL: `which` alone
    const char *cache_folder; ///< where compiled pipelines are kept for the next time, made if it is not there; NULL: nowhere.
                              ///< Whatever is in it may be deleted at any time
    bool tune; ///< at the first use of a device check the kernels that a model needs, in a child process, and time them: at most
               ///< about 10 s, on a CPU driver a minute. From then on the fastest of those that are right are used; kept in
               ///< cache_folder too. false: the order in which the library prefers them
    pum_progress_fn tune_progress; ///< of that, called several times a second; may be NULL. Kernels
    void *tune_user;
    const pum_check_service *check_service; ///< NULL: the program libexec/pumice/pumice-check that is installed with the library
    bool ignore_results; ///< nothing that the device computes is looked at, from its opening on: for compiling, and for measuring
                         ///< the host alone, also on a driver that accepts work and does nothing
} pum_device_params;
/// Opens a device. params may be NULL. Errors as pum_device_open; a cache that cannot be read or written is none.
PUM_API pum_status pum_device_open_with(const pum_device_params *params, pum_device **device, pum_error *err);
PUM_API void pum_device_destroy(pum_device **device);
/// How many devices were opened together.
PUM_API int pum_device_n_parts(const pum_device *device);
/// One of them, in the order of the list; the first is `device` itself. It belongs to `device`. Functions that say nothing else
/// look at the one that they are given, alone. index in [0, pum_device_n_parts).
PUM_API pum_device *pum_device_part(pum_device *device, int index);
/// Describes an open device, `available_bytes` as of now.
PUM_API void pum_device_get_info(pum_device *device, pum_device_info *info);

/// What the device can do at best, measured with the library's own read-only and multiply kernels.
typedef struct pum_device_peaks {
    double read_gb_per_s;        ///< 10^9 bytes per second
    double multiply_gflop_per_s; ///< 10^9 operations per second, an addition and a multiplication counted as two
} pum_device_peaks;
/// Takes about a second. Errors: PUM_ERR_DEVICE, PUM_ERR_DEVICE_MEMORY.
PUM_API pum_status pum_device_measure_peaks(pum_device *device, pum_device_peaks *peaks, pum_error *err);

/// What is known of a kernel on a device.
typedef enum pum_verdict {
    PUM_VERDICT_NONE, ///< not tried yet
    PUM_VERDICT_OK,
    PUM_VERDICT_WRONG,        ///< other results than the reference's, or something written that should not be
    PUM_VERDICT_UNREPEATABLE, ///< the same work gave different bits
    PUM_VERDICT_FAILED,       ///< did not compile, or the driver reported an error
    PUM_VERDICT_CRASHED,
    PUM_VERDICT_HUNG,
    PUM_VERDICT_UNSUPPORTED, ///< needs what the device does not have
} pum_verdict;

/// What was found about a kernel, for an operation on so many tokens.
typedef struct pum_variant_report {
    char op[48];
    const char *variant; ///< static storage
    const char *tokens;  ///< "1", "2-8" or "many"
    pum_verdict verdict;
    double max_error_ratio; ///< largest error as a part of what roundings explain
    double time_us;         ///< of work that is the same for all variants of an op; 0: not timed
    double mean_kl;         ///< of a tiny model that uses it to the float64 reference, where it rounds its inputs; else 0
    bool chosen;
    char message[200]; ///< what is wrong; empty where nothing is
    char why[240]; ///< why it is chosen or not: "chosen: the fastest of those that were timed", "needs coopmat: …", "slower: …"
} pum_variant_report;

typedef enum pum_device_verdict {
    PUM_DEVICE_OK,
    PUM_DEVICE_PARTLY,   ///< some kernels are left out, others do their work
    PUM_DEVICE_UNUSABLE, ///< an operation has no kernel that is right
} pum_device_verdict;

/// A thing that the driver says and that is not believed.
typedef struct pum_quirk {
    const char *what, *reason; ///< static storage; a link or a measurement
} pum_quirk;
enum { PUM_MAX_QUIRKS = 32 };

typedef struct pum_device_report {
    pum_device_verdict verdict;
    char unserved[48]; ///< an operation that has no kernel that is right; empty where there is none
    int n_quirks;
    pum_quirk quirks[PUM_MAX_QUIRKS];
    double mean_kl;       ///< of a tiny model's probabilities to those of a float64 reference; NaN where it cannot run
    double mean_kl_limit; ///< that it must not exceed
    int n_variants;
    pum_variant_report *variants; ///< [n_variants]
} pum_device_report;

typedef struct pum_device_check_params {
    const char *type;         ///< of weights, e.g. "Q4_0": only the kernels of models of that type; NULL: all
    bool full;                ///< every shape 50 times, not some of them 3 times
    pum_progress_fn progress; ///< kernels; called several times a second; may be NULL
    void *user;
} pum_device_check_params;
/// Checks every kernel that the device can run, and times those that there is a choice of. From then on the device chooses by
/// what was found, and so does the next program that opens it with the same cache_folder. Takes some minutes on a CPU driver
/// whose caches are cold. params may be NULL. *report is to be freed with pum_device_report_destroy. Errors: PUM_ERR_MEMORY,
/// PUM_ERR_DEVICE_LOST, PUM_ERR_ABORTED. No model may be in use on the device meanwhile.
PUM_API pum_status pum_device_check(pum_device *device, const pum_device_check_params *params, pum_device_report **report,
                                    pum_error *err);
/// What is known of the kernels now, and which are chosen by that; runs nothing. Verdicts are PUM_VERDICT_NONE where nothing was
/// checked, mean_kl is NaN. Errors: PUM_ERR_MEMORY.
PUM_API pum_status pum_device_choices(pum_device *device, pum_device_report **report, pum_error *err);
/// What the device can do, as Pumice sees it, and its limits: lines "name: value", zero-terminated, to be freed with pum_free;
/// NULL without memory. For people, and for reports of bugs.
PUM_API char *pum_device_caps_text(pum_device *device);
PUM_API void pum_device_report_destroy(pum_device_report **report);

/// What the program libexec/pumice/pumice-check does, which the library starts to check kernels where a crash or a hang does no
/// harm: it obeys what comes from `in` and answers to `out` (the two ends may be one socket). Ends the whole process when the
/// other side goes away. For a process of its own, on systems where programs cannot be started. Returns an exit status.
PUM_API int pum_check_serve(int in, int out);

/// What the driver's compiler made of a kernel. -1: the driver does not tell.
typedef struct pum_kernel_report {
    const char *op, *variant; ///< static storage
    char constants[96];       ///< that it was specialized for, "128,64,4"
    uint32_t subgroup_size;   ///< that it requires; 0: any
    bool chosen;              ///< used where nothing was measured
    bool compiled;
    int64_t registers;     ///< of an invocation
    int64_t spills;        ///< registers that went to memory, or the instructions that put them there
    int64_t scratch_bytes; ///< memory for those and for arrays
    int64_t shared_bytes;  ///< of a workgroup
    int64_t occupancy;     ///< subgroups at once, in the driver's own unit
    int64_t instructions;
    int64_t code_bytes;
    char message[200]; ///< why it did not compile; empty where it did
} pum_kernel_report;
typedef void (*pum_kernel_report_fn)(void *user, const pum_kernel_report *kernel);
/// Compiles every kernel that the device can run, with the constants that models of several sizes give it, and runs none: also
/// for drivers that accept work and do nothing. The kernels that do not compile are reported too, also those that crash the
/// driver's compiler or that it does not end with: that is a process of its own. Takes some minutes on slow drivers. type: of
/// weights, e.g. "Q4_0": only the kernels of models of that type; NULL: all. Errors: PUM_ERR_MEMORY, PUM_ERR_ARGUMENT,
/// PUM_ERR_DEVICE.
PUM_API pum_status pum_device_compile(pum_device *device, const char *type, pum_kernel_report_fn report, void *user,
                                      pum_error *err);

/* ------------------------------------------------------------------ model files */

/// A GGUF file, mapped read-only; needs no device. Its accessors may be called from any thread.
typedef struct pum_file pum_file;
typedef struct pum_tokenizer pum_tokenizer;

/// What the header says. Strings belong to the file; 0 or NULL where the file does not say.
typedef struct pum_model_info {
    const char *architecture;
    const char *name;
    uint64_t n_params;
    int n_layer, n_embd, n_head, n_head_kv, head_dim, n_ff, n_vocab, n_ctx_train;
    uint64_t file_bytes;
    const char *tokenizer;     ///< e.g. "llama", "gpt2 (smollm)"
    const char *chat_template; ///< "chatml", "llama2", "llama3", "zephyr", "unknown", or NULL: the file has none
} pum_model_info;

typedef struct pum_tensor_info {
    const char *name;
    const char *type; ///< "Q4_1", "F32", …
    int n_dims;
    uint64_t dims[4]; ///< the file's order: dims[0] is the length of a row
    uint64_t n_bytes;
} pum_tensor_info;

/// How K and V are kept. 8 bits with a scale for 32 values take little more than half the memory, and cost some accuracy.
typedef enum pum_kv_type { PUM_KV_F16, PUM_KV_Q8_0 } pum_kv_type;

/// The layers of one device, and the memory that they take.
typedef struct pum_plan_part {
    int first_layer, n_layers;
    int n_layers_in_host;
    uint64_t device_bytes, host_bytes, available_bytes;
} pum_plan_part;

/// Memory that a model takes. What the devices' own memory has no room for is kept in the computer's memory, layer by layer,
/// which the devices read too, if more slowly.
typedef struct pum_plan {
    int n_ctx;
    uint64_t weights_bytes, kv_bytes, scratch_bytes;
    uint64_t available_bytes; ///< of the devices' own memory; 0 when no device was given
    bool fits;                ///< in that and in the computer's; false when no device was given
    /* What follows is 0 when no device was given. */
    uint64_t device_bytes, host_bytes; ///< of all that, what is in the devices' own memory, and what in the computer's
    uint64_t host_available_bytes;     ///< of the computer's memory, as the devices can read it
    int n_layers, n_layers_in_host;    ///< the latter have their weights, or their K and V, in the computer's memory
    double slowdown; ///< how many times as long a token's reads take as from the devices' own memory, as measured; 0: not known
    int n_parts;
    pum_plan_part parts[PUM_MAX_DEVICES]; ///< [n_parts], one for each device
} pum_plan;

/// Opens and checks the header of a file; reads no weights. Any architecture will do.
/// path     "/proc/self/fd/N" is the open descriptor N of this process (not on Windows), which stays the caller's: Android hands
///          out files that cannot be opened by name.
/// Errors: PUM_ERR_IO, PUM_ERR_FORMAT, PUM_ERR_MEMORY.
PUM_API pum_status pum_file_open(const char *path, pum_file **file, pum_error *err);
PUM_API void pum_file_destroy(pum_file **file);
PUM_API void pum_file_get_info(const pum_file *file, pum_model_info *info);
PUM_API int pum_file_n_tensors(const pum_file *file);
/// index    in [0, pum_file_n_tensors); strings belong to the file.
PUM_API void pum_file_get_tensor(const pum_file *file, int index, pum_tensor_info *info);
PUM_API int pum_file_n_keys(const pum_file *file);
/// The name of a metadata key; belongs to the file. index in [0, pum_file_n_keys).
PUM_API const char *pum_file_key(const pum_file *file, int index);
/// Writes the value of a key as text for people (long arrays shortened), like snprintf. Returns the full length.
PUM_API int pum_file_value(const pum_file *file, int index, char *text, size_t text_bytes);
/// Computes what running the file takes, from the header alone.
/// n_ctx    context length; -1: min(the model's, 4096); 0: as much as the model and the device's free memory allow.
/// device   may be NULL.
/// kv       how the session will keep K and V.
/// Errors: PUM_ERR_UNSUPPORTED or PUM_ERR_FORMAT if the file is no model that could be loaded.
PUM_API pum_status pum_file_plan(const pum_file *file, pum_device *device, int n_ctx, pum_kv_type kv, pum_plan *plan,
                                 pum_error *err);
/// Makes the file's tokenizer, which outlives the file. Errors: PUM_ERR_FORMAT, PUM_ERR_UNSUPPORTED (unknown rules),
/// PUM_ERR_MEMORY.
PUM_API pum_status pum_file_tokenizer(const pum_file *file, pum_tokenizer **tokenizer, pum_error *err);

/* ------------------------------------------------------------------ tokenizer */

/* Immutable once made: any number of threads may share one. SentencePiece BPE with byte fallback, or byte-level BPE
 * (arXiv:1508.07909). */

PUM_API void pum_tokenizer_destroy(pum_tokenizer **tokenizer);
PUM_API int pum_tokenizer_n_vocab(const pum_tokenizer *tokenizer);
/// Ids of special tokens, -1 where there is none.
PUM_API int32_t pum_tokenizer_bos(const pum_tokenizer *tokenizer);
PUM_API int32_t pum_tokenizer_eos(const pum_tokenizer *tokenizer);
/// Whether generation ends at this token (end of text, of turn, of message).
PUM_API bool pum_tokenizer_is_stop(const pum_tokenizer *tokenizer, int32_t token);
/// All of those, [returned]; they belong to the tokenizer.
PUM_API int pum_tokenizer_stops(const pum_tokenizer *tokenizer, const int32_t **tokens);

typedef enum pum_encode_flags {
    PUM_ENCODE_PLAIN = 0,
    PUM_ENCODE_BOS = 1,     ///< put BOS (and EOS at the end) where the file says so
    PUM_ENCODE_SPECIAL = 2, ///< text that looks like a special token becomes that token
} pum_encode_flags;

/// Turns text into tokens.
/// text     [text_bytes], any bytes, zeros and broken UTF-8 too.
/// *tokens  a new array of *n_tokens ids, to be freed with pum_free; NULL when there are none.
/// Errors: PUM_ERR_MEMORY, PUM_ERR_ARGUMENT (text over 1 GiB).
PUM_API pum_status pum_tokenizer_encode(const pum_tokenizer *tokenizer, const char *text, size_t text_bytes, int flags,
                                        int32_t **tokens, size_t *n_tokens, pum_error *err);

/// The bytes of one token as it stands in running text; may end inside a character. Control tokens are empty unless `special`.
/// Returns the length; *bytes belongs to the tokenizer. An id outside the vocabulary gives 0.
PUM_API size_t pum_tokenizer_bytes(const pum_tokenizer *tokenizer, int32_t token, bool special, const char **bytes);

/// Turns tokens back into bytes, so that it undoes pum_tokenizer_encode without BOS (the space that SentencePiece puts first is
/// removed). *text    new, zero-terminated, *text_bytes long without the zero; to be freed with pum_free. Errors:
/// PUM_ERR_ARGUMENT for an id outside the vocabulary, PUM_ERR_MEMORY.
PUM_API pum_status pum_tokenizer_decode(const pum_tokenizer *tokenizer, const int32_t *tokens, size_t n_tokens, bool special,
                                        char **text, size_t *text_bytes, pum_error *err);

/// Text of a running generation: whole characters only, and nothing of a stop string.
typedef struct pum_stream pum_stream;
/// stops    [n_stops] strings, copied; empty ones are left out. first: whether the text starts here, so that SentencePiece's
/// first space goes. The tokenizer must outlive the stream.
PUM_API pum_status pum_stream_create(const pum_tokenizer *tokenizer, const char *const *stops, size_t n_stops, bool first,
                                     pum_stream **stream, pum_error *err);
PUM_API void pum_stream_destroy(pum_stream **stream);
/// Adds a token. *text is what may be shown now, zero-terminated, owned by the stream until the next call, possibly empty.
/// *stopped is set once a stop string is complete; what follows it is never shown. Broken UTF-8 comes out as U+FFFD.
PUM_API pum_status pum_stream_push(pum_stream *stream, int32_t token, const char **text, bool *stopped, pum_error *err);
/// Gives what was held back (the beginning of a stop string that did not come, an unfinished character as U+FFFD). Call it once,
/// at the end.
PUM_API const char *pum_stream_finish(pum_stream *stream);

/* ------------------------------------------------------------------ chat formatting */

typedef struct pum_chat_message {
    const char *role; ///< "system", "user" or "assistant"
    const char *content;
} pum_chat_message;

/// Renders messages in the file's chat template, with the template's own default system turn where it has one.
/// generate   whether the beginning of an assistant turn is added.
/// *text      new and zero-terminated, without BOS unless the template writes it; to be freed with pum_free.
/// Errors: PUM_ERR_UNSUPPORTED if the file has no template or one that is not recognised (the message says what to do),
/// PUM_ERR_ARGUMENT for roles in an order that the template refuses.
PUM_API pum_status pum_chat_text(const pum_file *file, const pum_chat_message *messages, size_t n_messages, bool generate,
                                 char **text, pum_error *err);

/// As pum_chat_text, tokenized. Only the template's own markers become special tokens: a marker inside a message stays plain
/// text. *tokens    new, with BOS where the file or template says so; to be freed with pum_free.
PUM_API pum_status pum_chat_tokens(const pum_file *file, const pum_tokenizer *tokenizer, const pum_chat_message *messages,
                                   size_t n_messages, bool generate, int32_t **tokens, size_t *n_tokens, pum_error *err);

/* ------------------------------------------------------------------ models */

/// Weights on a device. Immutable once loaded: sessions of several threads may share one. The device must outlive it.
typedef struct pum_model pum_model;

typedef struct pum_model_params {
    pum_progress_fn progress; ///< bytes of weights; may be NULL
    void *progress_user;
    int n_ctx; ///< of the session that will come: the weights leave room for it where memory is short; 0 or -1: the usual length
    pum_kv_type kv; ///< of that session
} pum_model_params;

/// Loads the weights of a file onto a device; the quantized types stay quantized there. The pum_file may be destroyed afterwards;
/// the model keeps the mapping, to load the weights again should the device be lost: the file on the disk must stay as it is.
/// params   may be NULL.
/// Errors: PUM_ERR_FORMAT (missing tensor, wrong shape), PUM_ERR_UNSUPPORTED (architecture, tensor type; a device none of whose
/// kernels for an operation is right), PUM_ERR_DEVICE_MEMORY (with numbers and a remedy), PUM_ERR_ABORTED.
PUM_API pum_status pum_model_load(pum_device *device, const pum_file *file, const pum_model_params *params, pum_model **model,
                                  pum_error *err);
/// Makes a model with seeded random weights, for measuring.
/// shape    "260k" "15m" "135m" "360m" "1.1b" "3b" "7b" or "13b"; type: a tensor type such as "Q4_0" for the matrices.
PUM_API pum_status pum_model_random(pum_device *device, const char *shape, const char *type, uint64_t seed,
                                    const pum_model_params *params, pum_model **model, pum_error *err);
PUM_API void pum_model_destroy(pum_model **model);
/// Strings belong to the model.
PUM_API void pum_model_get_info(const pum_model *model, pum_model_info *info);
/// Whether every operation of the model is done by a kernel that was checked on this device and is right.
PUM_API bool pum_model_is_checked(const pum_model *model);
/// The memory plan of this model on its device; n_ctx and kv as in pum_file_plan.
PUM_API pum_status pum_model_plan(const pum_model *model, int n_ctx, pum_kv_type kv, pum_plan *plan, pum_error *err);

/* ------------------------------------------------------------------ sampler */

/// Chooses tokens. Same parameters, seed and logits: same tokens. Owns its own random state and history.
typedef struct pum_sampler pum_sampler;

typedef struct pum_sampler_params {
    float temp;                                                ///< 0: greedy
    int top_k;                                                 ///< 0: off
    float top_p;                                               ///< 1: off
    float min_p;                                               ///< 0: off
    float repeat_penalty, presence_penalty, frequency_penalty; ///< 1, 0, 0: off
    int penalty_last_n;                                        ///< how many of the last tokens the penalties look at; -1: all
    uint64_t seed;
} pum_sampler_params;

/// temp 0.8, top_k 40, top_p 0.95, min_p 0.05, no penalties, last_n 64, seed 0.
PUM_API pum_sampler_params pum_sampler_defaults(void);
/// Errors: PUM_ERR_ARGUMENT, naming the parameter and its range; PUM_ERR_MEMORY.
PUM_API pum_status pum_sampler_create(const pum_sampler_params *params, pum_sampler **sampler, pum_error *err);
PUM_API void pum_sampler_destroy(pum_sampler **sampler);
/// Tells the sampler of a token that is in the text now (prompt or chosen), for the penalties.
PUM_API void pum_sampler_accept(pum_sampler *sampler, int32_t token);
/// Forgets the history and starts the random numbers from the seed again.
PUM_API void pum_sampler_reset(pum_sampler *sampler);
/// Chooses a token; does not accept it.
/// logits   [n_vocab], read only. Errors: PUM_ERR_DEVICE if a logit is NaN or all are -inf; PUM_ERR_MEMORY.
PUM_API pum_status pum_sampler_sample(pum_sampler *sampler, const float *logits, int n_vocab, int32_t *token, pum_error *err);

/* ------------------------------------------------------------------ sessions */

/// One timeline of tokens with its KV cache. The model must outlive it. One thread at a time, except pum_session_abort.
typedef struct pum_session pum_session;

typedef struct pum_session_params {
    int n_ctx;   ///< -1: min(the model's, 4096); 0: as much as the model and memory allow
    int n_chunk; ///< tokens of one prefill chunk at most; 0: the library's choice. The result does not depend on it but for near
                 ///< ties.
    pum_kv_type kv;
    pum_progress_fn progress; ///< tokens of an append; may be NULL
    void *progress_user;
} pum_session_params;

/// params   may be NULL. Errors: PUM_ERR_DEVICE_MEMORY (with numbers and a remedy), PUM_ERR_ARGUMENT (n_ctx over the model's),
/// PUM_ERR_UNSUPPORTED (PUM_KV_Q8_0 for heads that are no multiple of 32 wide).
PUM_API pum_status pum_session_create(const pum_model *model, const pum_session_params *params, pum_session **session,
                                      pum_error *err);
PUM_API void pum_session_destroy(pum_session **session);
PUM_API int pum_session_n_ctx(const pum_session *session);
/// Tokens on the timeline.
PUM_API int pum_session_n_past(const pum_session *session);
/// The memory that the session and its model have taken, and where it is.
PUM_API void pum_session_get_plan(const pum_session *session, pum_plan *plan);
/// The timeline itself, [n_past]; valid until the session changes.
PUM_API const int32_t *pum_session_tokens(const pum_session *session);

/// Appends tokens to the timeline and computes the logits of the last one.
/// tokens   [n_tokens] ids in [0, n_vocab); borrowed for this call. n_tokens >= 1.
/// Errors: PUM_ERR_CONTEXT_FULL if n_past + n_tokens > n_ctx, PUM_ERR_ARGUMENT for an id outside the vocabulary: the session is
/// unchanged. PUM_ERR_ABORTED: the finished chunks stay, pum_session_n_past tells how many tokens; append the rest to go on.
/// PUM_ERR_DEVICE, PUM_ERR_DEVICE_LOST, PUM_ERR_NO_DEVICE, PUM_ERR_DEVICE_MEMORY, PUM_ERR_MEMORY: as for ABORTED.
/// Blocks until the device is done.
PUM_API pum_status pum_session_append(pum_session *session, const int32_t *tokens, int n_tokens, pum_error *err);
/// As pum_session_append, and writes the logits after each token to logits [n_tokens][n_vocab].
PUM_API pum_status pum_session_append_logits(pum_session *session, const int32_t *tokens, int n_tokens, float *logits,
                                             pum_error *err);
/// The logits [n_vocab] after the last token; valid until the session changes. NULL right after create, rewind or a failed
/// append.
PUM_API const float *pum_session_logits(const pum_session *session);
/// Chooses the next token from the logits; appends nothing. Errors: PUM_ERR_ARGUMENT when there are no logits;
/// PUM_ERR_DEVICE when one of them is no number, PUM_ERR_FORMAT when that is because the model's file is damaged; PUM_ERR_MEMORY.
PUM_API pum_status pum_session_sample(pum_session *session, pum_sampler *sampler, int32_t *token, pum_error *err);
/// Where tokens are chosen while generating.
typedef enum pum_decode_path {
    PUM_DECODE_AUTO,   ///< on the device where that is faster and the sampler's parameters allow it
    PUM_DECODE_HOST,   ///< the host reads the logits of each token
    PUM_DECODE_DEVICE, ///< the device, which has several tokens under way; the host where the parameters do not allow it
} pum_decode_path;

typedef struct pum_generate_params {
    int n_tokens;               ///< to choose at most; -1: no limit
    const int32_t *stop_tokens; ///< [n_stop_tokens] ids that end it
    int n_stop_tokens;
    bool (*on_token)(void *user, int32_t token); ///< gets each token as it comes; false ends it; may be NULL
    void *user;
    pum_decode_path path;
} pum_generate_params;

typedef enum pum_end {
    PUM_END_LENGTH,       ///< n_tokens were chosen
    PUM_END_STOP_TOKEN,   ///< a stop token was chosen; it is not handed out
    PUM_END_CALLER,       ///< on_token said so
    PUM_END_CONTEXT_FULL, ///< there is no room to append the last token
} pum_end;

/// Chooses tokens one after the other, each from the logits behind the one before. The sampler accepts what is handed out.
/// The session must have logits: append a prompt first. Afterwards it has none, and the timeline holds all that was handed out
/// but the last token, which stands at the head of whatever is appended next. Where the tokens are chosen on the device or on the
/// host, they are the same but for near ties of float32. Errors: PUM_ERR_ARGUMENT when there are no logits; PUM_ERR_ABORTED and
/// the others as for pum_session_append: what was handed out stays.
PUM_API pum_status pum_session_generate(pum_session *session, pum_sampler *sampler, const pum_generate_params *params,
                                        pum_end *end, pum_error *err);
/// Cuts the timeline back to its first n_past tokens; costs nothing. Errors: PUM_ERR_ARGUMENT if n_past is not in [0, now].
PUM_API pum_status pum_session_rewind(pum_session *session, int n_past, pum_error *err);
/// Makes the append that is running, or else the next one, stop soon with PUM_ERR_ABORTED. Any thread.
PUM_API void pum_session_abort(pum_session *session);
/// Takes back an abort that no append has seen yet. Any thread.
PUM_API void pum_session_clear_abort(pum_session *session);

typedef struct pum_stats {
    uint64_t prefill_tokens, decode_tokens;            ///< appends of several tokens, of one
    double prefill_ms, decode_ms;                      ///< wall time of those
    double host_us_per_token;                          ///< CPU time of the calling thread for one decoded token
    uint32_t dispatches_per_token, barriers_per_token; ///< of the last decoded token
    uint64_t device_bytes;                             ///< taken for the devices: weights, KV, scratch
    uint64_t plan_bytes;                               ///< what the plan said
    uint64_t weight_bytes_per_token;                   ///< weights that one decoded token must read
    uint64_t kv_bytes_per_position;                    ///< KV bytes that one decoded token must read for each token before it
    double flop_per_token;                             ///< 2 x the weights that a token multiplies with; attention not counted
    double load_ms;                                    ///< of the model
    uint32_t n_pipelines;                              ///< made on the device so far, whoever needed them
    uint64_t load_host_bytes; ///< the most that loading held in host memory: heap and staging, not the map
    uint32_t n_rebuilds;      ///< how often the device was lost, and everything made anew and computed again behind it
} pum_stats;
PUM_API void pum_session_get_stats(const pum_session *session, pum_stats *stats);
PUM_API void pum_session_reset_stats(pum_session *session);

/// What the ops of one kind take in one pass, each of their dispatches alone on the device.
typedef struct pum_op_time {
    const char *op; ///< "norm+qkv", "attention", …; lives as long as the program
    int n_dispatches;
    double device_ms;   ///< 0 where the device has no clock
    double flop, bytes; ///< what the op must multiply and move, counted from the shapes
} pum_op_time;
enum { PUM_MAX_OPS = 16 };
/// Runs a pass over tokens [n_tokens], 1 to a chunk, behind the timeline, and leaves the timeline as it is. A pass takes longer
/// than the sum: every dispatch is waited for.
/// ops      [PUM_MAX_OPS], in the order in which they run; *n_ops of them are filled.
/// Errors: as pum_session_append.
PUM_API pum_status pum_session_measure_ops(pum_session *session, const int32_t *tokens, int n_tokens, pum_op_time *ops,
                                           int *n_ops, pum_error *err);

#ifdef __cplusplus
}
#endif

#endif
