/* Where a model is put: arithmetic alone, on devices that are not there. */
#include "llama/forward.h"
#include "llama/placement.h"
#include "ops/buffers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N_LAYER = 30, LAYER = 1000, KV = 100, EMBEDDING = 5000, HEAD = 6000, SCRATCH = 500 };

static const llama_config config = {.n_layer = N_LAYER};

static llama_sizes sizes_of(bool tied) {
    llama_sizes sizes = {.embedding = EMBEDDING, .head = tied ? 10 : HEAD, .tied = tied};
    for (int il = 0; il < N_LAYER; il++) sizes.layers[il] = LAYER;
    return sizes;
}

static llama_room room_of(uint64_t device_bytes, uint64_t host_bytes, double device_gb_per_s) {
    return (llama_room){.device_bytes = device_bytes,
                        .host_bytes = host_bytes,
                        .memory_bytes = device_bytes,
                        .device_gb_per_s = device_gb_per_s,
                        .host_gb_per_s = 10,
                        .scratch_bytes = SCRATCH,
                        .kv_bytes_of_layer = KV};
}

/* Every layer is somewhere, once and in order, and what the stages take is all there is. */
static void check_whole(const llama_placement *p, const llama_sizes *sizes) {
    uint32_t next = 0;
    uint64_t n_bytes = 0, all = sizes->embedding + sizes->head + N_LAYER * LAYER;
    for (uint32_t i = 0; i < p->n_stages; i++) {
        assert_int_equal(p->stages[i].first_layer, next);
        assert_true(p->stages[i].n_layer >= 1);
        assert_true(p->stages[i].n_in_host <= p->stages[i].n_layer);
        next += p->stages[i].n_layer;
        n_bytes += p->stages[i].device_bytes + p->stages[i].host_bytes;
    }
    assert_int_equal(next, N_LAYER);
    assert_int_equal(n_bytes, all + (p->n_stages > 1 && sizes->tied ? sizes->embedding : 0));
}

static llama_placement place(const llama_sizes *sizes, const llama_room *rooms, uint32_t n, bool expected) {
    llama_placement p;
    assert_int_equal(llama_place_weights(&config, sizes, rooms, n, &p), expected);
    if (expected) check_whole(&p, sizes);
    return p;
}

/* K of a head and the table of angles stand in one binding each; nothing longer counts as nothing. */
static void test_longest_context(void **state) {
    (void)state;
    enum { RANGE = 1 << 27 };
    const vk_caps caps = {.max_storage_range = RANGE, .storage_align = 256};
    const llama_config wide = {.head_dim = 128, .n_rot = 128}, half = {.head_dim = 128, .n_rot = 32};
    assert_int_equal(llama_most_ctx(&caps, &wide, TENSOR_F16), RANGE / 512); // the table
    assert_int_equal(llama_most_ctx(&caps, &half, TENSOR_F16), RANGE / 256); // K
    assert_int_equal(llama_most_ctx(&caps, &half, TENSOR_Q8_0), RANGE / 136);
    uint64_t covered = op_kv_bytes(&caps, TENSOR_F16, 4, RANGE / 256, 128);
    assert_int_equal(covered, 4ull * 2 * RANGE);
    assert_true(op_kv_bytes(&caps, TENSOR_F16, 4, RANGE / 256 + 1, 128) > covered);
}

static void test_all_of_it_fits(void **state) {
    (void)state;
    llama_sizes sizes = sizes_of(false);
    llama_room room = room_of(EMBEDDING + HEAD + N_LAYER * (LAYER + KV) + SCRATCH, 1000000, 100);
    llama_placement p = place(&sizes, &room, 1, true);
    assert_int_equal(p.stages[0].host_bytes, 0);
    assert_int_equal(p.stages[0].n_in_host, 0);
    llama_placement at_once = llama_place_at_once(&config, &sizes);
    assert_int_equal(at_once.stages[0].device_bytes, EMBEDDING + HEAD + N_LAYER * LAYER);
}

