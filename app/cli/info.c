/* pumice info: what a file holds, and the memory it needs. */
#include "commands.h"
#include "json.h"

#include <inttypes.h>
#include <stdio.h>

/* Tensor types in the order of their first tensor, with how many there are. */
static json_t *types_of(const pum_file *file) {
    json_t *types = json_object();
    for (int i = 0; i < pum_file_n_tensors(file); i++) {
        pum_tensor_info t;
        pum_file_get_tensor(file, i, &t);
        json_object_set_new(types, t.type, json_integer(json_integer_value(json_object_get(types, t.type)) + 1));
    }
    return types;
}

static int print_json(const pum_file *file, const pum_plan *plan) {
    pum_model_info i;
    pum_file_get_info(file, &i);
    json_t *o = json_object();
    json_object_set_new(o, "architecture", json_text(i.architecture));
    json_object_set_new(o, "name", json_text(i.name));
    json_object_set_new(o, "n_params", json_integer((json_int_t)i.n_params));
    json_object_set_new(o, "n_layer", json_known(i.n_layer));
    json_object_set_new(o, "n_embd", json_known(i.n_embd));
    json_object_set_new(o, "n_head", json_known(i.n_head));
    json_object_set_new(o, "n_head_kv", json_known(i.n_head_kv));
    json_object_set_new(o, "head_dim", json_known(i.head_dim));
    json_object_set_new(o, "n_ff", json_known(i.n_ff));
    json_object_set_new(o, "n_vocab", json_known(i.n_vocab));
    json_object_set_new(o, "n_ctx_train", json_known(i.n_ctx_train));
    json_object_set_new(o, "file_bytes", json_integer((json_int_t)i.file_bytes));
    json_object_set_new(o, "tensor_types", types_of(file));
    json_object_set_new(o, "chat_template", json_text(i.chat_template));
    json_object_set_new(o, "tokenizer", json_text(i.tokenizer));
    json_t *p = plan ? json_object() : json_null();
    if (plan) {
        json_object_set_new(p, "n_ctx", json_integer(plan->n_ctx));
        json_object_set_new(p, "weights_bytes", json_integer((json_int_t)plan->weights_bytes));
        json_object_set_new(p, "kv_bytes", json_integer((json_int_t)plan->kv_bytes));
        json_object_set_new(p, "scratch_bytes", json_integer((json_int_t)plan->scratch_bytes));
        json_object_set_new(p, "available_bytes",
                            plan->available_bytes ? json_integer((json_int_t)plan->available_bytes) : json_null());
        json_object_set_new(p, "fits", plan->available_bytes ? json_boolean(plan->fits) : json_null());
    }
    json_object_set_new(o, "plan", p);
    return json_print(o);
}

static void print_tensors(const pum_file *file) {
    printf("\ntensors (%d)\n", pum_file_n_tensors(file));
    for (int i = 0; i < pum_file_n_tensors(file); i++) {
        pum_tensor_info t;
        pum_file_get_tensor(file, i, &t);
        printf("  %-32s %-6s [", t.name, t.type);
        for (int d = 0; d < t.n_dims; d++) printf("%s%" PRIu64, d ? ", " : "", t.dims[d]);
        printf("] %" PRIu64 " bytes\n", t.n_bytes);
    }
}

static int print_text(const pum_file *file, const pum_plan *plan, const pum_error *why_not) {
    char value[200];
    printf("metadata (%d)\n", pum_file_n_keys(file));
    for (int i = 0; i < pum_file_n_keys(file); i++) {
        int n = pum_file_value(file, i, value, sizeof value);
        printf("  %s = %s%s\n", pum_file_key(file, i), value, n >= (int)sizeof value ? "…" : "");
    }
    print_tensors(file);
    printf("\nmemory plan\n");
    if (!plan) {
        printf("  none: %s\n", why_not->message);
    } else {
        printf("  weights %.3f GB, context of %d tokens %.3f GB, scratch %.3f GB\n", (double)plan->weights_bytes / 1e9,
               plan->n_ctx, (double)plan->kv_bytes / 1e9, (double)plan->scratch_bytes / 1e9);
        if (plan->available_bytes)
            printf("  %.3f GB are free on the device: it %s\n", (double)plan->available_bytes / 1e9,
                   plan->fits ? "fits" : "does not fit; try a smaller --ctx");
        else
            printf("  no device to compare with\n");
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

int command_info(options *o) {
    if (!o->file) {
        fprintf(stderr, "pumice: error: info: expected a file, got nothing; see --help\n");
        return 2;
    }
    engine e = {0};
    pum_error err;
    if (pum_file_open(o->file, &e.file, &err) != PUM_OK) {
        engine_error(&err);
        return 1;
    }
    pum_device_open(o->device, &e.device, NULL); // without one the plan has no "fits"
    pum_plan plan;
    bool planned = pum_file_plan(e.file, e.device, o->n_ctx, o->kv, &plan, &err) == PUM_OK;
    int status = o->json ? print_json(e.file, planned ? &plan : NULL) : print_text(e.file, planned ? &plan : NULL, &err);
    engine_close(&e);
    return status;
}
