// The best k of n candidates, in order, to list[0 … k-1]; k <= BUCKETS. The includer defines SIZE, the size of the workgroup, and
// candidate(i). Exact for all inputs; for most it sorts little more than k of them:
//
//   candidates  0 1 2 … 127 | 128 129 … | …      bucket b: candidates b, b + BUCKETS, …; the best of each bucket is found first.
//                                                The k-th best of those is no better than the k-th best of all: a bound.
//   list        [ k best so far | not worse than the bound, in any order … ]     sorted when it is full, which raises the bound.
//
// Bitonic sort: Batcher, "Sorting networks and their applications", 1968.
//
// A candidate is (key, id): keys order as the logits do, NaN and +inf above all of them, 0 is none. Ties: the lower id is better.
#define BUCKETS 128
#define BATCH 512
#define CAPACITY 1024

const uvec2 NONE = uvec2(0, 0xffffffffu);
const uint KEY_WRONG = 0xffffffffu, KEY_LOWEST = 0x007fffffu; // of -inf

uint key_of(uint bits) {
    if ((bits & 0x7fffffffu) > 0x7f800000u || bits == 0x7f800000u) return KEY_WRONG;
    if (bits == 0x80000000u) bits = 0; // -0 is as good as 0
    return bits ^ (bits >> 31 == 1 ? 0xffffffffu : 0x80000000u);
}
float logit_of(uint key) { return uintBitsToFloat(key ^ (key >> 31 == 1 ? 0x80000000u : 0xffffffffu)); }

bool better(uvec2 a, uvec2 b) { return a.x > b.x || (a.x == b.x && a.y < b.y); }

shared uvec2 list[CAPACITY];
shared uint n_list;

// list[0 … n-1], n a power of two, the best first.
void sort(uint n) {
    for (uint size = 2; size <= n; size *= 2)
        for (uint step = size / 2; step > 0; step /= 2) {
            barrier();
            for (uint i = gl_LocalInvocationID.x; i < n / 2; i += SIZE) {
                uint at = 2 * i - (i & (step - 1));
                uvec2 a = list[at], b = list[at + step];
                if (better(b, a) == ((at & size) == 0)) {
                    list[at] = b;
                    list[at + step] = a;
                }
            }
        }
    barrier();
}

// Sorts the first n of the list, with none behind them up to k at least.
void sort_some(uint n, uint k) {
    uint padded = 2u << findMSB(max(n, k) - 1);
    for (uint i = n + gl_LocalInvocationID.x; i < padded; i += SIZE) list[i] = NONE;
    sort(padded);
}

void best_of_buckets() {
    for (uint step = BUCKETS / 2; step > 0; step /= 2) {
        barrier();
        for (uint i = gl_LocalInvocationID.x; i < step; i += SIZE)
            if (better(list[i + step], list[i])) list[i] = list[i + step];
    }
    barrier();
}

// The list holds the best of each bucket. One sort in a loop, not one for each use: compilers inline it, and take their time.
void collect(uint n, uint k) {
    uint base = 0, found = BUCKETS;
    for (bool bounded = false;; bounded = true) {
        sort_some(found, k);
        if (bounded && base >= n) break;
        uvec2 bound = list[k - 1];
        found = bounded ? k : 0;
        if (gl_LocalInvocationID.x == 0) n_list = found;
        barrier();
        for (; base < n && found <= CAPACITY - BATCH; base += BATCH) {
            uint end = min(base + BATCH, n);
            for (uint i = base + gl_LocalInvocationID.x; i < end; i += SIZE) {
                uvec2 c = candidate(i);
                if (c.x > 0 && !better(bound, c)) list[atomicAdd(n_list, 1)] = c;
            }
            barrier();
            found = n_list;
            barrier();
        }
    }
}

void select_best(uint n, uint k) {
    for (uint b = gl_LocalInvocationID.x; b < BUCKETS; b += SIZE) {
        uvec2 best = NONE;
        for (uint i = b; i < n; i += BUCKETS) {
            uvec2 c = candidate(i);
            if (better(c, best)) best = c;
        }
        list[b] = best;
    }
    if (k == 1) best_of_buckets();
    else collect(n, k);
}
