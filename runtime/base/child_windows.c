/* Two pipes and a job: what is in the job ends with the process that holds it, however that ends. */
#define WIN32_LEAN_AND_MEAN
#include "base/child.h"
#include "base/wide.h"

#include <io.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

_Static_assert((int)CHILD_PATH_BYTES >= (int)FILES_MAX_PATH, "wide.h has to hold the path of a program");

struct child {
    HANDLE process, job, to, from;
    line_reader lines;
};

/* ---- finding */

bool child_find(const char *name, char *path) {
    HMODULE own;
    wchar_t wide[FILES_MAX_PATH], wide_name[64];
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                            (const wchar_t *)(uintptr_t)child_find, &own))
        return false;
    DWORD n = GetModuleFileNameW(own, wide, FILES_MAX_PATH);
    wchar_t *slash = n > 0 && n < FILES_MAX_PATH ? wcsrchr(wide, L'\\') : NULL;
    if (!slash || MultiByteToWideChar(CP_UTF8, 0, name, -1, wide_name, 64) == 0) return false;
    // Beside the library, or the program would not find it.
    if ((size_t)(slash - wide) + wcslen(wide_name) + sizeof ".exe" >= FILES_MAX_PATH) return false;
    wcscpy(slash + 1, wide_name);
    wcscat(slash, L".exe");
    return GetFileAttributesW(wide) != INVALID_FILE_ATTRIBUTES &&
           WideCharToMultiByte(CP_UTF8, 0, wide, -1, path, CHILD_PATH_BYTES, NULL, NULL) > 0;
}

/* ---- starting */

static void close_all(HANDLE *handles, int n) {
    for (int i = 0; i < n; i++)
        if (handles[i]) CloseHandle(handles[i]);
}

/* One of ours for the program, for it alone: a handle that is inherited. */
static bool let_inherit(HANDLE *handle) { return SetHandleInformation(*handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT); }

