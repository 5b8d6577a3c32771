#!/usr/bin/env python3
"""check.py README EXAMPLE...: the README's C++ is exactly the examples, and each is short.

What the README shows is then what the tests compile and run.
"""

import pathlib
import re
import sys

LINES_MAX = 15


def main():
    readme, *examples = map(pathlib.Path, sys.argv[1:])
    shown = re.findall(r"^```cpp\n(.*?)^```$", readme.read_text(), re.MULTILINE | re.DOTALL)
    problems = []
    for example in examples:
        if example.read_text() not in shown:
            problems.append(f"{readme.name} does not show {example.name} as it is")
    if len(shown) != len(examples):
        problems.append(f"{readme.name} has {len(shown)} blocks of C++; the examples are {len(examples)}")
    for example in examples:
        count = len(example.read_text().splitlines())
        if count > LINES_MAX:
            problems.append(f"{example.name} has {count} lines; {LINES_MAX} is the most")
    print("\n".join(problems) or "the README shows the examples as they are")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
