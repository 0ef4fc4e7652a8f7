/* pumice info: what a file holds, and the memory it needs. */
#include "chat/devices.h"
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

static json_t *of_device(const pum_plan *plan, uint64_t value) {
    return plan->available_bytes ? json_integer((json_int_t)value) : json_null();
}

/* What each device has of the model. */
static json_t *parts_of(const pum_plan *plan, pum_device *device) {
    json_t *parts = json_array();
    for (int i = 0; i < plan->n_parts; i++) {
        const pum_plan_part *p = &plan->parts[i];
        pum_device_info info;
        pum_device_get_info(pum_device_part(device, i), &info);
        json_t *part = json_object();
        json_object_set_new(part, "device", json_text(info.name));
        json_object_set_new(part, "first_layer", json_integer(p->first_layer));
        json_object_set_new(part, "n_layers", json_integer(p->n_layers));
        json_object_set_new(part, "n_layers_in_host", json_integer(p->n_layers_in_host));
        json_object_set_new(part, "device_bytes", json_integer((json_int_t)p->device_bytes));
        json_object_set_new(part, "host_bytes", json_integer((json_int_t)p->host_bytes));
        json_object_set_new(part, "available_bytes", json_integer((json_int_t)p->available_bytes));
        json_array_append_new(parts, part);
    }
    return parts;
}

static int print_json(const pum_file *file, const pum_plan *plan, pum_device *device) {
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
        json_object_set_new(p, "device_bytes", of_device(plan, plan->device_bytes));
        json_object_set_new(p, "host_bytes", of_device(plan, plan->host_bytes));
        json_object_set_new(p, "host_available_bytes", of_device(plan, plan->host_available_bytes));
        json_object_set_new(p, "n_layers_in_host", of_device(plan, (uint64_t)plan->n_layers_in_host));
        json_object_set_new(p, "slowdown", plan->slowdown > 0 ? json_number(plan->slowdown) : json_null());
        json_object_set_new(p, "parts", parts_of(plan, device));
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

static void print_fit(const pum_plan *plan, pum_device *device) {
    const char *where = plan->n_parts > 1 ? "devices" : "device";
    if (!plan->available_bytes) {
        printf("  no device to compare with\n");
        return;
    }
    printf("  %.3f GB are free on the %s", (double)plan->available_bytes / 1e9, where);
    if (plan->host_available_bytes) printf(", and %.3f GB of the computer's memory", (double)plan->host_available_bytes / 1e9);
    printf(": it %s\n", plan->fits ? "fits" : "does not fit; try a smaller --ctx");
    char notice[256];
    if (plan->fits && devices_memory_notice(plan, notice, sizeof notice)) printf("  %s\n", notice);
    for (int i = 0; i < plan->n_parts && plan->n_parts > 1; i++) {
        const pum_plan_part *p = &plan->parts[i];
        pum_device_info info;
        pum_device_get_info(pum_device_part(device, i), &info);
        printf("  %s: layers %d to %d, %.3f GB\n", info.name, p->first_layer, p->first_layer + p->n_layers - 1,
               (double)(p->device_bytes + p->host_bytes) / 1e9);
    }
}

static int print_text(const pum_file *file, const pum_plan *plan, pum_device *device, const pum_error *why_not) {
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
        print_fit(plan, device);
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
    // Without a device the plan has no "fits"; one that was named must be there.
    if (devices_open(&(pum_device_params){.which = o->device, .devices = o->devices}, &e.device, &err) != PUM_OK && o->devices) {
        engine_error(&err);
        engine_close(&e);
        return 1;
    }
    pum_plan plan;
    bool planned = pum_file_plan(e.file, e.device, o->n_ctx, o->kv, &plan, &err) == PUM_OK;
    int status = o->json ? print_json(e.file, planned ? &plan : NULL, e.device)
                         : print_text(e.file, planned ? &plan : NULL, e.device, &err);
    engine_close(&e);
    return status;
}
