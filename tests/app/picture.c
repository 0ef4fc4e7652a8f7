/* Draws a chat as pumice-chat's window shows it, into a picture, without a screen.
 *   picture CHAT.md PICTURE.bmp [width=N] [height=N] [scale=X] [theme=light|dark|contrast] [scroll=N] [find=TEXT] [select]
 * [unfold] The chat is what Ctrl+Shift+C gives: turns under **You** and **Pumice**. */
#include "reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t n = 0, got;
    if (!file) return NULL;
    do {
        char *grown = realloc(text, n + 65537);
        if (!grown) break;
        text = grown;
        n += got = fread(text + n, 1, 65536, file);
        text[n] = 0;
    } while (got);
    fclose(file);
    return text;
}

/* Cuts the chat into its turns. */
static void add_turns(transcript *t, char *text) {
    static const char you[] = "**You**\n\n", pumice[] = "**Pumice**\n\n";
    message_kind kind = MESSAGE_ASSISTANT;
    for (char *at = text; *at;) {
        bool user = strncmp(at, you, sizeof you - 1) == 0, model = strncmp(at, pumice, sizeof pumice - 1) == 0;
        if (user || model) {
            kind = user ? MESSAGE_USER : MESSAGE_ASSISTANT;
            at += user ? sizeof you - 1 : sizeof pumice - 1;
        }
        char *a = strstr(at, "\n\n**You**\n\n"), *b = strstr(at, "\n\n**Pumice**\n\n"), *end = a && (!b || a < b) ? a : b;
        if (end) *end = 0;
        transcript_add(t, kind, at);
        if (!end) return;
        at = end + 2;
    }
}

static const char *value(int argc, char **argv, const char *name, const char *otherwise) {
    size_t n = strlen(name);
    for (int i = 3; i < argc; i++)
        if (strncmp(argv[i], name, n) == 0 && (argv[i][n] == '=' || argv[i][n] == 0)) return argv[i] + n + (argv[i][n] == '=');
    return otherwise;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s CHAT.md PICTURE.bmp [NAME=VALUE …]\n", argv[0]);
        return 2;
    }
    int width = atoi(value(argc, argv, "width", "900")), height = atoi(value(argc, argv, "height", "1000"));
    float scale = strtof(value(argc, argv, "scale", "1"), NULL);
    const char *name = value(argc, argv, "theme", "light"), *query = value(argc, argv, "find", NULL);
    const theme *colors = name[0] == 'd' ? &theme_dark : name[0] == 'c' ? &theme_contrast : &theme_light;
    char *text = read_file(argv[1]);
    transcript *t = transcript_create();
    SDL_Surface *surface = SDL_CreateRGBSurfaceWithFormat(0, width, height, 32, SDL_PIXELFORMAT_ARGB8888);
    SDL_Renderer *sdl = surface ? SDL_CreateSoftwareRenderer(surface) : NULL;
    fonts *f = TTF_Init() == 0 ? fonts_open(16 * scale) : NULL;
    if (!text || !t || !sdl || !f) {
        fprintf(stderr, "%s: expected a chat in %s, a surface and a font\n", argv[0], argv[1]);
        return 1;
    }
    renderer *r = renderer_create(sdl);
    add_turns(t, text);
    draw_list list = {0};
    int margin = (int)(14 * scale), inner = width - 2 * margin, most = (int)(820 * scale),
        scroll = atoi(value(argc, argv, "scroll", "0"));
    bool sticks = false;
    if (inner > most) inner = most;
    SDL_Rect area = {(width - inner) / 2, margin, inner, height - 2 * margin};
    reader reading = {0};
    reader_view view = {t, f, area, &scroll, &sticks};
    transcript_layout(t, f, inner);
    if (value(argc, argv, "unfold", NULL)) transcript_fold(t, 1);
    text_place from, to;
    if (value(argc, argv, "select", NULL) && transcript_ends(t, &from, &to)) transcript_select(t, from, to);
    if (query) {
        SDL_Event open = {.key = {.type = SDL_KEYDOWN, .keysym = {.sym = SDLK_f, .mod = KMOD_CTRL}}},
                  type = {.type = SDL_TEXTINPUT};
        snprintf(type.text.text, sizeof type.text.text, "%s", query);
        reader_event(&reading, &view, &open);
        reader_event(&reading, &view, &type);
    }
    scroll = transcript_settle(t, f, scroll, area.h, sticks);
    draw_rect(&list, (SDL_Rect){0, 0, width, height}, colors->ground);
    transcript_draw(t, f, colors, &list, area, scroll);
    reader_draw(&reading, &view, colors, &list);
    renderer_draw(r, f, &list);
    SDL_RenderPresent(sdl);
    int failed = SDL_SaveBMP(surface, argv[2]);
    reader_free(&reading);
    transcript_destroy(&t);
    draw_free(&list);
    renderer_destroy(&r);
    fonts_close(&f);
    free(text);
    SDL_DestroyRenderer(sdl);
    SDL_FreeSurface(surface);
    TTF_Quit();
    return failed ? 1 : 0;
}
