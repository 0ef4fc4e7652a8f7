#include "pace.h"

#include <math.h>

enum { ASK_MS = 10000, MOST_REST_MS = 400 };

float pace_rest(float heat) {
    const float cool = 0.85f, most = 4;
    if (!(heat > cool)) return 0; // NaN too
    float rest = (heat - cool) / (1 - cool);
    return rest < most ? rest : most;
}

void pace_begin(pace *p, uint64_t now_ms) { p->worked_since_ms = now_ms; }

int pace_rest_ms(pace *p, uint64_t now_ms, float (*heat)(void)) {
    if (p->asked_ms == 0 || now_ms - p->asked_ms >= ASK_MS) {
        float now = heat();
        if (!isnan(now)) p->rest = pace_rest(now);
        p->asked_ms = now_ms ? now_ms : 1;
    }
    float ms = p->rest * (float)(now_ms - p->worked_since_ms);
    int rest = ms < MOST_REST_MS ? (int)ms : MOST_REST_MS;
    p->worked_since_ms = now_ms + (uint64_t)rest;
    return rest;
}
