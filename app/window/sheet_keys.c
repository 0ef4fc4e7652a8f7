#include "sheet_keys.h"

#include "words.h"

enum { NARROW_LINES = 14 };

static const struct {
    const char *key; ///< NULL: a heading
    word what;
} keys[] = {
    {NULL, W_KEYS_WRITING},
    {"Enter", W_KEY_SEND},
    {"Shift+Enter", W_KEY_BREAK},
    {"Esc", W_KEY_STOP},
    {"Ctrl+Z, Ctrl+Shift+Z", W_KEY_UNDO},
    {NULL, W_KEYS_TURNS},
    {"Ctrl+R", W_KEY_AGAIN},
    {"Ctrl+Enter", W_KEY_CONTINUE},
    {"Ctrl+E", W_KEY_EDIT},
    {"Alt+Left, Alt+Right", W_KEY_WALK},
    {NULL, W_KEYS_READING},
    {"Ctrl+F", W_KEY_FIND},
    {"F6", W_KEY_READ},
    {"Ctrl+C, Ctrl+Alt+C", W_KEY_COPY},
    {"Ctrl+Shift+C", W_KEY_COPY_ALL},
    {"Page Up, Page Down", W_KEY_SCROLL},
    {NULL, W_KEYS_CHATS},
    {"Ctrl+N", W_KEY_NEW},
    {"Ctrl+K", W_KEY_SEARCH},
    {"Ctrl+Page Up, Ctrl+Page Down", W_KEY_STEP},
    {"F2", W_KEY_RENAME},
    {"Ctrl+Shift+P", W_KEY_PIN},
    {"Ctrl+Shift+Delete", W_KEY_DELETE},
    {NULL, W_KEYS_WINDOW},
    {"Tab, Shift+Tab", W_KEY_TAB},
    {"Ctrl+I", W_KEY_CHAT},
    {"Ctrl+M", W_KEY_MODELS},
    {"Ctrl+,", W_KEY_SETTINGS},
    {"Ctrl+Plus, Ctrl+Minus, Ctrl+0", W_KEY_SIZE},
    {"F1", W_KEY_KEYS},
    {"Ctrl+Q", W_KEY_QUIT},
};

int sheet_keys_draw(widgets *w, SDL_Rect content) {
    int y = content.y, line = widgets_line(w), column = content.w * 2 / 5;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!keys[i].key) {
            y = sheet_heading(w, content, y + (i ? line / 2 : 0), say(keys[i].what));
            continue;
        }
        if (content.w < NARROW_LINES * line) { // one below the other
            y = widgets_paragraph(w, content.x, y, content.w, keys[i].key, w->colors->text);
            y = widgets_paragraph(w, content.x, y, content.w, say(keys[i].what), w->colors->faint) + line / 3;
            continue;
        }
        int one = widgets_paragraph(w, content.x, y, column - line / 2, keys[i].key, w->colors->text);
        int other = widgets_paragraph(w, content.x + column, y, content.w - column, say(keys[i].what), w->colors->faint);
        y = (one > other ? one : other) + line / 5;
    }
    return y;
}