/* One byte too few: the embedding goes, of which a token reads a row; then layers from the last one, then the head. */
static void test_least_read_goes_first(void **state) {
    (void)state;
    llama_sizes sizes = sizes_of(false);
    const uint64_t all = EMBEDDING + HEAD + N_LAYER * LAYER + SCRATCH;
    llama_room room = room_of(all + N_LAYER * KV - 1, 1000000, 100);
    llama_placement p = place(&sizes, &room, 1, true);
    assert_true(p.stages[0].embedding_in_host);
    assert_int_equal(p.stages[0].n_in_host, 0);
    room = room_of(all - EMBEDDING - 1, 1000000, 100);
    p = place(&sizes, &room, 1, true);
    assert_int_equal(p.stages[0].n_in_host, 1);
    assert_false(p.stages[0].head_in_host);
    room = room_of(all - EMBEDDING - 11 * LAYER - 1, 1000000, 100);
    p = place(&sizes, &room, 1, true);
    assert_int_equal(p.stages[0].n_in_host, 12);
    room = room_of(SCRATCH, 1000000, 100);
    p = place(&sizes, &room, 1, true);
    assert_int_equal(p.stages[0].n_in_host, N_LAYER);
    assert_true(p.stages[0].head_in_host);
    assert_int_equal(p.stages[0].device_bytes, 0);
}

/* An embedding that is the output too is read whole for every token: layers go before it. */
static void test_a_tied_embedding_stays(void **state) {
    (void)state;
    llama_sizes sizes = sizes_of(true);
    llama_room room = room_of(EMBEDDING + 10 + N_LAYER * LAYER + SCRATCH - 1, 1000000, 100);
    llama_placement p = place(&sizes, &room, 1, true);
    assert_false(p.stages[0].embedding_in_host);
    assert_int_equal(p.stages[0].n_in_host, 1);
    room = room_of(0, 1000000, 100);
    p = place(&sizes, &room, 1, true);
    assert_true(p.stages[0].embedding_in_host && p.stages[0].head_in_host);
}

static void test_refused_where_neither_fits(void **state) {
    (void)state;
    llama_sizes sizes = sizes_of(false);
    llama_room room = room_of(20 * LAYER, 5 * LAYER, 100);
    place(&sizes, &room, 1, false);
    room = room_of(30 * LAYER, 0, 100);
    place(&sizes, &room, 1, false);
    // Without room for a likely session's activations a short one may still do.
    room = room_of(EMBEDDING + HEAD + N_LAYER * LAYER, 0, 100);
    llama_placement p = place(&sizes, &room, 1, true);
    assert_int_equal(p.stages[0].host_bytes, 0);
    // Two devices read one and the same memory of the host.
    llama_room rooms[] = {room_of(12 * LAYER, 10 * LAYER, 100), room_of(12 * LAYER, 10 * LAYER, 100)};
    place(&sizes, rooms, 2, false);
}

static void test_devices_of_a_class_share_by_size(void **state) {
    (void)state;
    llama_sizes sizes = sizes_of(false);
    llama_room rooms[] = {room_of(200 * LAYER, 1000000, 100), room_of(100 * LAYER, 1000000, 80)};
    llama_placement p = place(&sizes, rooms, 2, true);
    assert_int_equal(p.stages[0].n_layer, 20);
    assert_int_equal(p.stages[1].n_layer, 10);
    rooms[1].device_gb_per_s = 0; // not known
    p = place(&sizes, rooms, 2, true);
    assert_int_equal(p.stages[1].n_layer, 10);
}

static void test_a_slow_device_gets_what_is_left(void **state) {
    (void)state;
    llama_sizes sizes = sizes_of(false);
    llama_room rooms[] = {room_of(200 * LAYER, 1000000, 10), room_of(200 * LAYER, 1000000, 100),
                          room_of(200 * LAYER, 1000000, 40)};
    llama_placement p = place(&sizes, rooms, 3, true);
    assert_int_equal(p.stages[0].n_layer, 1);
    assert_int_equal(p.stages[1].n_layer, 28);
    assert_int_equal(p.stages[2].n_layer, 1);
    // The fast one holds 15 layers with their K and V; the next class comes before the slowest.
    rooms[1].device_bytes = SCRATCH + 15 * (LAYER + KV);
    p = place(&sizes, rooms, 3, true);
    assert_int_equal(p.stages[0].n_layer, 1);
    assert_int_equal(p.stages[1].n_layer, 15);
    assert_int_equal(p.stages[2].n_layer, 14);
    // All are full: the one that reads the host's memory fastest takes the rest.
    rooms[0].device_bytes = EMBEDDING + SCRATCH + 5 * (LAYER + KV);
    rooms[1].device_bytes = SCRATCH + 5 * (LAYER + KV);
    rooms[2].device_bytes = HEAD + SCRATCH + 5 * (LAYER + KV);
    rooms[1].host_gb_per_s = 20;
    p = place(&sizes, rooms, 3, true);
    assert_int_equal(p.stages[0].n_layer, 5);
    assert_int_equal(p.stages[1].n_layer, 20);
    assert_int_equal(p.stages[2].n_layer, 5);
    assert_int_equal(p.stages[1].n_in_host, 15); // K and V go to the host before weights do
}

