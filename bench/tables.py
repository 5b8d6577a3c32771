"""Measures the groups of measurements.py, and shows them as Markdown: on standard output and in the documents."""

import dataclasses
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import textwrap
import time

from measurements import SUMMARY, TABLES
from programs import ROOT, Failed, program, run

README, BENCH_README = (pathlib.Path(ROOT) / name for name in ("README.md", "bench/README.md"))
HEAD = "| measurement | contestant | median (range) | ratio to the first (range) | lost |\n|---|---|---|---|---|\n"
MUST_MOVE = ("rate", "bytes", "messages")


@dataclasses.dataclass
class Samples:
    """What each contestant of each group returned, one entry for each repeat."""

    of: dict

    def values(self, group, contestant, figure):
        """By repeat; None where the contestant did not report the figure."""
        return [sample.get(figure) for sample in self.of[group][contestant]]

    def ratios(self, group, contestant, reference, figure):
        pairs = zip(self.values(group, contestant, figure), self.values(group, reference, figure))
        return [value / base for value, base in pairs if value is not None and base]

    def lost(self, group, contestant):
        return sum(sample.get("lost") or 0 for sample in self.of[group][contestant])


def measure(groups, rows, repeats, seconds):
    """Measures the contestants that the rows show, each group interleaved."""
    samples = {}
    for group, contestants in groups.items():
        wanted = [row for row in rows if row.group == group]
        chosen = [name for name in contestants if any(not row.contestants or name in row.contestants for row in wanted)]
        if not chosen:
            continue
        print(f"{time.strftime('%H:%M:%S')}  {group}: {', '.join(chosen)}", file=sys.stderr, flush=True)
        samples[group] = {name: [] for name in chosen}
        for _ in range(repeats):
            for name in chosen:
                samples[group][name].append(contestants[name](seconds))
    return Samples(samples)


# ---- numbers --------------------------------------------------------------------------------------


def number(value, like):
    return f"{value:,.0f}" if like >= 1000 else f"{value:.2f}"


def spread(values):
    if not values:
        return ""
    middle = statistics.median(values)
    return f"{number(middle, middle)} ({number(min(values), middle)} to {number(max(values), middle)})"


def table(samples, rows):
    lines = []
    for row in rows:
        names = row.contestants or tuple(samples.of[row.group])
        for name in names:
            values = [value for value in samples.values(row.group, name, row.figure) if value is not None]
            if not values:
                continue
            if row.figure in MUST_MOVE and min(values) <= 0:
                raise Failed(f"{row.title}: {name} moved nothing")
            ratios = spread(samples.ratios(row.group, name, names[0], row.figure)) if row.ratio else ""
            lost = samples.lost(row.group, name)
            lines.append(f"| {row.title} | {name} | {spread(values)} | {ratios} | {lost:,} |\n")
    return HEAD + "".join(lines)


def summary(samples):
    def median(group, name, figure):
        middle = statistics.median(value for value in samples.values(group, name, figure) if value is not None)
        return number(middle, middle)

    lines = ["| measurement | io_uring | epoll | reference | ratio of io_uring (range) |\n|---|---|---|---|---|\n"]
    for title, figure, group, ours, reference in SUMMARY:
        cells = [median(group, name, figure) for name in (*ours, reference)]
        ratio = spread(samples.ratios(group, ours[0], reference, figure))
        lines.append(f"| {title} | {cells[0]} | {cells[1]} | {reference}: {cells[2]} | {ratio} |\n")
    return "".join(lines)


# ---- where and when -------------------------------------------------------------------------------


def first_line(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return next((line.strip() for line in done.stdout.splitlines() if line.strip()), "")


def versions():
    """Of ringpost, and of the programs and libraries that it is compared with."""
    commit = first_line("git", "-C", ROOT, "rev-parse", "--short", "HEAD")
    found = [f"{first_line(program('apps/ringpost'), '--version')} ({commit})"]
    for name in ("iperf3", "sockperf", "dnsmasq"):
        version = re.search(r"(?:iperf|version) ([\d.]+)", first_line(name, "--version"))
        found.append(f"{name} {version[1] if version else 'of unknown version'}")
    found.append(f"dnsperf {first_line('dpkg-query', '-W', '-f', '${Version}', 'dnsperf').split('-')[0]}")
    for package in ("libzmq", "libenet"):
        found.append(f"{package} {first_line('pkg-config', '--modversion', package)}")
    return ", ".join(found)


def machine():
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return f"{model[1] if model else 'unknown processor'}, {os.cpu_count()} cores, Linux {os.uname().release}"


def conditions(repeats, seconds):
    day = time.strftime("%Y-%m-%d", time.gmtime())
    return f"{machine()}; {day}; {repeats} repeats of {seconds:g} s, interleaved"


# ---- single pieces --------------------------------------------------------------------------------


def micro_programs():
    directory = program("bench")
    return [name for name in sorted(os.listdir(directory))
            if name.startswith("micro_") and "." not in name and os.access(os.path.join(directory, name), os.X_OK)]


def run_micro(name, min_time, *options):
    # The tables of a million timers take a minute to fill again and again.
    few = [] if min_time >= 0.5 else ["--benchmark_filter=-/1000000$"]
    out = subprocess.run([program(f"bench/{name}"), f"--benchmark_min_time={min_time}", *few, *options], check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    if "ERROR OCCURRED" in out or '"error_occurred": true' in out:
        raise Failed(f"{name}: a benchmark did not do what it measures\n{out}")
    return out


def micro_table(min_time):
    """CPU time of each piece, and what that makes a second."""
    lines = ["| program | benchmark | CPU, ns | items/s | GB/s |\n|---|---|---|---|---|\n"]
    for name in micro_programs():
        for result in json.loads(run_micro(name, min_time, "--benchmark_format=json"))["benchmarks"]:
            items, size = result.get("items_per_second"), result.get("bytes_per_second")
            cells = [name, result["name"], number(result["cpu_time"], result["cpu_time"]),
                     f"{items:,.0f}" if items else "", f"{size / 1e9:.2f}" if size else ""]
            lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


# ---- documents ------------------------------------------------------------------------------------


def replace(text, place, generated):
    """`text` with what stands between the two comments of `place` replaced."""
    begin, end = f"<!-- scripts/bench --readme: {place} -->\n", f"<!-- end of {place} -->\n"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise Failed(f"a document needs each of these lines once: {begin}{end}")
    head, rest = text.split(begin)
    return head + begin + "\n" + generated.strip("\n") + "\n\n" + end + rest.split(end)[1]


def demo():
    """What the command of README.md prints, in a code block."""
    shown = ("load", "--self", "--duration", "1s")
    printed = run(program("apps/ringpost"), *shown).splitlines()
    return "".join(f"    {line}\n" for line in [f"$ scripts/run {' '.join(shown)}", *printed])


def paragraph(text):
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def documents(samples, described, load, micro, took_s):
    """Returns both documents with regenerated tables, by path."""
    length = f"{round(took_s / 60)} min" if took_s >= 90 else f"{round(took_s)} s"
    readme = replace(README.read_text(), "demo", demo())
    readme = replace(readme, "summary", f"{summary(samples)}\n{paragraph(f'{described}.')}")
    text = BENCH_README.read_text()
    text = replace(text, "conditions", paragraph(f"{described}; load average {load:.1f} at the start; took {length}. "
                                                 f"{versions()}."))
    for place, rows in TABLES.items():
        text = replace(text, place, table(samples, rows))
    return {README: readme, BENCH_README: replace(text, "micro", micro)}
