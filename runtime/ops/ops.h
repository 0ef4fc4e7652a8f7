/* The operations of the model, one file each. Every function records dispatches into a frame and returns at once; shapes are
 * checked with assert (they are ours by then), failures are kept by the frame. The numbers are float32 with float32 accumulation.
 */
#ifndef OPS_OPS_H
#define OPS_OPS_H

#include "ops/frame.h"
#include "ops/tensor.h"

/// x[t,:] = W[tokens[t],:]. tokens: n_tokens int32 ids in [0, W.n_rows) on the device; x [n_tokens, n_cols].
void op_embed(op_frame *f, const op_tensor *w, vk_span tokens, op_rows x);

/// y[t,:] = x[t,:] / sqrt(mean(x[t,:]²) + eps) * w. arXiv:1910.07467. w: an F32 tensor [1, n_cols]; x, y [n_tokens, n_cols]; y
/// may be x.
void op_rmsnorm(op_frame *f, op_rows x, const op_tensor *w, float eps, op_rows y);

/// y[t,:] = W x[t,:]. x [n_tokens, W.n_cols], y [n_tokens, W.n_rows]; y is not x. Any n_tokens: few go to the matvec, many to the
/// tiled product.
void op_matmul(op_frame *f, const op_tensor *w, op_rows x, op_rows y);
/// The same for a stack of matrices. y [n_tokens, rows of all parts].
void op_matmul_stack(op_frame *f, const op_stack *w, op_rows x, op_rows y);
/// y[t,:] += W x[t,:].
void op_matmul_add(op_frame *f, const op_tensor *w, op_rows x, op_rows y);
/// h[t,:] = silu(Wgate x[t,:]) * (Wup x[t,:]), silu(a) = a / (1 + exp(-a)). arXiv:2002.05202. Gate and up may differ in type.
/// scratch: rows of the shape of h, used only where they do.
void op_matmul_swiglu(op_frame *f, const op_tensor *gate, const op_tensor *up, op_rows x, op_rows h, op_rows scratch);

/// y[t,:] = W rmsnorm(x[t,:]), with norm and eps as in op_rmsnorm, in one dispatch where the kernel for few tokens can. n:
/// scratch rows of the shape of x for where it cannot. y is neither x nor n.
void op_norm_matmul(op_frame *f, op_rows x, const op_tensor *norm, float eps, const op_tensor *w, op_rows y, op_rows n);
/// The same for a stack of matrices.
void op_norm_matmul_stack(op_frame *f, op_rows x, const op_tensor *norm, float eps, const op_stack *w, op_rows y, op_rows n);
/// h[t,:] = silu(Wgate m) * (Wup m), m = rmsnorm(x[t,:]). n as in op_norm_matmul, scratch as in op_matmul_swiglu.
void op_norm_swiglu(op_frame *f, op_rows x, const op_tensor *norm, float eps, const op_tensor *gate, const op_tensor *up,
                    op_rows h, op_rows n, op_rows scratch);

/// Where K and V of one layer are kept: [n_head_kv, n_ctx, head_dim] each, cut by heads into slices that one binding can cover.
/// shaders/include/kv.glsl says how a slice is laid out.
typedef struct op_kv {
    tensor_type type; ///< TENSOR_F16, or TENSOR_Q8_0: head_dim a multiple of 32
    uint32_t n_head_kv, n_ctx, head_dim;
    uint32_t n_slices, heads_per_slice; ///< slice s holds heads [s*heads_per_slice, …), fewer in the last
    vk_span *k, *v;                     ///< [n_slices]
} op_kv;

/// Rotary position: cos and sin of every angle, computed in double on the host, because Vulkan promises sin and cos to 2^-11
/// only.
typedef struct op_rope {
    vk_span table;  ///< float32 [n_ctx, n_rot / 2, 2]: (cos, sin) of position * frequency
    uint32_t n_rot; ///< leading dimensions of a head that rotate; even, <= head_dim
} op_rope;

/// Where the tokens of a pass stand. The device reads it from memory, so that a recorded pass can be submitted again further on.
typedef struct op_position {
    vk_span n_past; ///< uint32 on the device: tokens before the first one
    uint32_t most;  ///< what it can be at most while the recording is used: how much work is laid out
    uint32_t depth; ///< of which costs are counted: n_past where it is known, else most
} op_position;

/// qkv of a pass: q, k and v of a token stand behind each other, [n_tokens, (n_head + 2*n_head_kv) * head_dim].

/// What K or V of one head takes at one position.
uint64_t op_kv_position_bytes(tensor_type type, uint32_t head_dim);
/// What the table of angles takes for one position.
uint64_t op_rope_position_bytes(uint32_t n_rot);

/// Rotates q in place and k on its way into the cache, and stores k and v at positions n_past … n_past + n_tokens - 1.
/// Pairs are (2i, 2i+1), as GGUF's "llama" has them. arXiv:2104.09864.
void op_rope_store(op_frame *f, const op_rope *rope, op_rows qkv, op_position position, const op_kv *kv);

/// a[t,h,:] = softmax(q[t,h,:]·K[h']ᵀ / sqrt(head_dim)) V[h'] over positions 0 … n_past + t, with h' = h / (n_head / n_head_kv).
/// Online softmax, the weights are never stored: arXiv:2112.05682, arXiv:2205.14135; grouped queries: arXiv:2305.13245.
/// a [n_tokens, n_head*head_dim]; head_dim a multiple of 8, at most 256.
/// scratch: [1, op_attention_scratch_floats(head_dim)], whatever n_head, n_ctx and n_tokens are. A deep context is cut in chunks
/// that the device works on at once, and their partial results go there. op_attention_begin prepares it, once before the first
/// attention of a pass.
void op_attention(op_frame *f, op_rows qkv, const op_kv *kv, op_position position, op_rows a, op_rows scratch);
void op_attention_begin(op_frame *f, op_rows scratch);
uint32_t op_attention_scratch_floats(uint32_t head_dim);

/// Chooses a token after a decode step and moves the step on, with nothing of it on the host: penalties → top-k → top-p → min-p →
/// temperature → draw, as pum_sampler does, then the stop test. ops/sample.h has what the host does before and after.
/// logits   [1, n_vocab], left as they are.
/// params   those in the state; a recorded step serves others too, see op_sample_same.
/// state    struct step_state; token, n_past, n_made, stopped, random numbers and the window of the penalties move on.
/// ring     [n_ring] words, a record for each chosen token, host-visible; n_ring: more than there are steps in flight, < 4096.
/// scratch  OP_SAMPLE_SCRATCH_BYTES.
void op_sample(op_frame *f, const pum_sampler_params *params, op_rows logits, vk_span state, vk_span ring, op_rows scratch);
enum { OP_SAMPLE_SCRATCH_BYTES = 16384 };

/// The device's best: reads span once and again, multiplies; see pum_device_measure_peaks.
pum_status op_measure_peaks(op_kernels *kernels, pum_device_peaks *peaks, pum_error *err);
/// How fast it reads its own memory and the host's, in 10^9 bytes per second; 0: there is none, or none free. Less than a second.
pum_status op_measure_reads(op_kernels *kernels, double *device_gb_per_s, double *host_gb_per_s, pum_error *err);

#endif
