// The end of attention by a workgroup of one subgroup: the one that comes last joins what the chunks left for n_rows rows from `first` on.
void join_if_last(uint first, uint n_rows) {
    if (p.n_chunks == 1) return;
    memoryBarrierBuffer();
    subgroupBarrier();
    uint before = 0;
    if (gl_LocalInvocationID.x == 0) before = arrive();
    if (subgroupShuffle(before, 0) == p.n_chunks - 1) {
        memoryBarrierBuffer();
        for (uint i = gl_LocalInvocationID.x; i < n_rows * PARTS; i += gl_WorkGroupSize.x) join_chunks(first + i / PARTS, i % PARTS);
        if (gl_LocalInvocationID.x == 0) forget_arrivals();
    }
}
