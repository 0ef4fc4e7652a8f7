#include "llama/placement.h"

#include <assert.h>

enum { SLOWER = 2 }; ///< so many times slower is another class of device

static uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }
static uint64_t less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }
static bool is_last(const llama_placement *p, uint32_t stage) { return stage == p->n_stages - 1; }

llama_placement llama_place_at_once(const llama_config *config, const llama_sizes *sizes) {
    const llama_room endless = {.device_bytes = UINT64_MAX};
    llama_placement p;
    llama_place_weights(config, sizes, &endless, 1, &p);
    return p;
}

/* ---- layers to devices */

/* The output matrix is a second copy of a tied embedding where another device needs it. */
static uint64_t ends_bytes(const llama_sizes *sizes, bool first, bool last) {
    uint64_t n_bytes = (first ? sizes->embedding : 0) + (last ? sizes->head : 0);
    return n_bytes + (last && !first && sizes->tied ? sizes->embedding : 0);
}

/* How many layers of the middle size, with K and V, a device's own memory holds. */
static uint32_t capacity(const llama_config *config, const llama_sizes *sizes, const llama_room *room, bool first, bool last) {
    uint64_t all = 0, taken = room->scratch_bytes + ends_bytes(sizes, first, last);
    for (uint32_t il = 0; il < config->n_layer; il++) all += sizes->layers[il];
    uint64_t layer_bytes = all / config->n_layer + room->kv_bytes_of_layer;
    uint64_t n = room->device_bytes > taken ? (room->device_bytes - taken) / (layer_bytes ? layer_bytes : 1) : 0;
    return n < config->n_layer ? (uint32_t)n : config->n_layer;
}

/* 0: the fastest class of devices. A device whose speed is not known is none of the slow ones. */
static bool as_fast(const llama_room *room, double fastest) {
    return room->device_gb_per_s <= 0 || room->device_gb_per_s * SLOWER >= fastest;
}

typedef struct share {
    uint32_t n, most;
    bool placed; ///< its class has had its turn
} share;

/* The device of this turn's class that has least for its size, or -1 when they are full. */
static int next_of_class(const llama_room *rooms, const share *shares, uint32_t n_rooms, double fastest) {
    int best = -1;
    for (uint32_t i = 0; i < n_rooms; i++) {
        if (shares[i].placed || !as_fast(&rooms[i], fastest) || shares[i].n >= shares[i].most) continue;
        if (best < 0 ||
            (double)shares[i].n * (double)rooms[best].memory_bytes < (double)shares[best].n * (double)rooms[i].memory_bytes)
            best = (int)i;
    }
    return best;
}

/* What no device has room for goes to the host's memory through the one that reads it fastest. */
static uint32_t best_reader_of_host(const llama_room *rooms, uint32_t n_rooms) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < n_rooms; i++)
        if (rooms[i].host_bytes > 0 && (rooms[best].host_bytes == 0 || rooms[i].host_gb_per_s > rooms[best].host_gb_per_s))
            best = i;
    return best;
}

static void divide(const llama_config *config, const llama_sizes *sizes, const llama_room *rooms, uint32_t n_rooms,
                   share *shares) {
    assert(n_rooms >= 1 && n_rooms <= config->n_layer);
    uint32_t left = config->n_layer - n_rooms;
    for (uint32_t i = 0; i < n_rooms; i++)
        shares[i] = (share){.n = 1, .most = capacity(config, sizes, &rooms[i], i == 0, i == n_rooms - 1)};
    for (uint32_t turn = 0; turn < n_rooms && left > 0; turn++) {
        double fastest = 0;
        for (uint32_t i = 0; i < n_rooms; i++)
            if (!shares[i].placed && rooms[i].device_gb_per_s > fastest) fastest = rooms[i].device_gb_per_s;
        for (int next; left > 0 && (next = next_of_class(rooms, shares, n_rooms, fastest)) >= 0; left--) shares[next].n++;
        for (uint32_t i = 0; i < n_rooms; i++) shares[i].placed = shares[i].placed || as_fast(&rooms[i], fastest);
    }
    shares[best_reader_of_host(rooms, n_rooms)].n += left;
}

/* ---- weights of a device to its own memory or the host's */

static void move_to_host(llama_stage_place *s, uint64_t n_bytes) {
    s->device_bytes -= n_bytes;
    s->host_bytes += n_bytes;
}

/* What is read least first, until no more than `most` is in the device's own memory. An embedding makes room for K and V too:
 * with them no more than `roomy`. */
static void place_in(const llama_sizes *sizes, uint64_t most, uint64_t roomy, bool first, bool last, llama_stage_place *s) {
    *s =
        (llama_stage_place){.first_layer = s->first_layer, .n_layer = s->n_layer, .device_bytes = ends_bytes(sizes, first, last)};
    for (uint32_t i = 0; i < s->n_layer; i++) s->device_bytes += sizes->layers[s->first_layer + i];
    if (first && !(last && sizes->tied)) s->unread_bytes = sizes->embedding;
    if (s->device_bytes > roomy && first && !(last && sizes->tied)) {
        s->embedding_in_host = true;
        move_to_host(s, sizes->embedding);
    }
    while (s->device_bytes > most && s->n_in_host < s->n_layer)
        move_to_host(s, sizes->layers[s->first_layer + s->n_layer - ++s->n_in_host]);
    if (s->device_bytes > most && last) {
        s->head_in_host = true;
        s->embedding_in_host = s->embedding_in_host || (first && sizes->tied);
        move_to_host(s, ends_bytes(sizes, first && sizes->tied, true));
    }
}

