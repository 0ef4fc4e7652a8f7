/* What a person can press or type in. A frame asks for its widgets one after the other: each is drawn into the list and noted
 * with what it means, and events are looked up in what was noted. So nothing has to be kept in step with the state, whatever is
 * seen can be reached with Tab too, and what is not seen cannot be pressed. What the actions mean is known to those who ask for
 * them. */
#ifndef WINDOW_WIDGETS_H
#define WINDOW_WIDGETS_H

#include "draw.h"
#include "text_box.h"
#include "theme.h"

typedef enum widget_look {
    LOOK_PLAIN,  ///< a button with a border
    LOOK_STRONG, ///< the one that is meant to be pressed
    LOOK_QUIET,  ///< a word that can be pressed
    LOOK_CHOSEN, ///< a button of several, that is in force
} widget_look;

typedef struct widget {
    int action; ///< not 0; below: a ground
    int64_t argument;
    SDL_Rect rect;
    composer *field; ///< keys go there while it has the focus; NULL: it is pressed
    text_box *box;   ///< of a field with lines
    bool scrolls;    ///< with the view of its layer
} widget;

/// Of the window's thread.
typedef struct widgets {
    fonts *fonts;
    const theme *colors;
    draw_list *list;
    float scale;
    widget *all;               ///< [n] of this frame
    size_t n, capacity, layer; ///< those before `layer` lie below what is open over them
    SDL_Rect clip;             ///< what is noted from here on is seen in here only; w 0: everywhere
    SDL_Rect sheet, view;      ///< the layer that is open, and what scrolls in it,
    int *scroll, most;         ///< by that much, and at most
    int dismiss;               ///< the action of Esc and of a press beside the sheet
    int focus;                 ///< the action that has the focus; 0: the composer's own
    int64_t focus_argument;
    bool by_keys; ///< it was moved by keys: the ring is shown
} widgets;

/// What an event has done.
typedef struct widget_news {
    int action; ///< 0: nothing that anybody has to know
    int64_t argument;
    bool typed; ///< the text of that field is another one; nothing was pressed. Else Enter was, in it
} widget_news;

void widgets_free(widgets *w);
/// Begins a frame: nothing is noted.
void widgets_begin(widgets *w, fonts *f, const theme *colors, draw_list *list, float scale);
/// What comes from here on lies on a sheet over everything that came, whose widgets cannot be reached until it is gone. view:
/// what scrolls in it; most: how far it does.
void widgets_layer(widgets *w, int dismiss, SDL_Rect sheet, SDL_Rect view, int *scroll, int most);
/// What is noted and drawn from here on shows in this rectangle only; an empty one takes the limit away. scrolls: with the view.
void widgets_clip(widgets *w, SDL_Rect clip);

int widgets_units(const widgets *w, int n);                                          ///< pixels of n units of the layout
int widgets_line(const widgets *w);                                                  ///< pixels of a line of text
int widgets_text(const widgets *w, int x, int y, const char *text, SDL_Color color); ///< returns its width
/// As much of the first line of a text as fits, with an ellipsis.
void widgets_text_within(const widgets *w, int x, int y, int width, const char *text, SDL_Color color);
/// A text in lines of that width; returns the pixels below it.
int widgets_paragraph(const widgets *w, int x, int y, int width, const char *text, SDL_Color color);
void widgets_frame(const widgets *w, SDL_Rect r, SDL_Color ground, SDL_Color border);

int widgets_button_width(const widgets *w, const char *label);
int widgets_button_height(const widgets *w);
/// A button with its top left at x, y; returns where it is.
SDL_Rect widgets_button(widgets *w, int x, int y, const char *label, widget_look look, int action, int64_t argument);
/// The same with its top right there.
SDL_Rect widgets_button_right(widgets *w, int right, int y, const char *label, widget_look look, int action, int64_t argument);
/// A rectangle that can be pressed, and that others draw.
void widgets_area(widgets *w, SDL_Rect r, int action, int64_t argument);
/// A ground that swallows presses, so that what lies below it is not reached.
void widgets_ground(widgets *w, SDL_Rect r);
/// One line of text; hint: what stands there while there is none. The text is of whoever owns the composer.
void widgets_field(widgets *w, SDL_Rect r, composer *text, const char *hint, int action, int64_t argument);

/// A text with lines, Enter being one of its keys: at most that many are seen at once. Returns where it is.
SDL_Rect widgets_box(widgets *w, int x, int y, int width, int most_lines, text_box *box, composer *text, const char *hint,
                     int action, int64_t argument);

/// Gives the focus to an action's widget; 0: to the composer.
void widgets_focus(widgets *w, int action, int64_t argument);
bool widgets_has_focus(const widgets *w, int action, int64_t argument);
/// The field that has the focus; NULL: none of them.
composer *widgets_typing(const widgets *w);
/// Returns whether the event was a widget's. Not to be asked of keys while an input method is composing.
bool widgets_event(widgets *w, const SDL_Event *event, widget_news *did);
/// What every field does with a key: moving, selecting, deleting, the clipboard, undoing. Returns whether it was one of those;
/// *typed: whether the text is another one.
bool widgets_edit(composer *c, const SDL_KeyboardEvent *key, bool *typed);

#endif
