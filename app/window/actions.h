/* What the window's widgets mean. What an argument says stands beside it. */
#ifndef WINDOW_ACTIONS_H
#define WINDOW_ACTIONS_H

typedef enum action {
    ACTION_NONE,
    ACTION_SEND,
    ACTION_STOP,
    ACTION_NEW_CHAT,
    ACTION_OPEN_FILE,
    ACTION_SHEET, ///< which
    ACTION_CLOSE, ///< the sheet
    // messages
    ACTION_COPY_NOTE,  ///< a message of the transcript that is no turn
    ACTION_COPY_TURN,  ///< a turn
    ACTION_DETACH,     ///< an attachment
    ACTION_EDIT,       ///< a turn
    ACTION_WALK_LEFT,  ///< a turn
    ACTION_WALK_RIGHT, ///< a turn
    ACTION_AGAIN,
    ACTION_CONTINUE,
    // chats at the side
    ACTION_FOLD,
    ACTION_SEARCH,
    ACTION_CHAT,  ///< its id
    ACTION_TITLE, ///< of the open chat
    ACTION_UNDELETE,
    // this chat
    ACTION_SYSTEM,
    ACTION_NUMBER, ///< which
    ACTION_DEFAULTS,
    ACTION_PRESET, ///< its id
    ACTION_PRESET_DELETE,
    ACTION_PRESET_NAME,
    ACTION_PRESET_SAVE,
    ACTION_EXPORT_MARKDOWN,
    ACTION_EXPORT_JSON,
    ACTION_IMPORT,
    ACTION_IMPORT_PATH,
    // settings
    ACTION_THEME,    ///< which, as in settings
    ACTION_LANGUAGE, ///< which
    ACTION_SIZE,     ///< -1, 0, 1: smaller, usual, larger
    ACTION_DEVICE,   ///< its place in the list; -1: the usual one, -2: the CPU driver
    ACTION_CONTEXT,  ///< tokens, as in settings
    ACTION_KV,
    ACTION_SPEAK, ///< 0 or 1
    // models
    ACTION_MODEL_LOAD, ///< its place in the list
    ACTION_MODEL_PATH,
    ACTION_MODEL_OPEN,
    ACTION_DOWNLOAD, ///< its place in the catalogue, as of the next ones: begins it, or goes on
    ACTION_DOWNLOAD_PAUSE,
    ACTION_DOWNLOAD_CANCEL,
} action;

typedef enum sheet_kind { SHEET_NONE, SHEET_KEYS, SHEET_CHAT, SHEET_SETTINGS, SHEET_MODELS } sheet_kind;

#endif
