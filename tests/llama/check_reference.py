"""Checks the reference itself (reference.py) on what is known without it.

check_reference.py stories260K | default-model
"""
import os
import sys

import reference

STORIES = os.path.join(os.environ.get("PUMICE_TEST_DATA", "."), "models/stories260K")
DEFAULT_MODEL = os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"),
                             "pumice/models/SmolLM2-135M-Instruct.Q4_1.gguf")
# The default model's template around one question, as ids; their text is checked below.
PARIS = [1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411, 407, 19712, 8182, 2, 198, 1, 4093, 198,
         1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1, 520, 9531, 198]
PARIS_TEXT = ("<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
              "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n")


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def expect(what, got, expected):
    if got != expected:
        sys.exit(f"{what}: expected {expected!r}, got {got!r}")


def greedy(model, prompt, n):
    sequence, hidden = reference.prefill(model, prompt)
    tokens, margins = [], []
    for step in range(n):
        row = model.logits(hidden[-1:])[0]
        tokens.append(int(row.argmax()))
        margins.append(float(row.max() - reference.np.partition(row, -2)[-2]))
        if step + 1 < n:
            hidden = model.forward([(sequence, tokens[-1:])])
    return tokens, margins


def check_stories():
    model = reference.Model(os.path.join(STORIES, "stories260K-f32.gguf"))
    tokens, margins = greedy(model, [1], 200)
    with open(os.path.join(STORIES, "expected_greedy_n200.txt"), "rb") as f:
        expect("greedy text from BOS", reference.detokenize(model.file, tokens)[1:] + b"\n", f.read())
    expect("smallest margin, rounded", round(min(margins), 4), 0.0042)
    # The same tokens in one go and in pieces, beside another sequence.
    whole = reference.prefill(model, tokens)[1]
    a, b = reference.Sequence(model.n_layer), reference.Sequence(model.n_layer)
    parts = [model.forward([(b, [1, 5, 9]), (a, tokens[:33])])[3:], model.forward([(a, tokens[33:])])]
    far = abs(reference.np.concatenate(parts) - whole).max()
    if not far < 1e-9:
        sys.exit(f"hidden states in pieces: expected those of the whole, got a difference of {far}")
    print(f"stories260K: 200 tokens, smallest margin {min(margins):.4f}; in pieces within {far:.1e}")


def check_default_model():
    model = reference.Model(DEFAULT_MODEL)
    expect("the question's text", reference.detokenize(model.file, PARIS).decode(), PARIS_TEXT)
    tokens, margins = greedy(model, PARIS, 8)
    expect("answer", reference.detokenize(model.file, tokens).decode(), "The capital of France is Paris.<|im_end|>")
    expect("first margin, rounded", round(margins[0], 2), 0.08)
    print(f"default model: margins {', '.join(f'{m:.2f}' for m in margins)}")


def main():
    if sys.argv[1:] == ["stories260K"]:
        if not os.path.exists(STORIES):
            skip("the test data folder (PUMICE_TEST_DATA) has no stories260K")
        check_stories()
    elif sys.argv[1:] == ["default-model"]:
        if not os.path.exists(DEFAULT_MODEL):
            skip("the default model is not there; tools/chat downloads it")
        check_default_model()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
