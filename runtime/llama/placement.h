/* Where a model is: which device computes which layers, and what of them is kept in the host's memory because the device's own
 * has no room. Arithmetic alone: nothing is taken here. */
#ifndef LLAMA_PLACEMENT_H
#define LLAMA_PLACEMENT_H

#include "llama/config.h"
#include "ops/variants.h"

enum { LLAMA_MAX_STAGES = PUM_MAX_DEVICES };

/// What the weights of a model take on a device, in bytes.
typedef struct llama_sizes {
    uint64_t embedding, head; ///< head: output_norm and output
    bool tied;                ///< the embedding is the output matrix too, and head is output_norm alone
    uint64_t layers[LLAMA_MAX_LAYERS];
} llama_sizes;

/// A device as a place for layers.
typedef struct llama_room {
    uint64_t device_bytes, host_bytes;         ///< free: of its own memory, of the host's that it can read
    uint64_t memory_bytes;                     ///< the size of its own
    double device_gb_per_s, host_gb_per_s;     ///< how fast it reads each; 0: not known
    uint64_t scratch_bytes, kv_bytes_of_layer; ///< of a session that is likely to come
} llama_room;

/// The layers of one device, one run of them.
typedef struct llama_stage_place {
    uint32_t first_layer, n_layer;
    uint32_t n_in_host; ///< the weights of so many, the last ones, are in the host's memory
    bool embedding_in_host, head_in_host;
    uint64_t device_bytes, host_bytes; ///< of weights
    uint64_t unread_bytes;             ///< of those, what a token reads next to nothing of
} llama_stage_place;

typedef struct llama_placement {
    uint32_t n_stages;
    llama_stage_place stages[LLAMA_MAX_STAGES];
} llama_placement;

/// Everything in the own memory of one device.
llama_placement llama_place_at_once(const llama_config *config, const llama_sizes *sizes);

/// Divides the layers among devices, in their order, and each device's weights between its own memory and the host's, so that a
/// token is read in the least time:
/// - Every device gets a layer. The others go to the fastest memory that has room for them with their K and V. Of devices that
/// are
///   about as fast each gets its share by the size of its memory; one that is not half as fast gets what is left.
/// - The host's memory gets what is read least for each byte that it saves: the embedding, of which a token reads one row (unless
/// it
///   is the output matrix too), where that makes room for weights, K and V; then K and V, layer by layer, half of which a token
///   reads as a context fills (they are placed later, by llama_place_context); then the weights of whole layers.
/// rooms [n_rooms], n_rooms <= n_layer. Returns whether it fits.
bool llama_place_weights(const llama_config *config, const llama_sizes *sizes, const llama_room *rooms, uint32_t n_rooms,
                         llama_placement *placement);

/// K, V and activations of a session.
typedef struct llama_context_place {
    struct {
        uint32_t n_in_host; ///< K and V of so many of the stage's layers, the last ones
        bool scratch_in_host;
        uint64_t device_bytes, host_bytes;
    } stages[LLAMA_MAX_STAGES];
} llama_context_place;

/// rooms: what is free beside the weights, with what this session takes. Returns whether it fits.
bool llama_place_context(const llama_placement *weights, const llama_room *rooms, llama_context_place *place);

/// How many times as long a token's reads take as if all of the model were in the devices' own memory, in a context half full. 0
/// where the speeds are not known.
double llama_place_slowdown(const llama_placement *weights, const llama_context_place *context, const llama_room *rooms);

/// Layers that have their weights or their K and V in the host's memory, as planned.
uint32_t llama_place_layers_in_host(const llama_placement *weights, const llama_context_place *context);

#endif