static void test_a_tied_output_is_copied_to_the_last(void **state) {
    (void)state;
    llama_sizes sizes = sizes_of(true);
    llama_room rooms[] = {room_of(200 * LAYER, 0, 100), room_of(200 * LAYER, 0, 100)};
    llama_placement p = place(&sizes, rooms, 2, true);
    assert_int_equal(p.stages[0].device_bytes, EMBEDDING + 15 * LAYER);
    assert_int_equal(p.stages[1].device_bytes, EMBEDDING + 10 + 15 * LAYER);
}

static void test_context(void **state) {
    (void)state;
    llama_placement p = {.n_stages = 1, .stages = {{.n_layer = N_LAYER, .n_in_host = 4}}};
    llama_context_place c;
    llama_room room = room_of(SCRATCH + N_LAYER * KV, 1000000, 100);
    assert_true(llama_place_context(&p, &room, &c));
    assert_int_equal(c.stages[0].n_in_host, 0);
    assert_int_equal(llama_place_layers_in_host(&p, &c), 4);
    room.device_bytes--;
    assert_true(llama_place_context(&p, &room, &c));
    assert_int_equal(c.stages[0].n_in_host, 1);
    assert_int_equal(c.stages[0].host_bytes, KV);
    room.device_bytes = SCRATCH + 10 * KV;
    room.host_bytes = 20 * KV;
    assert_true(llama_place_context(&p, &room, &c));
    assert_int_equal(llama_place_layers_in_host(&p, &c), 20);
    room.host_bytes--;
    assert_false(llama_place_context(&p, &room, &c));
    room = room_of(SCRATCH - 1, 1000000, 100);
    assert_true(llama_place_context(&p, &room, &c));
    assert_true(c.stages[0].scratch_in_host);
}

static void expect_near(double got, double expected) {
    if (!(got > expected * 0.999 && got < expected * 1.001)) fail_msg("expected %g, got %g", expected, got);
}

static void test_slowdown_is_that_of_the_reads(void **state) {
    (void)state;
    llama_room room = room_of(0, 0, 100); // and 10 of the host's
    llama_context_place c = {0};
    llama_placement p = {.n_stages = 1, .stages = {{.n_layer = N_LAYER, .device_bytes = N_LAYER * LAYER}}};
    expect_near(llama_place_slowdown(&p, &c, &room), 1);
    p.stages[0].device_bytes = 0;
    p.stages[0].host_bytes = N_LAYER * LAYER;
    c.stages[0].n_in_host = N_LAYER;
    expect_near(llama_place_slowdown(&p, &c, &room), 10);
    p.stages[0].device_bytes = N_LAYER * LAYER;
    p.stages[0].host_bytes = EMBEDDING; // of which a token reads a row
    p.stages[0].unread_bytes = EMBEDDING;
    p.stages[0].embedding_in_host = true;
    c.stages[0].n_in_host = 0;
    expect_near(llama_place_slowdown(&p, &c, &room), 1);
    room.host_gb_per_s = 0;
    c.stages[0].n_in_host = 1;
    assert_true(llama_place_slowdown(&p, &c, &room) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest_context),
        cmocka_unit_test(test_all_of_it_fits),
        cmocka_unit_test(test_least_read_goes_first),
        cmocka_unit_test(test_a_tied_embedding_stays),
        cmocka_unit_test(test_refused_where_neither_fits),
        cmocka_unit_test(test_devices_of_a_class_share_by_size),
        cmocka_unit_test(test_a_slow_device_gets_what_is_left),
        cmocka_unit_test(test_a_tied_output_is_copied_to_the_last),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_slowdown_is_that_of_the_reads),
    };
    return cmocka_run_group_tests_name("placement", tests, NULL, NULL);
}