/* theirs [3]: its standard input, output and error. */
static bool make_streams(child *c, HANDLE theirs[3]) {
    enum { PIPE_BYTES = 1 << 16 };
    HANDLE error = GetStdHandle(STD_ERROR_HANDLE), self = GetCurrentProcess();
    DWORD no_wait = PIPE_READMODE_BYTE | PIPE_NOWAIT; // our end alone
    if (!CreatePipe(&theirs[0], &c->to, NULL, PIPE_BYTES) || !CreatePipe(&c->from, &theirs[1], NULL, PIPE_BYTES)) return false;
    if (!SetNamedPipeHandleState(c->to, &no_wait, NULL, NULL)) return false;
    // This process may have none.
    if (!error || error == INVALID_HANDLE_VALUE ||
        !DuplicateHandle(self, error, self, &theirs[2], 0, FALSE, DUPLICATE_SAME_ACCESS))
        theirs[2] = CreateFileW(L"NUL", GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (theirs[2] == INVALID_HANDLE_VALUE) theirs[2] = NULL;
    return theirs[2] && let_inherit(&theirs[0]) && let_inherit(&theirs[1]) && let_inherit(&theirs[2]);
}

/* The job ends what is in it with its last handle, which is ours. */
static bool make_job(child *c) {
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
        .BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION};
    c->job = CreateJobObjectW(NULL, NULL);
    return c->job && SetInformationJobObject(c->job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
}

/* Starts it with these streams and no other handle of this process. */
static bool spawn(child *c, wchar_t *path, HANDLE theirs[3]) {
    wchar_t command[FILES_MAX_PATH + 2];
    PROCESS_INFORMATION made = {0};
    STARTUPINFOEXW info = {.StartupInfo = {.cb = sizeof info,
                                           .dwFlags = STARTF_USESTDHANDLES,
                                           .hStdInput = theirs[0],
                                           .hStdOutput = theirs[1],
                                           .hStdError = theirs[2]}};
    size_t n_bytes = 0;
    _snwprintf(command, FILES_MAX_PATH + 2, L"\"%ls\"", path);
    InitializeProcThreadAttributeList(NULL, 1, 0, &n_bytes);
    info.lpAttributeList = malloc(n_bytes);
    bool listed = info.lpAttributeList && InitializeProcThreadAttributeList(info.lpAttributeList, 1, 0, &n_bytes);
    // Suspended, so that it starts nothing before it is in the job. Of a group of its own, so that Ctrl-C is not for it.
    bool ok = listed &&
              UpdateProcThreadAttribute(info.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, theirs, 3 * sizeof *theirs,
                                        NULL, NULL) &&
              CreateProcessW(path, command, NULL, NULL, TRUE,
                             CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP | EXTENDED_STARTUPINFO_PRESENT, NULL, NULL,
                             &info.StartupInfo, &made);
    DWORD failure = ok ? 0 : GetLastError();
    if (listed) DeleteProcThreadAttributeList(info.lpAttributeList);
    free(info.lpAttributeList);
    c->process = made.hProcess;
    if (ok && (!AssignProcessToJobObject(c->job, made.hProcess) || ResumeThread(made.hThread) == (DWORD)-1)) {
        failure = GetLastError();
        TerminateProcess(made.hProcess, 1);
    }
    if (made.hThread) CloseHandle(made.hThread);
    SetLastError(failure);
    return failure == 0;
}

static void free_child(child *c) {
    close_all((HANDLE[]){c->to, c->from, c->process, c->job}, 4);
    free(c);
}

pum_status child_start(const char *path, child **started, pum_error *err) {
    char reason[512];
    wchar_t wide[FILES_MAX_PATH];
    HANDLE theirs[3] = {0};
    child *c = *started = calloc(1, sizeof *c);
    if (!c) return pum_fail_memory(err, "another program", sizeof *c);
    bool ok = wide_path(path, wide) && make_streams(c, theirs) && make_job(c) && spawn(c, wide, theirs);
    if (!ok) wide_reason(GetLastError(), reason, sizeof reason);
    close_all(theirs, 3);
    if (ok) return PUM_OK;
    free_child(c);
    *started = NULL;
    return pum_fail(err, PUM_ERR_IO, "%s: it cannot be started: %s", path, reason);
}

pum_status child_adopt(int socket, void (*end)(void *user), void *user, child **adopted, pum_error *err) {
    (void)socket, (void)end, (void)user;
    *adopted = NULL;
    return pum_fail(err, PUM_ERR_UNSUPPORTED, "a process that others have started cannot be spoken with under Windows");
}

/* ---- speaking */

/* One that hangs does not read, and may be waiting for us to: neither is waited for without an end. */
enum { SEND_MS = 10000, SEND_STEP_MS = 5 };

/* The pipe does not wait: what it has no room for it leaves. */
static bool send_all(HANDLE to, const char *bytes, size_t n) {
    ULONGLONG begin = GetTickCount64();
    while (n > 0) {
        DWORD written = 0;
        if (!WriteFile(to, bytes, (DWORD)n, &written, NULL)) return false;
        bytes += written;
        n -= written;
        if (written > 0) {
            begin = GetTickCount64();
            continue;
        }
        if (GetTickCount64() - begin >= SEND_MS) return false;
        Sleep(SEND_STEP_MS);
    }
    return true;
}

bool child_send(child *c, const char *line) { return send_all(c->to, line, strlen(line)) && send_all(c->to, "\n", 1); }

child_event child_read(child *c, int most_ms, const char **line) {
    // One cannot wait for such a pipe with a limit: looks at it, seldom where nothing comes.
    enum { LONGEST_STEP_MS = 10 };
    ULONGLONG begin = GetTickCount64();
    for (DWORD step_ms = 0;; step_ms = step_ms < LONGEST_STEP_MS ? step_ms + 1 : LONGEST_STEP_MS) {
        if ((*line = line_reader_take(&c->lines))) return CHILD_LINE;
        DWORD there = 0, got = 0;
        if (!PeekNamedPipe(c->from, NULL, 0, NULL, &there, NULL)) return CHILD_GONE;
        if (there > 0) {
            size_t n_bytes;
            char *room = line_reader_room(&c->lines, &n_bytes);
            if (!ReadFile(c->from, room, (DWORD)n_bytes, &got, NULL) || got == 0) return CHILD_GONE;
            line_reader_add(&c->lines, got);
            step_ms = 0;
            continue;
        }
        if (GetTickCount64() - begin >= (ULONGLONG)most_ms) return CHILD_SILENT;
        Sleep(step_ms);
    }
}

double child_cpu_s(const child *c) {
    FILETIME made, ended, kernel, user;
    if (!GetProcessTimes(c->process, &made, &ended, &kernel, &user)) return -1;
    return 1e-7 * ((double)(kernel.dwLowDateTime + ((ULONGLONG)kernel.dwHighDateTime << 32)) +
                   (double)(user.dwLowDateTime + ((ULONGLONG)user.dwHighDateTime << 32)));
}

/* ---- ending */

enum { LAST_WAIT_MS = 2000, ENDED_BY_US = 0x50756D };

static const char *exception_name(DWORD code) {
    static const struct {
        DWORD code;
        const char *name;
    } names[] = {{EXCEPTION_ACCESS_VIOLATION, "access violation"},
                 {EXCEPTION_STACK_OVERFLOW, "stack overflow"},
                 {EXCEPTION_ILLEGAL_INSTRUCTION, "illegal instruction"},
                 {EXCEPTION_IN_PAGE_ERROR, "in-page error"},
                 {EXCEPTION_INT_DIVIDE_BY_ZERO, "division by zero"},
                 {0xC0000374, "heap corruption"},
                 {0xC0000409, "abort"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].code == code) return names[i].name;
    return NULL;
}

void child_end(child **ended, int patience_ms, char *how, size_t n_bytes) {
    child *c = *ended;
    if (!c) return;
    DWORD status = 0;
    bool gone = WaitForSingleObject(c->process, (DWORD)patience_ms) == WAIT_OBJECT_0;
    if (!gone) {
        TerminateProcess(c->process, ENDED_BY_US);
        gone = WaitForSingleObject(c->process, LAST_WAIT_MS) == WAIT_OBJECT_0;
    }
    if (gone) GetExitCodeProcess(c->process, &status);
    const char *name = exception_name(status);
    if (how && !gone)
        snprintf(how, n_bytes, "it cannot be ended");
    else if (how && status == ENDED_BY_US)
        snprintf(how, n_bytes, "it was ended");
    else if (how && status >= 0x80000000)
        snprintf(how, n_bytes, "exception %08lX%s%s", (unsigned long)status, name ? ", " : "", name ? name : "");
    else if (how)
        snprintf(how, n_bytes, "exit status %lu", (unsigned long)status);
    free_child(c);
    *ended = NULL;
}

/* ---- the side of the program */

bool child_go_along(int in) {
    (void)in; // the job sees to it
    BOOL in_job;
    return IsProcessInJob(GetCurrentProcess(), NULL, &in_job) && in_job;
}

bool child_answer(int out, const char *bytes, size_t n_bytes) {
    for (int written; n_bytes > 0; bytes += written, n_bytes -= (size_t)written)
        if ((written = _write(out, bytes, (unsigned)n_bytes)) <= 0) return false;
    return true;
}
