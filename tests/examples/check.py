#!/usr/bin/env python3
"""check.py ROOT RINGPOST EXAMPLE...: the documents show what is compiled, and point at what exists.

* Every block of C++, C or Python in a document is one of the examples, every example is shown, and each is short.
* Every relative link leads to a file or directory, every #fragment to a heading.
* Every option of a `ringpost` command in a document is in that command's --help.
* README.md has at most 200 lines, lists every subcommand, and no line of prose is longer than 120 characters.
"""

import pathlib
import re
import subprocess
import sys

EXAMPLE_LINES_MAX = 20
LANGUAGES = {"cpp", "c", "python"}
README_LINES_MAX = 200
PROSE_COLUMNS_MAX = 120
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^    .*$", re.MULTILINE)
SUBCOMMANDS_OF = {"message", "struct"}


def documents(root):
    """README.md, .github and everything below the directories that hold sources."""
    tops = (".github", "apps", "bench", "codec", "engine", "scripts", "tests")
    return [root / "README.md", *sorted(path for top in tops for path in (root / top).rglob("*.md"))]


def without_code(text):
    return INDENTED.sub("", FENCED.sub("", text))


def anchor(heading):
    """The fragment that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(path):
    text = without_code(path.read_text())
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)} | set(
        re.findall(r'<a id="([^"]+)"', text))


def broken_examples(texts, examples):
    shown = [block for text in texts.values() for language, block in FENCED.findall(text)
             if language in LANGUAGES]
    sources = {example.name: example.read_text() for example in examples}
    for name, source in sources.items():
        if source not in shown:
            yield f"no document shows {name} as it is"
        if source.count("\n") > EXAMPLE_LINES_MAX:
            yield f"{name} has more than {EXAMPLE_LINES_MAX} lines"
    for path, text in texts.items():
        for language, block in FENCED.findall(text):
            if language in LANGUAGES and block not in sources.values():
                yield f"{path}: this {language} is none of the examples:\n{block}"


def broken_links(root, texts):
    for name, text in texts.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, fragment = target.partition("#")
            there = (root / name).parent / path if path else root / name
            if not there.exists():
                yield f"{name}: {target} does not exist"
            elif fragment and fragment not in anchors(there):
                yield f"{name}: {target}: no such heading"


def commands(text):
    """(subcommand, options) of every `ringpost` command in code, over the whole document."""
    code = [match[0] for match in INDENTED.finditer(text)] + re.findall(r"`(ringpost [^`]*)`", text)
    for line in code:
        if "main.py" in line:  # which is given the program and names of tests
            continue
        for call in re.findall(r"\b(?:ringpost|scripts/run) ([a-z][^|&;]*)", line.split("  # ")[0]):
            words = call.split()
            depth = 2 if words[0] in SUBCOMMANDS_OF and len(words) > 1 and words[1].isalpha() else 1
            yield " ".join(words[:depth]), re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", call)


def broken_commands(ringpost, texts):
    helps = {}
    for name, text in texts.items():
        for subcommand, options in commands(text):
            if subcommand not in helps:
                done = subprocess.run([ringpost, *subcommand.split(), "--help"], capture_output=True, text=True)
                helps[subcommand] = done.stdout if done.returncode == 0 else ""
            if not helps[subcommand]:
                yield f"{name}: `ringpost {subcommand}` is no subcommand"
                continue
            known = set(re.findall(r"--[a-z][a-z0-9-]*", helps[subcommand]))
            for option in options:
                if option not in known:
                    yield f"{name}: `ringpost {subcommand}` has no {option}"


def broken_shape(ringpost, texts):
    readme = texts["README.md"]
    if readme.count("\n") > README_LINES_MAX:
        yield f"README.md has more than {README_LINES_MAX} lines"
    listing = subprocess.run([ringpost, "--help"], capture_output=True, text=True, check=True).stdout
    for subcommand in re.findall(r"^  ([a-z]+)  ", listing.split("Subcommands:")[1], re.MULTILINE):
        if f"`{subcommand}`" not in readme:
            yield f"README.md does not list `{subcommand}`"
    for name, text in texts.items():
        for line in without_code(text).splitlines():
            if len(line) > PROSE_COLUMNS_MAX and not line.startswith("|"):
                yield f"{name}: more than {PROSE_COLUMNS_MAX} characters: {line}"


def main():
    root, ringpost, *examples = map(pathlib.Path, sys.argv[1:])
    texts = {str(path.relative_to(root)): path.read_text() for path in documents(root)}
    problems = [*broken_examples(texts, examples), *broken_links(root, texts), *broken_commands(ringpost, texts),
                *broken_shape(ringpost, texts)]
    print("\n".join(problems) or f"{len(texts)} documents: examples, links and commands are right")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
