#!/usr/bin/env python3
"""check_includes.py ROOT: dependencies point one way, app → pumice.h → session → llama → ops → vk → base.

Looks at every #include of runtime/ and app/, and at the names that would get round it: Vulkan's in llama/, a model's in vk/.
"""
import re
import sys
from pathlib import Path

# What each folder of runtime/ may include of the others; "." are the files of runtime/ itself (session.c, model.c, …).
BELOW = {
    "base": set(),
    "gguf": {"base"},
    "text": {"base"},
    "sample": {"base"},
    "vk": {"base"},
    "ops": {"vk", "gguf", "base", "shaders"},
    "llama": {"ops", "gguf", "base"},
    "check": {"llama", "ops", "vk", "gguf", "base"},
    ".": {"check", "llama", "ops", "vk", "gguf", "text", "sample", "base"},
}
# Names that a folder must not know.
FOREIGN = {
    "llama": re.compile(r"\b(Vk[A-Z]\w*|vk[A-Z]\w*|VK_[A-Z]\w*)"),
    ".": re.compile(r"\b(Vk[A-Z]\w*|vk[A-Z]\w*|VK_[A-Z]\w*)"),
    "vk": re.compile(r"\b(llama\w*|gguf\w*|n_embd|n_head\w*|n_ff|n_vocab)\b"),
    "app": re.compile(r"\b(Vk[A-Z]\w*|vk[A-Z]\w*|VK_[A-Z]\w*)"),
}
VULKAN = re.compile(r"^(vulkan/|volk)")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)


def sources(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in (".c", ".h", ".in") and p.is_file())


def owner(path, runtime):
    """The folder of runtime/ that a header belongs to, or where else it stands."""
    if path.is_relative_to(runtime):
        parts = path.relative_to(runtime).parts
        return parts[0] if len(parts) > 1 else "."
    return path.relative_to(runtime.parent).parts[0] if path.is_relative_to(runtime.parent) else "outside"


def included(name, file, roots):
    """The file that `#include "name"` means, or None for a library's."""
    for root in (file.parent, *roots):
        if (root / name).is_file():
            return (root / name).resolve()
    return None


def foreign(file, module, root):
    """What in this file's code is a name of a layer that it must not know."""
    if module not in FOREIGN:
        return
    code = NOT_CODE.sub(lambda m: "\n" * m.group().count("\n"), file.read_text(encoding="utf-8"))
    for number, line in enumerate(code.splitlines(), 1):
        if line.lstrip().startswith("#"):
            continue
        for name in FOREIGN[module].findall(line):
            yield f"{file.relative_to(root)}:{number}: {module} must not know {name}"


def wrong(file, root):
    """Yields a sentence for each wrong include of a file."""
    runtime = root / "runtime"
    app = file.is_relative_to(root / "app")
    module = "app" if app else owner(file, runtime)
    roots = [root / "app"] if app else [runtime]
    yield from foreign(file, module, root)
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        name = match.group(2)
        where = f"{file.relative_to(root)}:{number}"
        if VULKAN.match(name):
            if module != "vk":
                yield f"{where}: only vk/ may include {name}"
            continue
        if name == "pumice.h":
            continue
        target = included(name, file, roots)
        if target is None:
            if match.group(1) == '"':
                yield f"{where}: {name} is neither beside the file nor below {' or '.join(str(r.relative_to(root)) for r in roots)}"
            continue
        to = owner(target, runtime)
        if app:
            if not target.is_relative_to(root / "app"):
                yield f"{where}: app/ may include pumice.h and nothing else of the library, got {name}"
        elif module not in BELOW:
            yield f"{where}: runtime/{module}/ is not in this test's list of folders"
        elif to != module and to not in BELOW[module]:
            yield f"{where}: {module} may include {', '.join(sorted(BELOW[module])) or 'nothing else'}, got {name}"


def main():
    root = Path(sys.argv[1]).resolve()
    files = sources(root / "runtime") + sources(root / "app")
    if len(files) < 50:
        sys.exit(f"expected the sources below {root}, got {len(files)} files")
    problems = [problem for file in files for problem in wrong(file, root)]
    print("\n".join(problems) or f"{len(files)} files: dependencies point one way")
    sys.exit(1 if problems else 0)


main()
