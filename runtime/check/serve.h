/* The side of the protocol that checks: for a process of its own, which a bad driver may take down. */
#ifndef CHECK_SERVE_H
#define CHECK_SERVE_H

/// Answers what comes from in, until it ends or asks to. Ends the whole process, whatever it is doing, when the other side is
/// gone. Returns an exit status.
int check_serve(int in, int out);

#endif
