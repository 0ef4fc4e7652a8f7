/* The table of the tensors that a LLaMA is made of: name, shape, and where each goes. */
#ifndef LLAMA_TENSORS_H
#define LLAMA_TENSORS_H

#include "llama/weights.h"

typedef enum llama_part { LLAMA_EMBEDDING, LLAMA_LAYER, LLAMA_HEAD } llama_part;

/// One tensor of one layer (or of none).
typedef struct llama_tensor_slot {
    char name[64];
    uint32_t n_rows, n_cols; ///< n_rows 1 with is_vector: one dimension in the file
    llama_part part;
    uint32_t layer; ///< of LLAMA_LAYER
    bool is_vector;
    bool optional;
    op_tensor *tensor; ///< where it goes: here, or in the stack; both NULL when no weights were given
    op_stack *stack;
    uint32_t stack_row; ///< the first of its rows in the stack
} llama_tensor_slot;

/// How many slots a model has.
uint32_t llama_n_slots(const llama_config *config);
/// The slot of an index, in the order of a pass through the model. weights may be NULL (for planning).
llama_tensor_slot llama_slot(const llama_config *config, llama_weights *weights, uint32_t index);
/// The matrix that the rows of a slot belong to, NULL where no room has been made yet, and the first of them.
op_tensor *llama_slot_matrix(const llama_tensor_slot *slot, uint32_t *first_row);

/// The stage that a slot's tensor belongs to.
llama_stage *llama_slot_stage(llama_weights *weights, const llama_tensor_slot *slot);
/// As llama_slot_find, for the stages of `weights`: the output has a copy of the embedding where it is on another device.
pum_status llama_slot_source(const gguf *file, const llama_weights *weights, const llama_tensor_slot *slot,
                             const gguf_tensor **tensor, pum_error *err);

/// Finds the tensor of a slot and checks type and shape. *tensor is NULL for an optional one that is not there.
pum_status llama_slot_find(const gguf *file, const llama_tensor_slot *slot, const gguf_tensor **tensor, pum_error *err);

#endif
