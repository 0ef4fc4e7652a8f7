/* The table of the tensors that a LLaMA is made of: name, shape, and where each goes. */
#ifndef LLAMA_TENSORS_H
#define LLAMA_TENSORS_H

#include "llama/weights.h"

/// One tensor of one layer (or of none).
typedef struct llama_tensor_slot {
    char name[64];
    uint32_t n_rows, n_cols; ///< n_rows 1 with is_vector: one dimension in the file
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

/// Finds the tensor of a slot and checks type and shape. *tensor is NULL for an optional one that is not there.
pum_status llama_slot_find(const gguf *file, const llama_tensor_slot *slot, const gguf_tensor **tensor, pum_error *err);

#endif
