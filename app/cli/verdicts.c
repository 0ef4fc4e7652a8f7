#include "verdicts.h"

static const char *const verdict_names[] = {"none", "ok", "wrong", "unrepeatable", "failed", "crashed", "hung", "unsupported"};
static const char *const device_verdict_names[] = {"ok", "partly", "unusable"};

const char *verdict_name(pum_verdict verdict) { return verdict_names[verdict]; }
const char *device_verdict_name(pum_device_verdict verdict) { return device_verdict_names[verdict]; }

json_t *variant_json(const pum_variant_report *v) {
    json_t *o = json_object();
    json_object_set_new(o, "op", json_text(v->op));
    json_object_set_new(o, "variant", json_text(v->variant));
    json_object_set_new(o, "tokens", json_text(v->tokens));
    json_object_set_new(o, "verdict", json_text(verdict_name(v->verdict)));
    bool tried = v->verdict != PUM_VERDICT_UNSUPPORTED && v->verdict != PUM_VERDICT_NONE;
    json_object_set_new(o, "max_error_ratio", tried ? json_number(v->max_error_ratio) : json_null());
    json_object_set_new(o, "time_us", v->time_us > 0 ? json_number(v->time_us) : json_null());
    json_object_set_new(o, "mean_kl", v->mean_kl > 0 ? json_number(v->mean_kl) : json_null());
    json_object_set_new(o, "chosen", json_boolean(v->chosen));
    json_object_set_new(o, "message", v->message[0] ? json_text(v->message) : json_null());
    json_object_set_new(o, "why", json_text(v->why));
    return o;
}

json_t *quirks_json(const pum_device_report *r) {
    json_t *quirks = json_array();
    for (int i = 0; i < r->n_quirks; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "what", json_text(r->quirks[i].what));
        json_object_set_new(o, "reason", json_text(r->quirks[i].reason));
        json_array_append_new(quirks, o);
    }
    return quirks;
}
