"""table.py RINGPOST [--sources N] [--rate N] [--only REGEX]: attacks every listening command and prints a table."""

import argparse
import os
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))
import attack
import cases
import loops
import support
from arena import Arena

LATENCY_BOUND = 2  # of the median during an attack to that before
HEAD = "| command | flood | bytes in | bytes out | out / in | memory, MiB | honest client, p50 | newcomer |"


def milliseconds(seconds):
    return "-" if seconds is None else f"{seconds * 1000:.2f} ms"


def row(case, result):
    latency = "-"
    if result.quiet_s:
        latency = (f"{result.quiet_s * 1e6:.0f} to {result.attacked_s * 1e6:.0f} us "
                   f"({result.attacked_s / result.quiet_s:.2f})")
    memory = " ".join(f"{mib:.0f}" for mib in result.resident_mib)
    return (f"| `{case.name}` | {case.flood} | {result.received_bytes:,} | {result.sent_bytes:,} | "
            f"{result.amplification:.2f}{'' if result.ended else ', no end'} | {memory} | {latency} | "
            f"{milliseconds(result.newcomer_s)} |")


def misses(case, result):
    """What of the result breaks a bound."""
    broken = []
    if result.amplification > case.bound:
        broken.append(f"sends {result.amplification:.2f} times what it receives, bound {case.bound}")
    if not result.ended:
        broken.append("its answers do not end")
    if result.quiet_s and result.attacked_s > LATENCY_BOUND * result.quiet_s:
        broken.append(f"an honest client waits {result.attacked_s / result.quiet_s:.1f} times as long")
    return broken


def prefer_clients():
    """The honest client would have processors of its own, on its host: here its thread runs before all others."""
    os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    sys.setswitchinterval(0.00005)  # a thread that reads the server's output holds it up no longer


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ringpost")
    parser.add_argument("--sources", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=20_000, help="sources a second")
    parser.add_argument("--only", default="", help="commands that match; `loop` for the loops")
    options = parser.parse_args()
    support.binary = str(pathlib.Path(options.ringpost).resolve())
    prefer_clients()
    plan = attack.Plan(options.sources, options.rate, parts=2, quiet_s=3, gap_s=0.002, settle_s=4)
    print(f"{options.sources:,} spoofed sources, {options.rate:,} a second. Bytes with IP and UDP headers.\n")
    print(HEAD + "\n" + "|---" * 2 + "|--:" * 4 + "|---|--:|", flush=True)
    broken = []
    with tempfile.TemporaryDirectory() as directory:
        for case in cases.cases(pathlib.Path(directory)):
            if not re.search(options.only, case.name):
                continue
            with Arena() as arena:
                result = attack.run(arena, case, plan)
            print(row(case, result), flush=True)
            broken += [f"{case.name}, {case.flood}: {miss}" for miss in misses(case, result)]
    if re.search(options.only, "loop"):
        print("\n| loop, started by one datagram | datagrams | ends |\n|---|--:|---|")
        for name, datagrams in loops.measured():
            print(f"| {name} | {datagrams} | {'yes' if datagrams <= loops.ENDED_MAX else 'no'} |", flush=True)
            broken += [f"{name}: does not end"] if datagrams > loops.ENDED_MAX else []
    print("\n".join(["", *broken]) if broken else "\nevery bound is kept")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
