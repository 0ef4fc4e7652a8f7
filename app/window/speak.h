/* Answers read aloud while they come, by the system's speech-dispatcher, which is loaded where it is installed. */
#ifndef WINDOW_SPEAK_H
#define WINDOW_SPEAK_H

#include <stdbool.h>
#include <stdint.h>

/// All functions but the thread behind them are of the window's thread, return at once, and take NULL too.
typedef struct speak speak;

enum { SPEAK_WHY_BYTES = 512 };

/// problem: the type of the SDL event that is pushed when there is something for speak_problem. Returns NULL when the heap is
/// out.
speak *speak_start(uint32_t problem);
/// Why nothing can be heard, as a sentence for the person, once: why [SPEAK_WHY_BYTES]. Returns false where there is nothing to
/// tell.
bool speak_problem(speak *s, char *why);
/// An answer begins, and the one before is silent; what it holds already is not spoken.
void speak_begin(speak *s, const char *answer);
/// The answer so far, which has only grown: each sentence is spoken once it has ended, or the answer has.
void speak_follow(speak *s, const char *answer, bool finished);
/// Silence, also for what is still to come of this answer.
void speak_hush(speak *s);
void speak_stop(speak **s);

#endif
