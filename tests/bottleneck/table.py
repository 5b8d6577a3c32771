#!/usr/bin/env python3
"""scripts/bottleneck [--only REGEX] [--seconds S] [--list]: congestion control on a narrow path, against the kernel's.

Two network namespaces, joined by a program with a rate, a delay and a queue, carry flows of the native transport
(CUBIC) and of TCP (CUBIC): fairness among native flows, shares of a native and a TCP flow, and the time of a transfer
alone. One line per case, a table at the end. Exit code 1 if a bound is missed.

Needs root. The programs run with real-time priority, so that other load on the machine has little influence. All cases
take about 60 minutes.
"""

import argparse
import re
import sys
import time

import cases


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", help="directory of the programs")
    parser.add_argument("--only", metavar="REGEX", default="", help="only cases whose name matches")
    parser.add_argument("--seconds", type=float, default=60,
                        help="duration of flows that compete; against TCP twice that at 100 ms (default 60)")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    return parser.parse_args()


def run(arguments, chosen):
    rows, started = [], time.monotonic()
    for number, case in enumerate(chosen, 1):
        print(f"[{number}/{len(chosen)}, {time.monotonic() - started:.0f} s] {case.name}: ", end="", flush=True)
        kept, figure, details = case.run(arguments.programs, arguments.seconds)
        print(f"{figure}, {details}{'' if kept else '  MISSED'}", flush=True)
        rows.append((case.name, figure, details, "yes" if kept else "NO"))
    return rows


def print_table(rows):
    header = "case", "figure", "details", "kept"
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")


def main():
    arguments = parse()
    chosen = [case for case in cases.all_cases() if re.search(arguments.only, case.name)]
    if arguments.list:
        print("\n".join(case.name for case in chosen))
        return 0
    rows = run(arguments, chosen)
    missed = sum(row[-1] == "NO" for row in rows)
    print()
    print_table(rows)
    print(f"\n{len(rows)} cases, {missed} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
