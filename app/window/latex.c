#include "latex.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 4096, MOST_DEPTH = 16 }; // of one formula

static const struct {
    const char *name, *text;
} symbols[] = {
    {"alpha", "α"},
    {"beta", "β"},
    {"gamma", "γ"},
    {"delta", "δ"},
    {"epsilon", "ϵ"},
    {"varepsilon", "ε"},
    {"zeta", "ζ"},
    {"eta", "η"},
    {"theta", "θ"},
    {"vartheta", "ϑ"},
    {"iota", "ι"},
    {"kappa", "κ"},
    {"lambda", "λ"},
    {"mu", "μ"},
    {"nu", "ν"},
    {"xi", "ξ"},
    {"pi", "π"},
    {"rho", "ρ"},
    {"sigma", "σ"},
    {"tau", "τ"},
    {"upsilon", "υ"},
    {"phi", "φ"},
    {"varphi", "φ"},
    {"chi", "χ"},
    {"psi", "ψ"},
    {"omega", "ω"},
    {"Gamma", "Γ"},
    {"Delta", "Δ"},
    {"Theta", "Θ"},
    {"Lambda", "Λ"},
    {"Xi", "Ξ"},
    {"Pi", "Π"},
    {"Sigma", "Σ"},
    {"Phi", "Φ"},
    {"Psi", "Ψ"},
    {"Omega", "Ω"},
    {"sum", "∑"},
    {"prod", "∏"},
    {"int", "∫"},
    {"iint", "∬"},
    {"oint", "∮"},
    {"partial", "∂"},
    {"nabla", "∇"},
    {"infty", "∞"},
    {"times", "×"},
    {"cdot", "·"},
    {"div", "÷"},
    {"pm", "±"},
    {"mp", "∓"},
    {"ast", "∗"},
    {"circ", "∘"},
    {"bullet", "•"},
    {"leq", "≤"},
    {"le", "≤"},
    {"geq", "≥"},
    {"ge", "≥"},
    {"neq", "≠"},
    {"ne", "≠"},
    {"approx", "≈"},
    {"equiv", "≡"},
    {"sim", "∼"},
    {"simeq", "≃"},
    {"cong", "≅"},
    {"propto", "∝"},
    {"ll", "≪"},
    {"gg", "≫"},
    {"in", "∈"},
    {"notin", "∉"},
    {"ni", "∋"},
    {"subset", "⊂"},
    {"subseteq", "⊆"},
    {"supset", "⊃"},
    {"supseteq", "⊇"},
    {"cup", "∪"},
    {"cap", "∩"},
    {"setminus", "∖"},
    {"emptyset", "∅"},
    {"varnothing", "∅"},
    {"forall", "∀"},
    {"exists", "∃"},
    {"neg", "¬"},
    {"lnot", "¬"},
    {"land", "∧"},
    {"wedge", "∧"},
    {"lor", "∨"},
    {"vee", "∨"},
    {"to", "→"},
    {"rightarrow", "→"},
    {"leftarrow", "←"},
    {"gets", "←"},
    {"Rightarrow", "⇒"},
    {"implies", "⟹"},
    {"Leftarrow", "⇐"},
    {"leftrightarrow", "↔"},
    {"Leftrightarrow", "⇔"},
    {"iff", "⟺"},
    {"mapsto", "↦"},
    {"uparrow", "↑"},
    {"downarrow", "↓"},
    {"ldots", "…"},
    {"dots", "…"},
    {"cdots", "⋯"},
    {"vdots", "⋮"},
    {"ddots", "⋱"},
    {"prime", "′"},
    {"hbar", "ℏ"},
    {"ell", "ℓ"},
    {"Re", "ℜ"},
    {"Im", "ℑ"},
    {"aleph", "ℵ"},
    {"angle", "∠"},
    {"perp", "⊥"},
    {"parallel", "∥"},
    {"mid", "|"},
    {"vert", "|"},
    {"Vert", "‖"},
    {"|", "‖"},
    {"langle", "⟨"},
    {"rangle", "⟩"},
    {"lfloor", "⌊"},
    {"rfloor", "⌋"},
    {"lceil", "⌈"},
    {"rceil", "⌉"},
    {"oplus", "⊕"},
    {"otimes", "⊗"},
    {"odot", "⊙"},
    {"star", "⋆"},
    {"triangle", "△"},
    {"square", "□"},
    {"therefore", "∴"},
    {"because", "∵"},
    {"degree", "°"},
    {"quad", "  "},
    {"qquad", "    "},
    {",", " "},
    {";", " "},
    {":", " "},
    {"!", ""},
    {" ", " "},
    {"{", "{"},
    {"}", "}"},
    {"%", "%"},
    {"$", "$"},
    {"&", "&"},
    {"#", "#"},
    {"_", "_"},
    {"\\", "\n"},
    {"left", ""},
    {"right", ""},
    {"big", ""},
    {"Big", ""},
    {"bigg", ""},
    {"Bigg", ""},
    {"bigl", ""},
    {"bigr", ""},
    {"displaystyle", ""},
    {"textstyle", ""},
    {"limits", ""},
    {"nolimits", ""},
    {"nonumber", ""},
    {"text", ""},
    {"mathrm", ""},
    {"mathbf", ""},
    {"mathit", ""},
    {"mathsf", ""},
    {"mathcal", ""},
    {"mathfrak", ""},
    {"boldsymbol", ""},
    {"operatorname", ""},
    {"textbf", ""},
    {"textit", ""},
    {"boxed", ""},
    {"underbrace", ""},
    {"overbrace", ""},
};
static const struct {
    const char *name, *after;
} accents[] = {{"hat", "̂"}, {"bar", "̄"}, {"overline", "̄"}, {"tilde", "̃"},
               {"vec", "⃗"}, {"dot", "̇"}, {"ddot", "̈"},     {"widehat", "̂"}};
