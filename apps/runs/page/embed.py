#!/usr/bin/env python3
"""embed.py OUT FILE...: a C++ file in which each FILE's text is a std::string_view, named as the file with _ for the dot."""

import pathlib
import sys

CHUNK = 4_000  # of characters: literals behind each other are one, and no line is endless


def literal(text):
    chunks = [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]
    assert ")embed\"" not in text
    return "\n".join(f'R"embed({chunk})embed"' for chunk in chunks)


def main():
    out, *files = map(pathlib.Path, sys.argv[1:])
    texts = "\n".join(f"const std::string_view {file.name.replace('.', '_')} =\n{literal(file.read_text())};" for file in files)
    out.write_text(f'#include "apps/runs/report_page.hpp"\n\nnamespace ringpost::apps {{\n\n{texts}\n\n}}\n')


if __name__ == "__main__":
    main()
