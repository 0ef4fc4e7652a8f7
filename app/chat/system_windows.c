#define WIN32_LEAN_AND_MEAN
#include "chat/system.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <shellapi.h>

const char system_end_keys[] = "Ctrl-Z and Enter";

/* ---- the console: what is changed is put back, because it outlives the program */

static const DWORD OUTPUTS[] = {STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
enum { N_OUTPUTS = sizeof OUTPUTS / sizeof *OUTPUTS };
static UINT code_page_before;
static DWORD modes_before[N_OUTPUTS];

static void put_back(void) {
    if (code_page_before) SetConsoleOutputCP(code_page_before);
    for (int i = 0; i < N_OUTPUTS; i++)
        if (modes_before[i]) SetConsoleMode(GetStdHandle(OUTPUTS[i]), modes_before[i]);
}

static void prepare_console(void) {
    for (int i = 0; i < N_OUTPUTS; i++) {
        DWORD mode;
        HANDLE output = GetStdHandle(OUTPUTS[i]);
        if (!GetConsoleMode(output, &mode)) continue;
        if (!code_page_before) code_page_before = GetConsoleOutputCP();
        SetConsoleOutputCP(CP_UTF8);
        // For the sequences that erase a line.
        if (SetConsoleMode(output, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING)) modes_before[i] = mode;
    }
    if (code_page_before) atexit(put_back);
    // Else each byte would go to the console by itself, and be taken for half a character.
    if (system_is_terminal(stdout)) setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
    if (system_is_terminal(stderr)) setvbuf(stderr, NULL, _IOFBF, BUFSIZ);
}

static void (*volatile interrupt_fn)(void);

/* On a thread of its own. */
static BOOL WINAPI on_control(DWORD event) {
    void (*fn)(void) = interrupt_fn;
    if (event == CTRL_C_EVENT && fn) {
        fn();
        return TRUE;
    }
    put_back();
    return FALSE; // the next handler ends the program
}

void system_catch_interrupt(void (*fn)(void)) { interrupt_fn = fn; }

/* A program of which Windows does not know that it was made for it hears of an old version, but from its core. */
void system_name(char *text) {
    OSVERSIONINFOW v = {.dwOSVersionInfoSize = sizeof v};
    HMODULE core = GetModuleHandleW(L"ntdll.dll");
    void (*address)(void) = core ? (void (*)(void))GetProcAddress(core, "RtlGetVersion") : NULL;
    LONG(WINAPI * version)(OSVERSIONINFOW *) = (LONG(WINAPI *)(OSVERSIONINFOW *))address;
    if (version) version(&v);
    snprintf(text, SYSTEM_NAME_BYTES, "Windows %lu.%lu.%lu %s", (unsigned long)v.dwMajorVersion, (unsigned long)v.dwMinorVersion,
             (unsigned long)v.dwBuildNumber, sizeof(void *) == 8 ? "64 bits" : "32 bits");
}

char **system_variables(void) { return _environ; }

void system_serve(void) {
    SetConsoleCtrlHandler(NULL, TRUE);
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
}

bool system_is_terminal(FILE *stream) {
    DWORD mode; // _isatty takes NUL for one
    return GetConsoleMode((HANDLE)_get_osfhandle(_fileno(stream)), &mode);
}

/* ---- arguments and names */

/* New, UTF-8. Half a character becomes U+FFFD. NULL without memory. */
static char *utf8_of(const wchar_t *wide, int n_wide) {
    int n = WideCharToMultiByte(CP_UTF8, 0, wide, n_wide, NULL, 0, NULL, NULL);
    char *text = malloc((size_t)n + 1);
    if (!text) return NULL;
    WideCharToMultiByte(CP_UTF8, 0, wide, n_wide, text, n, NULL, NULL);
    text[n] = 0;
    return text;
}

static void read_arguments(int *argc, char ***argv) {
    int n = 0;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &n);
    char **list = wide ? calloc((size_t)n + 1, sizeof *list) : NULL;
    bool ok = list;
    for (int i = 0; ok && i < n; i++) ok = (list[i] = utf8_of(wide[i], -1)) != NULL;
    LocalFree(wide);
    if (!ok) return; // without memory: those of the system's code page, which are there
    *argc = n;
    *argv = list;
}

void system_begin(int *argc, char ***argv) {
    for (int stream = 0; stream < 3; stream++) _setmode(stream, _O_BINARY);
    prepare_console();
    SetConsoleCtrlHandler(on_control, TRUE);
    read_arguments(argc, argv);
}

FILE *system_open(const char *path, const char *mode) {
    enum { MOST = 4096 };
    wchar_t wide[MOST], wide_mode[8];
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, MOST) == 0 ||
        MultiByteToWideChar(CP_UTF8, 0, mode, -1, wide_mode, sizeof wide_mode / sizeof *wide_mode) == 0) {
        errno = EINVAL;
        return NULL;
    }
    return _wfopen(wide, wide_mode);
}

/* ---- lines */

static bool make_room(char **line, size_t *capacity, size_t n_bytes) {
    if (n_bytes <= *capacity) return true;
    size_t wanted = n_bytes > 2 * *capacity ? n_bytes : 2 * *capacity;
    char *grown = realloc(*line, wanted);
    if (!grown) return false;
    *line = grown;
    *capacity = wanted;
    return true;
}

static long read_bytes(char **line, size_t *capacity) {
    size_t n = 0;
    for (int c; (c = getchar()) != EOF;) {
        if (!make_room(line, capacity, n + 2)) return -1;
        (*line)[n++] = (char)c;
        (*line)[n] = 0;
        if (c == '\n') break;
    }
    return n ? (long)n : -1;
}

/* What a person types comes in UTF-16, whatever the code page. */
static long read_console(char **line, size_t *capacity) {
    enum { CTRL_Z = 0x1A };
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    wchar_t *wide = NULL;
    size_t n = 0, room = 0;
    bool ok = true;
    while (ok && (n == 0 || wide[n - 1] != L'\n')) {
        DWORD now = 0;
        if (room - n < 256) {
            wchar_t *grown = realloc(wide, (room += 1024) * sizeof *wide);
            if (!grown) break;
            wide = grown;
        }
        // Nothing at all is what Ctrl-C leaves.
        ok = ReadConsoleW(input, wide + n, (DWORD)(room - n), &now, NULL) && now > 0;
        n += now;
    }
    long result = -1;
    char *text = ok && n > 0 && wide[n - 1] == L'\n' && wide[0] != CTRL_Z ? utf8_of(wide, (int)n) : NULL;
    free(wide);
    if (text) {
        free(*line);
        *line = text;
        *capacity = 0; // the next line gets memory of its own
        result = (long)strlen(text);
    }
    return result;
}

long system_read_line(char **line, size_t *capacity) {
    return system_is_terminal(stdin) ? read_console(line, capacity) : read_bytes(line, capacity);
}