static const struct {
    char plain;
    const char *raised, *lowered;
} scripts[] = {
    {'0', "⁰", "₀"},  {'1', "¹", "₁"},  {'2', "²", "₂"},  {'3', "³", "₃"},  {'4', "⁴", "₄"},  {'5', "⁵", "₅"}, {'6', "⁶", "₆"},
    {'7', "⁷", "₇"},  {'8', "⁸", "₈"},  {'9', "⁹", "₉"},  {'+', "⁺", "₊"},  {'-', "⁻", "₋"},  {'=', "⁼", "₌"}, {'(', "⁽", "₍"},
    {')', "⁾", "₎"},  {'a', "ᵃ", "ₐ"},  {'b', "ᵇ", NULL}, {'c', "ᶜ", NULL}, {'d', "ᵈ", NULL}, {'e', "ᵉ", "ₑ"}, {'f', "ᶠ", NULL},
    {'g', "ᵍ", NULL}, {'h', "ʰ", "ₕ"},  {'i', "ⁱ", "ᵢ"},  {'j', "ʲ", "ⱼ"},  {'k', "ᵏ", "ₖ"},  {'l', "ˡ", "ₗ"}, {'m', "ᵐ", "ₘ"},
    {'n', "ⁿ", "ₙ"},  {'o', "ᵒ", "ₒ"},  {'p', "ᵖ", "ₚ"},  {'r', "ʳ", "ᵣ"},  {'s', "ˢ", "ₛ"},  {'t', "ᵗ", "ₜ"}, {'u', "ᵘ", "ᵤ"},
    {'v', "ᵛ", "ᵥ"},  {'w', "ʷ", NULL}, {'x', "ˣ", "ₓ"},  {'y', "ʸ", NULL}, {'z', "ᶻ", NULL}, {' ', "", ""},   {'T', "ᵀ", NULL},
    {'N', "ᴺ", NULL},
};

static bool put(md_out *out, const char *text) { return md_put(out, text, strlen(text)); }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/* The end of one argument: {…}, \name, or one character. */
static const char *argument_end(const char *at, const char *end) {
    if (at >= end) return at;
    if (*at == '{') {
        int depth = 0;
        for (; at < end; at++) {
            if (*at == '\\' && at + 1 < end) {
                at++;
            } else if (*at == '{') {
                depth++;
            } else if (*at == '}' && --depth == 0) {
                return at + 1;
            }
        }
        return end;
    }
    if (*at == '\\') {
        at++;
        if (at < end && !is_letter(*at)) return at + 1;
        while (at < end && is_letter(*at)) at++;
        return at;
    }
    for (at++; at < end && ((unsigned char)*at & 0xC0) == 0x80;) at++;
    return at;
}

static bool tell(md_out *out, const char *at, const char *end, int depth);

/* An argument without its braces, told. */
static bool take(md_out *to, const char **at, const char *end, int depth) {
    while (*at < end && is_space(**at)) (*at)++;
    const char *begin = *at, *stop = argument_end(begin, end);
    *at = stop;
    if (stop > begin && *begin == '{') begin++, stop -= stop > begin && stop[-1] == '}' ? 1 : 0;
    return tell(to, begin, stop, depth + 1);
}