static bool place_stage(const llama_sizes *sizes, const llama_room *room, bool first, bool last, llama_stage_place *s) {
    // Activations should stay on the device, every op reads them: but a session may do with fewer of them than is likely.
    bool scratch_fits = room->scratch_bytes <= room->device_bytes;
    uint64_t most = scratch_fits ? room->device_bytes - room->scratch_bytes : room->device_bytes;
    place_in(sizes, most, less(most, s->n_layer * room->kv_bytes_of_layer), first, last, s);
    if (s->host_bytes > room->host_bytes) place_in(sizes, room->device_bytes, room->device_bytes, first, last, s);
    return s->device_bytes <= room->device_bytes && s->host_bytes <= room->host_bytes;
}

/* The host's memory is one, whoever reads it. */
static uint64_t most_of_host(const llama_room *rooms, uint32_t n_rooms) {
    uint64_t most = 0;
    for (uint32_t i = 0; i < n_rooms; i++)
        if (rooms[i].host_bytes > most) most = rooms[i].host_bytes;
    return most;
}

bool llama_place_weights(const llama_config *config, const llama_sizes *sizes, const llama_room *rooms, uint32_t n_rooms,
                         llama_placement *p) {
    share shares[LLAMA_MAX_STAGES];
    divide(config, sizes, rooms, n_rooms, shares);
    *p = (llama_placement){.n_stages = n_rooms};
    bool fits = true;
    uint64_t in_host = 0;
    for (uint32_t i = 0, first_layer = 0; i < n_rooms; first_layer += shares[i++].n) {
        llama_stage_place *s = &p->stages[i];
        s->first_layer = first_layer;
        s->n_layer = shares[i].n;
        fits = place_stage(sizes, &rooms[i], i == 0, is_last(p, i), s) && fits;
        in_host += s->host_bytes;
    }
    return fits && in_host <= most_of_host(rooms, n_rooms);
}

/* ---- K, V and activations */

bool llama_place_context(const llama_placement *weights, const llama_room *rooms, llama_context_place *place) {
    *place = (llama_context_place){0};
    bool fits = true;
    uint64_t in_host = 0;
    for (uint32_t i = 0; i < weights->n_stages; i++) {
        const llama_room *room = &rooms[i];
        uint32_t n_layer = weights->stages[i].n_layer;
        bool scratch_in_host = room->scratch_bytes > room->device_bytes;
        uint64_t scratch = scratch_in_host ? 0 : room->scratch_bytes, left = room->device_bytes - scratch;
        uint64_t n = room->kv_bytes_of_layer ? left / room->kv_bytes_of_layer : n_layer;
        uint32_t in_device = n < n_layer ? (uint32_t)n : n_layer;
        place->stages[i].n_in_host = n_layer - in_device;
        place->stages[i].scratch_in_host = scratch_in_host;
        place->stages[i].device_bytes = scratch + in_device * room->kv_bytes_of_layer;
        place->stages[i].host_bytes = (room->scratch_bytes - scratch) + (n_layer - in_device) * room->kv_bytes_of_layer;
        fits = fits && place->stages[i].host_bytes <= room->host_bytes;
        in_host += place->stages[i].host_bytes;
    }
    return fits && in_host <= most_of_host(rooms, weights->n_stages);
}

double llama_place_slowdown(const llama_placement *weights, const llama_context_place *context, const llama_room *rooms) {
    double as_it_is = 0, at_best = 0;
    for (uint32_t i = 0; i < weights->n_stages; i++) {
        const llama_stage_place *s = &weights->stages[i];
        if (rooms[i].device_gb_per_s <= 0) return 0;
        double kv = (double)rooms[i].kv_bytes_of_layer / 2, n_in_host = context->stages[i].n_in_host;
        double unread = (double)s->unread_bytes, unread_in_host = s->embedding_in_host ? unread : 0;
        double in_device = (double)s->device_bytes - (unread - unread_in_host) + (s->n_layer - n_in_host) * kv;
        double in_host = (double)s->host_bytes - unread_in_host + n_in_host * kv;
        if (in_host > 0 && rooms[i].host_gb_per_s <= 0) return 0;
        at_best += (in_device + in_host) / rooms[i].device_gb_per_s;
        as_it_is += in_device / rooms[i].device_gb_per_s + (in_host > 0 ? in_host / rooms[i].host_gb_per_s : 0);
    }
    return at_best > 0 ? as_it_is / at_best : 1;
}

uint32_t llama_place_layers_in_host(const llama_placement *weights, const llama_context_place *context) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < weights->n_stages; i++) n += larger(weights->stages[i].n_in_host, context->stages[i].n_in_host);
    return n;
}