static const char *script_of(char c, bool raised) {
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        if (scripts[i].plain == c) return raised ? scripts[i].raised : scripts[i].lowered;
    return NULL;
}

/* Raised or lowered where Unicode has all of it, else behind ^ or _. */
static bool put_script(md_out *out, const char **at, const char *end, bool raised, int depth) {
    md_out told = {0};
    bool good = take(&told, at, end, depth), there = told.n_bytes > 0;
    for (size_t i = 0; i < told.n_bytes && there; i++) there = script_of(told.text[i], raised) != NULL;
    bool prime = told.n_bytes == 3 && memcmp(told.text, "′", 3) == 0, round = told.n_bytes == 3 && memcmp(told.text, "∘", 3) == 0;
    if (there) {
        for (size_t i = 0; i < told.n_bytes; i++) good = good && put(out, script_of(told.text[i], raised));
    } else if (raised && (prime || round)) {
        good = good && put(out, prime ? "′" : "°");
    } else if (told.n_bytes) {
        bool one = argument_end(told.text, told.text + told.n_bytes) == told.text + told.n_bytes;
        good = good && put(out, raised ? "^" : "_") && (one || put(out, "(")) && md_put(out, told.text, told.n_bytes) &&
               (one || put(out, ")"));
    }
    free(told.text);
    return good;
}

/* Brackets round what is more than one thing. */
static bool put_grouped(md_out *out, const char **at, const char *end, int depth) {
    md_out told = {0};
    bool good = take(&told, at, end, depth), many = false;
    for (size_t i = 1; i < told.n_bytes; i++) many = many || strchr("+-*/ =", told.text[i]);
    good =
        good && (!many || put(out, "(")) && (!told.n_bytes || md_put(out, told.text, told.n_bytes)) && (!many || put(out, ")"));
    free(told.text);
    return good;
}

static bool put_command(md_out *out, const char *name, size_t n, const char **at, const char *end, int depth) {
#define IS(word) (n == sizeof word - 1 && memcmp(name, word, n) == 0)
    if (IS("frac") || IS("dfrac") || IS("tfrac"))
        return put_grouped(out, at, end, depth) && put(out, "/") && put_grouped(out, at, end, depth);
    if (IS("binom"))
        return put(out, "C(") && take(out, at, end, depth) && put(out, ", ") && take(out, at, end, depth) && put(out, ")");
    if (IS("sqrt")) return put(out, "√") && put_grouped(out, at, end, depth);
    if (IS("begin") || IS("end")) {
        *at = argument_end(*at, end);
        return true;
    }
    if (IS("mathbb")) {
        md_out told = {0};
        bool good = take(&told, at, end, depth);
        static const char *const doubled[][2] = {{"R", "ℝ"}, {"N", "ℕ"}, {"Z", "ℤ"}, {"Q", "ℚ"},
                                                 {"C", "ℂ"}, {"P", "ℙ"}, {"E", "𝔼"}};
        const char *as = told.n_bytes ? told.text : "";
        for (size_t i = 0; i < sizeof doubled / sizeof *doubled; i++)
            if (strcmp(as, doubled[i][0]) == 0) as = doubled[i][1];
        good = good && put(out, as);
        free(told.text);
        return good;
    }
#undef IS
    for (size_t i = 0; i < sizeof accents / sizeof *accents; i++)
        if (strlen(accents[i].name) == n && memcmp(accents[i].name, name, n) == 0)
            return take(out, at, end, depth) && put(out, accents[i].after);
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
        if (strlen(symbols[i].name) == n && memcmp(symbols[i].name, name, n) == 0) return put(out, symbols[i].text);
    return md_put(out, name, n); // \log, \sin, and what is not known
}

static bool tell(md_out *out, const char *at, const char *end, int depth) {
    if (depth > MOST_DEPTH) return md_put(out, at, (size_t)(end - at));
    bool good = true;
    while (at < end && good) {
        char c = *at++;
        if (c == '\\' && at < end) {
            const char *name = at;
            at = is_letter(*at) ? argument_end(at - 1, end) : at + 1;
            good = put_command(out, name, (size_t)(at - name), &at, end, depth);
        } else if (c == '^' || c == '_') {
            good = put_script(out, &at, end, c == '^', depth);
        } else if (c == '\'') {
            good = put(out, "′");
        } else if (c == '-') {
            good = depth ? put(out, "-") : put(out, "−");
        } else if (is_space(c) || c == '~' || c == '&') {
            if (out->n_bytes && out->text[out->n_bytes - 1] != ' ') good = put(out, " ");
        } else if (c != '{' && c != '}') {
            good = md_put(out, &c, 1);
        }
    }
    return good;
}

/* The end of the formula that begins here, or NULL; how many bytes its marks have, and whether it stands alone. */
static const char *formula_end(const char *at, const char *begin, const char *end, size_t *n_mark, bool *display) {
    static const struct {
        const char *open, *close;
        bool display;
    } kinds[] = {{"$$", "$$", true}, {"\\[", "\\]", true}, {"\\(", "\\)", false}, {"$", "$", false}};
    for (size_t k = 0; k < 4; k++) {
        size_t n = strlen(kinds[k].open);
        if ((size_t)(end - at) < 2 * n || memcmp(at, kinds[k].open, n) != 0) continue;
        *n_mark = n;
        *display = kinds[k].display;
        bool dollar = n == 1;
        // Money is no formula: "$5 and $6".
        if (dollar && (is_space(at[1]) || (at > begin && (is_letter(at[-1]) || at[-1] == '$')))) return NULL;
        const char *most = end - at > MOST_BYTES ? at + MOST_BYTES : end;
        for (const char *stop = at + n; stop + n <= most; stop++) {
            if (dollar && *stop == '\n') return NULL;
            if (memcmp(stop, kinds[k].close, n) == 0) {
                bool after_digit = stop + 1 < end && stop[1] >= '0' && stop[1] <= '9';
                if (dollar && (is_space(stop[-1]) || after_digit)) return NULL;
                return stop == at + n ? NULL : stop;
            }
            if (*stop == '\\' && stop + 1 < most) stop++;
        }
        return NULL;
    }
    return NULL;
}

static bool put_escaped(md_out *out, const char *text, size_t n) {
    while (n && text[n - 1] == ' ') n--;
    bool good = true;
    for (size_t i = 0; i < n && good; i++) {
        char c = text[i];
        bool mark = (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
        if (c == '\n') {
            good = md_put(out, "\\\n", 2);
            while (i + 1 < n && (text[i + 1] == ' ' || text[i + 1] == '\n')) i++;
        } else {
            good = (!mark || md_put(out, "\\", 1)) && md_put(out, &c, 1);
        }
    }
    return good;
}

static bool put_formula(md_out *out, const char *at, const char *end) {
    md_out told = {0};
    while (at < end && is_space(*at)) at++;
    bool good = tell(&told, at, end, 0) && put_escaped(out, told.n_bytes ? told.text : "", told.n_bytes);
    free(told.text);
    return good;
}

static size_t ticks(const char *at, const char *end) {
    size_t n = 0;
    while (at + n < end && at[n] == '`') n++;
    return n;
}

/* Behind the code that begins with these ticks, or behind the ticks alone where it has no end. */
static const char *code_end(const char *at, const char *end) {
    size_t n = ticks(at, end);
    for (const char *stop = at + n; stop < end;) {
        size_t m = ticks(stop, end);
        if (m == n) return stop + m;
        stop += m ? m : 1;
    }
    return at + n;
}

bool latex_tell(md_out *out, const char *source, size_t n_bytes) {
    const char *end = source + n_bytes, *from = source;
    bool good = true, has_ticks = memchr(source, '`', n_bytes) != NULL;
    if (!memchr(source, '$', n_bytes) && !memchr(source, '\\', n_bytes)) return md_put(out, source, n_bytes);
    // A mark without an end is looked for once, not once for each that follows.
    size_t n_failed = 0;
    for (const char *at = source; at < end && good;) {
        size_t n_mark;
        bool display;
        if (has_ticks && *at == '`') {
            at = code_end(at, end);
        } else if (*at == '$' || *at == '\\') {
            const char *stop = n_failed < 256 ? formula_end(at, source, end, &n_mark, &display) : NULL;
            if (stop) {
                good = md_put(out, from, (size_t)(at - from)) && put_formula(out, at + n_mark, stop);
                from = at = stop + n_mark;
            } else {
                n_failed++;
                at += *at == '\\' && at + 1 < end ? 2 : 1;
            }
        } else {
            at++;
        }
    }
    return good && md_put(out, from, (size_t)(end - from));
}
