"""The files that --out writes for a measured run, and the commands merge and compare."""

import base64
import collections
import csv
import json
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import unittest
import zlib
from random import Random

from schema import read_schema, violations
from support import EchoThread, backends, die_with_parent, parse_events, patience_s, run, tried

README = pathlib.Path(__file__).parents[2] / "apps" / "README.md"


class Directories(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="ringpost_runs_")
        self.addCleanup(temporary.cleanup)
        self.base = pathlib.Path(temporary.name)

    def measure(self, name, *args):
        """Runs `latency` with --out. Returns its result and the directory."""
        done = run("latency", *args, "--out", self.base / name, "--json")
        self.assertEqual(done.code, 0, done)
        return done, self.base / name


class Kept(Directories):
    def test_the_schema_rejects_invalid_documents(self):
        schema = read_schema("run.schema.json")
        _, kept = self.measure("run", "--self", "--count", 5)
        good = json.loads((kept / "run.json").read_text())
        self.assertEqual(list(violations(good, schema)), [])
        for path, value in ((("format",), "ringpost run 2"), (("environment", "cores"), "2"), (("more",), 1),
                            (("results", "sent"), -1), (("results", "lost"), True), (("environment", "backend"), "x"),
                            (("environment", "started_at"), "today"), (("results", "rtt_us", "p50"), "fast")):
            bad = json.loads(json.dumps(good))
            inner = bad
            for name in path[:-1]:
                inner = inner[name]
            inner[path[-1]] = value
            self.assertEqual(len(list(violations(bad, schema))), 1, path)
        del good["results"]["rate_per_s"]
        self.assertEqual(list(violations(good, schema)), ["run.json.results.rate_per_s: missing"])

    def test_all_files_describe_the_same_run(self):
        schema = read_schema("run.schema.json")
        for backend in backends():
            done, kept = self.measure(backend, "--self", "--rate", "2k", "--duration", "1600ms", "--backend", backend)
            summary = done.summary()
            found = json.loads((kept / "run.json").read_text())
            self.assertEqual(list(violations(found, schema)), [])
            nic = found["environment"]["nic"]
            self.assertEqual((nic["name"], nic["driver"], nic["irq_affinity"]), ("lo", None, None))
            self.assertGreater(nic["mtu"], 1500)
            self.assertEqual(found["command"], "latency")
            self.assertEqual(found["configuration"],
                             {"self": True, "rate": "2k", "duration": "1600ms", "backend": backend})
            self.assertEqual({"event": "summary"} | found["results"], summary)
            self.assertEqual((kept / "events.ndjson").read_text(), done.out)
            with open(kept / "series.csv") as lines:
                rows = list(csv.DictReader(lines))
            self.assertLessEqual(set(SERIES.strip().split(",")), set(rows[0]))
            for name in ("sent", "received", "lost", "socket_dropped"):
                self.assertEqual(sum(int(row[name]) for row in rows), summary[name], name)
            self.assertAlmostEqual(float(rows[-1]["elapsed_s"]), summary["duration_s"], delta=0.01)
            for name, key, counted in (("response", "rtt_us", "received"), ("slip", "slip_us", "sent")):
                spectrum = (kept / f"{name}.hgrm").read_text()
                self.assertIn(f"Total count    = {summary[counted]:>12}]", spectrum)
                self.assertIn(f"#[Max     = {summary[key]['max']:>12.3f},", spectrum)
                log = (kept / f"{name}.hlog").read_text().splitlines()
                self.assertTrue(log[1].startswith("#[StartTime: "), log[1])
                self.assertEqual(len(log), 3 + len(rows))

    def test_events_are_written_even_without_json_on_standard_output(self):
        done = run("latency", "--self", "--count", 5, "--out", self.base / "run")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(parse_events((self.base / "run" / "events.ndjson").read_text())[-1]["event"], "summary")

    def test_a_run_without_answers_is_written(self):
        with EchoThread() as echo:
            port = echo.port
        done = run("latency", "--to", f"127.0.0.1:{port}", "--ping-pong", "--count", 3, "--out", self.base / "run")
        self.assertEqual(done.code, 4, done)
        found = json.loads((self.base / "run" / "run.json").read_text())
        self.assertEqual(list(violations(found, read_schema("run.schema.json"))), [])
        self.assertIsNone(found["results"]["rtt_us"]["p50"])
        self.assertFalse((self.base / "run" / "slip.hlog").exists(), "a closed loop has no slip")

    def test_an_unusable_directory_is_rejected_before_the_run(self):
        (self.base / "full").mkdir()
        (self.base / "full" / "note").write_text("mine")
        (self.base / "file").write_text("mine")
        for name, reason in (("full", "is not empty"), ("file", "Not a directory"), ("file/in", "Not a directory")):
            done = run("latency", "--self", "--out", self.base / name)
            self.assertEqual(done.code, 2, done)
            self.assertEqual(done.err, f"ringpost: --out {self.base / name}: {reason}\n")
        self.assertEqual([path.name for path in (self.base / "full").iterdir()], ["note"])
        done = run("latency", "--self", "--out", "")
        self.assertEqual((done.code, done.err), (2, "ringpost: --out: expected a directory\n"), done)


def bucket_index(value):
    """Index of a value in the counts of a HdrHistogram with 3 significant digits and lowest value 1."""
    shift = max(value.bit_length() - 11, 0)
    return (shift << 10) + (value >> shift)


def bucket_end(value):
    shift = max(value.bit_length() - 11, 0)
    return ((value >> shift) + 1 << shift) - 1


def varint(number):
    """ZigZag LEB128."""
    number = 2 * number if number >= 0 else -2 * number - 1
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def histogram_text(values):
    """The values, in nanoseconds, as HdrHistogram's V2 compressed base64."""
    counts = collections.Counter(map(bucket_index, values))
    payload, at = b"", 0
    for index in sorted(counts):
        if index > at:
            payload += varint(at - index)
        payload += varint(counts[index])
        at = index + 1
    plain = struct.pack(">IIIIQQd", 0x1C849313, len(payload), 0, 3, 1, 60 * 10**9, 1.0) + payload
    stream = zlib.compress(plain)
    return base64.b64encode(struct.pack(">II", 0x1C849314, len(stream)) + stream).decode()


def histogram_values(text):
    """The recorded values, each as the index of its bucket, sorted."""
    stream = base64.b64decode(text)
    plain = zlib.decompress(stream[8:])
    values, index, number, shift = [], 0, 0, 0
    for byte in plain[40:]:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            count = -(number + 1 >> 1) if number & 1 else number >> 1
            values += [index] * max(count, 0)
            index += -count if count < 0 else 1
            number, shift = 0, 0
    return values


SERIES = "elapsed_s,sent,received,lost,rate_per_s,p50_us,p99_us,max_us,cpu_percent,socket_dropped,refused,lost_receive_buffer,lost_path\n"


class Events(unittest.TestCase):
    """The events of all other tests are checked too, as they are parsed."""

    def test_the_schema_rejects_invalid_events(self):
        schema = read_schema("events.schema.json")
        good = run("latency", "--self", "--count", 5, "--json").summary()
        self.assertEqual(list(violations(good, schema, "event")), [])
        for change in ({"sent": -1}, {"lost": "1"}, {"rtt_us": {"p50": "fast"}}, {"lost_in": {"path": 1}},
                       {"valid": "yes"}, {"breached": [1]}, {"event": "new"}):
            self.assertNotEqual(list(violations(good | change, schema, "event")), [], change)
        del good["rate_per_s"]
        self.assertNotEqual(list(violations(good, schema, "event")), [])

    def test_the_readme_lists_the_events_of_the_schema(self):
        table = re.search(r"\*\*Events of `--json`\.\*\*[^|]*((?:\|.*\n)+)", README.read_text())[1]
        listed = {name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])}
        schema = read_schema("events.schema.json")
        self.assertEqual(listed, {each["$ref"].removeprefix("#/$defs/") for each in schema["anyOf"]})

    def test_progress_and_summary_use_one_name_for_a_figure(self):
        done = run("latency", "--self", "--rate", "1k", "--duration", "1200ms", "--json")
        summary, progress = done.summary(), done.events("progress")
        if progress:  # a stalled machine may end the run without
            self.assertLessEqual({"response_us", "rtt_us", "send_failed", "refused"}, set(progress[0]))
            self.assertEqual(progress[0]["response_us"], progress[0]["rtt_us"])
        self.assertEqual(summary["response_us"], summary["rtt_us"])
        self.assertIn("send_failed", summary)
        figures = set().union(*(each.keys() for each in progress)) - {
            "elapsed_s", "cpu_percent",  # of the moment, and of a second
            "refused"}  # a former name
        self.assertLessEqual(figures, set(summary))


class SyntheticRuns(Directories):
    """Runs written by the test, as another program might write them."""

    def make(self, name, seconds, lost=None, configuration=None, command="latency", environment=None, more=None,
             service=None):
        """Writes a run that has one interval for each list of responses in `seconds`, and of `service` times if given.
        `more` are further results.
        """
        lost = lost or [0] * len(seconds)
        path = self.base / name
        path.mkdir()
        sent = [len(values) + gone for values, gone in zip(seconds, lost)]
        results = {"sent": sum(sent), "received": sum(map(len, seconds)), "lost": sum(lost), "socket_dropped": 0,
                   "send_failed": 0, "duration_s": len(seconds), "rate_per_s": sum(sent) / len(seconds), "backend": "uring",
                   "rtt_us": {}} | (more or {})
        (path / "run.json").write_text(json.dumps({
            "format": "ringpost run 1", "id": name, "command": command, "configuration": configuration or {"rate": "1k"},
            "environment": environment or {}, "results": results}))
        (path / "series.csv").write_text(SERIES + "".join(
            f"{i + 1},{sent[i]},{len(values)},{lost[i]},0,,,,50.0,0,0,0,0\n" for i, values in enumerate(seconds)))
        for recording, intervals in (("response", seconds), ("service", service)):
            if intervals:
                (path / f"{recording}.hlog").write_text("#made up\n" + "".join(
                    f"{i},1.000,0.000,{histogram_text(values)}\n" for i, values in enumerate(intervals)))
        return path

    def refused(self, line, *args):
        done = run(*args)
        self.assertEqual((done.code, done.err), (2, f"ringpost: {line}\n"), done)


class Merge(SyntheticRuns):
    def test_adds_counts_and_histograms(self):
        random = Random(3)
        first = [[random.randrange(5_000, 9_000) for _ in range(100)] for _ in range(3)]
        second = [[random.randrange(50_000, 90_000) for _ in range(40)] for _ in range(2)]
        a, b = self.make("a", first), self.make("b", second, lost=[1, 2])
        done = run("merge", a, b, "--out", self.base / "sum", "--json")
        self.assertEqual(done.code, 0, done)
        merged = done.summary()
        self.assertEqual((merged["runs"], merged["sent"], merged["received"], merged["lost"]), (2, 383, 380, 3))
        self.assertAlmostEqual(merged["rate_per_s"], 383 / 3)
        values = sorted(value for interval in first + second for value in interval)
        for name, rank in (("p50", 192), ("p90", 345), ("p99", 380)):
            self.assertEqual(merged["rtt_us"][name], bucket_end(values[rank - 1]) / 1e3, name)
        self.assertIsNone(merged["rtt_us"]["p999"], "among the lost ones")

        log = (self.base / "sum" / "response.hlog").read_text().splitlines()[3:]
        kept = [histogram_values(line.split(",")[-1]) for line in log]
        self.assertEqual(kept, [sorted(map(bucket_index, first[0] + second[0])),
                                sorted(map(bucket_index, first[1] + second[1])), sorted(map(bucket_index, first[2]))])
        again = run("merge", self.base / "sum", "--json")
        self.assertEqual(again.code, 0, again)
        self.assertEqual(again.summary(), merged, "a merged run keeps its number of runs")

    def test_the_same_run_is_not_counted_twice(self):
        a, b = self.make("a", [[1], [2]]), self.make("b", [[1], [3]])
        (self.base / "link").symlink_to(a)
        shutil.copytree(a, self.base / "copy")
        for other in (a, f"{a}/", self.base / "link", self.base / "copy"):
            self.refused(f"{a} and {other}: the same run", "merge", a, other)
            self.refused(f"{a} and {other}: the same run", "merge", b, a, other)
            self.refused(f"{a} and {other}: the same run", "compare", a, other)
        self.assertEqual(run("merge", a, b, "--out", self.base / "sum").code, 0)
        self.refused(f"{a} and {self.base / 'sum'}: one run is part of both", "merge", self.base / "sum", a)

    def test_the_same_run_of_an_earlier_version_is_recognised_by_its_content(self):
        a, b = self.make("a", [[1], [2]]), self.make("b", [[1], [3]])
        for path in (a, b):
            kept = json.loads((path / "run.json").read_text())
            del kept["id"]
            (path / "run.json").write_text(json.dumps(kept))
        shutil.copytree(a, self.base / "copy")
        self.refused(f"{a} and {self.base / 'copy'}: the same run", "merge", a, b, self.base / "copy")
        self.assertEqual(run("merge", a, b).code, 0)

    def test_a_sum_is_invalid_if_a_run_is(self):
        a = self.make("a", [[1]], more={"valid": True})
        b = self.make("b", [[2]], more={"valid": False, "invalid_reason": "too late", "breached": ["p99>1ms: 2 us"]})
        done = run("merge", a, b, "--out", self.base / "sum")
        self.assertEqual(done.code, 0, done)
        self.assertIn(f"INVALID: {b}: too late\n", done.out)
        self.assertIn(f"FAILED: {b}: p99>1ms: 2 us\n", done.out)
        merged = json.loads((self.base / "sum" / "run.json").read_text())["results"]
        self.assertEqual((merged["valid"], merged["invalid_reason"]), (False, f"{b}: too late"))
        self.assertIn("too late", (self.base / "sum" / "report.html").read_text())
        self.assertNotIn("INVALID", run("merge", a).out)
        old = self.make("old", [[3]])
        self.assertNotIn("valid", run("merge", old, "--json").summary(), "unknown of runs of earlier versions")

    def test_lost_probes_are_longer_than_any_answered_one(self):
        a = self.make("a", [[1_000] * 90], lost=[10], more={"timeout_us": 2_000_000})
        b = self.make("b", [[2_000] * 100], lost=[0])
        merged = run("merge", a, b, "--json").summary()
        times = merged["rtt_us"]
        self.assertEqual((times["p50"], times["p90"]), (2.0, 2.0))
        self.assertEqual((times["p99"], times["max"], times["lost_beyond"]), (None, None, 2_000_000))
        self.assertEqual(merged["response_us"], times)
        self.assertEqual(merged["timeout_us"], 2_000_000)
        self.assertIn("p95 2.0 us  p99 and above > 2 s", run("merge", a, b).out)

    def test_the_lateness_of_a_sum_is_judged_anew(self):
        late = [[50_000] * 80 + [90_000] * 20], [[20_000] * 80 + [90_000] * 20]
        runs = [self.make(name, late[0], service=late[1], more={"valid": False, "invalid_reason": "late"})
                for name in "ab"]
        merged = run("merge", *runs, "--json").summary()
        self.assertAlmostEqual(merged["lateness_us"]["p50"], 30, delta=0.1)
        self.assertEqual(merged["lateness_us"]["p90"], 0)
        self.assertEqual((merged["stands"]["p50"], merged["stands"]["p90"]), (False, True))
        self.assertIn("30.0 of the 50.0 us", merged["invalid_reason"])
        punctual = self.make("c", [[50_000] * 900], service=[[50_000] * 900])
        self.assertTrue(run("merge", runs[0], punctual, "--json").summary()["stands"]["p50"])

    def test_a_series_of_a_spreadsheet_is_read(self):
        a, b = self.make("a", [[1], [2]]), self.make("b", [[3], [4]])
        plain = run("merge", a, b, "--json").summary()
        for path in (a / "series.csv", a / "response.hlog"):
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n").rstrip())
        self.assertEqual(run("merge", a, b, "--json").summary(), plain)

    def test_measured_runs(self):
        kept = [self.measure(name, "--self", "--count", count)[1] for name, count in (("a", 30), ("b", 50))]
        done = run("merge", *kept)
        self.assertEqual(done.code, 0, done)
        self.assertIn("sent 80  received 80  lost 0", done.out)
        merged = run("merge", *kept, "--json").summary()
        self.assertEqual(merged["counters"]["prober"]["sent"], 80)
        self.assertEqual(merged["counters"]["engine"]["sent"], 80)
        self.assertIn("response    min ", done.out)

    def test_runs_of_other_configurations_are_refused_by_name(self):
        a = self.make("a", [[1]])
        what = f"measured something else than {a}"
        b = self.make("b", [[1]], configuration={"rate": "2k"})
        self.refused(f"{b}: {what}: rate 2k, not 1k", "merge", a, b)
        c = self.make("c", [[1]], configuration={"rate": "1k", "self": True})
        self.refused(f"{c}: {what}: self given, not the default", "merge", a, c)
        d = self.make("d", [[1]], command="load")
        self.refused(f"{d}: {what}: load, not latency", "merge", a, d)
        (self.make("e", [[1]]) / "slip.hlog").write_text("")
        self.refused(f"{self.base / 'e'}: {what}: other histograms", "merge", a, self.base / "e")
        longer = self.make("longer", [[1]], configuration={"rate": "1k", "duration": "2s"})
        self.assertEqual(run("merge", a, longer).code, 0, "the duration may differ")

    def test_unreadable_files_are_named(self):
        self.refused(f"{self.base}/run.json: cannot be read: not a directory of --out, or its run was interrupted", "merge",
                     self.base)
        a = self.make("a", [[1], [2]])
        good = {path.name: path.read_text() for path in a.iterdir()}
        log = good["response.hlog"].splitlines()
        for file, text, line in (
                ("run.json", "{", "run.json: does not match apps/runs/run.schema.json"),
                ("run.json", good["run.json"].replace("run 1", "run 2"),
                 "run.json: does not match apps/runs/run.schema.json"),
                ("series.csv", "a,b\n", "series.csv:1: no column elapsed_s: not the series of a run"),
                ("series.csv", SERIES + "1,2\n", "series.csv:2: no field for the column received"),
                ("series.csv", good["series.csv"].replace("\n2,", "\nx,"),
                 "series.csv:3: elapsed_s: x: expected a number"),
                ("series.csv", good["series.csv"].replace("\n2,", "\n0.5,"), "series.csv:3: earlier than the line before"),
                ("series.csv", good["series.csv"] + "3,0,0,0,0,,,,0,0,0,0,0\n", None),
                ("response.hlog", "\n".join(log[:2]) + "\n1,1,0,AAAA",
                 "response.hlog:3: not a histogram in compressed V2 encoding"),
                ("response.hlog", "x,1,0,AAAA", "response.hlog:1: expected start, length and longest, each a number")):
            (a / file).write_text(text)
            self.refused(f"{a}/{line}" if line else f"{a}: series.csv and the .hlog files differ in their intervals",
                         "merge", a)
            (a / file).write_text(good[file])


class Compare(SyntheticRuns):
    def noisy(self, seed, base_ns, spread=0.02, seconds=12, each=400):
        random = Random(seed)
        return [[int(base_ns * level * random.uniform(0.9, 1.1)) for _ in range(each)]
                for level in (random.uniform(1 - spread, 1 + spread) for _ in range(seconds))]

    def compare(self, a, b, *args):
        done = run("compare", a, b, "--json", *args)
        return done, done.summary()

    def test_a_similar_run_is_no_regression(self):
        a, b = self.make("a", self.noisy(1, 20_000)), self.make("b", self.noisy(2, 20_000))
        done, found = self.compare(a, b)
        self.assertEqual((done.code, found["regressed"]), (0, False), done)
        for name in ("rate_per_s", "loss", "p50_us", "p99_us", "p999_us"):
            self.assertLessEqual(found[name]["low"], found[name]["change"] + 1e-9)
            self.assertLessEqual(found[name]["change"], found[name]["high"] + 1e-9)
        self.assertEqual(found["seed"], 1)
        self.assertEqual(self.compare(a, b)[1], found, "the same seed gives the same result")
        self.assertNotEqual(self.compare(a, b, "--seed", 2)[1]["p99_us"], found["p99_us"])

    def group(self, name, base_ns, count=3, spread=0.01, seconds=3, **more):
        """Runs that differ from each other by `spread`, besides their seconds."""
        random = Random(name)
        return [self.make(f"{name}{i}", self.noisy(f"{name}{i}", base_ns * random.uniform(1 - spread, 1 + spread),
                                                   seconds=seconds, each=200), **more) for i in range(count)]

    def test_one_run_a_side_cannot_tell_what_differs_between_runs(self):
        a, b = self.make("a", self.noisy(1, 20_000)), self.make("b", self.noisy(2, 24_000))
        done, found = self.compare(a, b)
        self.assertEqual(done.code, 5, done)
        self.assertEqual(done.err, "ringpost: cannot tell whether it is worse: p50, us; p99, us; p99.9, us\n")
        self.assertEqual((found["verdict"], found["regressed"]), ("cannot tell", False))
        self.assertEqual((found["p50_us"]["cannot_tell"], found["p50_us"]["chance"]), (True, None))
        self.assertAlmostEqual(found["p50_us"]["change"], 0.2, delta=0.03)
        self.assertGreater(found["p50_us"]["low"], 0.1)
        self.assertEqual(self.compare(b, a)[0].code, 0)
        self.assertEqual(self.compare(a, b, "--tolerance", "40%")[0].code, 0)
        text = run("compare", a, b).out
        self.assertIn("one run a side cannot show how much runs differ from each other", text)
        self.assertNotIn("worse", text)

    def test_several_slower_runs_are_a_regression_and_faster_ones_are_not(self):
        a, b = self.group("a", 20_000), self.group("b", 24_000)
        done = run("compare", *a, "--", *b, "--json")
        self.assertEqual(done.code, 3, done)
        self.assertEqual(done.err, "ringpost: worse by more than 5 %: p50, us; p99, us; p99.9, us\n")
        found = done.summary()
        self.assertEqual((found["verdict"], found["p50_us"]["chance"]), ("worse", 0.05))
        self.assertEqual((found["first_runs"], found["second_runs"]), (list(map(str, a)), list(map(str, b))))
        self.assertGreater(found["p50_us"]["low"], 0.1)
        self.assertEqual(run("compare", "--json", *a, "--", *b).code, 3, "options in front")
        self.assertEqual(run("compare", *b, "--", *a).code, 0)
        self.assertEqual(run("compare", *a, "--", *b, "--tolerance", "40%").code, 0)
        self.assertIn("1000 resamples of 3 and 3 runs, seed 1", run("compare", *a, "--", *b).out)

    def test_runs_that_differ_only_as_runs_do_are_no_regression(self):
        # The second side is a little slower, but no more than runs of one side differ from each other.
        a = [self.make(f"a{i}", self.noisy(f"a{i}", base, seconds=3)) for i, base in enumerate((20_000, 26_000, 22_000))]
        b = [self.make(f"b{i}", self.noisy(f"b{i}", base, seconds=3)) for i, base in enumerate((25_000, 21_000, 27_000))]
        done = run("compare", *a, "--", *b, "--json")
        self.assertEqual((done.code, done.summary()["verdict"]), (0, "not worse"), done)
        self.assertGreater(done.summary()["p50_us"]["change"], 0.05)

    def test_fewer_than_three_runs_a_side_give_no_verdict(self):
        a, b = self.group("a", 20_000, seconds=6), self.group("b", 24_000, seconds=6)
        for left, right in ((a[:2], b[:2]), (a[:1], b), (a, b[:2])):
            done = run("compare", *left, "--", *right)
            self.assertEqual(done.code, 5, done)
            if len(left) + len(right) > 2:
                self.assertIn(f"{len(left)} and {len(right)} runs cannot show", done.out)

    def test_sides_are_separated_by_two_dashes(self):
        a, b = self.make("a", [[1]] * 5), self.make("b", [[2]] * 5)
        c = self.make("c", [[3]] * 5)
        for args in ((a, b), ("--", a, b), (a, "--", b)):
            self.assertIn(run("compare", *args).code, (0, 5), args)
        for args in ((a,), (a, b, c), (a, "--"), ("--", a), ("--", a, b, c)):
            self.refused("compare: expected two runs, or -- between two groups: A1 A2 A3 -- B1 B2 B3", "compare", *args)
        self.refused(f"{a} and {a}: the same run", "compare", a, b, "--", c, a)
        other = self.make("other", [[1]] * 5, configuration={"rate": "2k"})
        self.refused(f"{other}: measured something else than {a}: rate 2k, not 1k", "compare", a, other, "--", b)

    def test_nothing_can_be_concluded_from_an_invalid_run(self):
        a, b = self.group("a", 20_000), self.group("b", 24_000)
        late = self.group("late", 24_000, more={"valid": False, "invalid_reason": "too late"})
        for left, right in ((a, late), (late, a), (a, [*b[:2], late[0]])):
            done = run("compare", *left, "--", *right)
            self.assertEqual(done.code, 5, done)
            first = next(path for path in (*left, *right) if path in late)
            self.assertIn(f"INVALID: {first}: too late\n", done.out)
            self.assertEqual(done.err, "ringpost: cannot tell: nothing can be concluded from an INVALID run\n")
            self.assertNotIn("worse", done.out)
        self.assertEqual(run("compare", *a, "--", *late, "--json").summary()["verdict"], "cannot tell")

    def test_a_percentile_that_the_sender_made_late_is_no_regression(self):
        a = self.group("a", 20_000)
        b = self.group("b", 24_000, more={"valid": True, "stands": {"p50": True, "p99": False, "p999": False}})
        done = run("compare", *a, "--", *b, "--json")
        found = done.summary()
        self.assertEqual((done.code, found["p50_us"]["regressed"], found["p99_us"]["regressed"]), (5, True, False), done)
        self.assertIn("p99, us: the second may be worse by its sender's lateness alone",
                      run("compare", *a, "--", *b).out)

    def test_differences_of_the_environment_are_reported(self):
        old = {"kernel": "6.1", "cpu": "x", "cores": 2, "ringpost": "0.1.0", "governor": "performance"}
        new = {"kernel": "6.6", "cpu": "y", "cores": 4, "ringpost": "0.2.0 (abc1234)", "governor": ""}
        a, b = self.make("a", [[1]] * 5, environment=old), self.make("b", [[1]] * 5, environment=new)
        c = self.make("c", [[1]] * 5)
        done = run("compare", a, b)
        self.assertEqual(done.code, 0, done)
        for text in ("kernel 6.6, not 6.1", "cpu y, not x", "cores 4, not 2", "ringpost 0.2.0 (abc1234), not 0.1.0",
                     "governor unknown, not performance"):
            self.assertIn(f"different environment: {text}\n", done.out)
        self.assertIn("different environment: kernel 6.6, not 6.1\n", run("merge", a, b).out)
        for same in (run("compare", a, c), run("merge", a, c)):
            self.assertNotIn("different environment", same.out, "unknown of runs of earlier versions")

    def test_an_insignificant_change_is_no_regression(self):
        calm, stalled = self.noisy(1, 20_000), self.noisy(2, 20_000)
        stalled[5] = [value * 10 for value in stalled[5]]  # one second of twelve: p99 grows tenfold
        a, b = self.make("a", calm), self.make("b", stalled)
        done, found = self.compare(a, b)
        self.assertEqual(done.code, 0, done)
        self.assertGreater(found["p99_us"]["change"], 5)
        self.assertLessEqual(found["p99_us"]["low"], 0.05)

    def test_a_lower_rate_and_significant_loss_are_found(self):
        values = self.noisy(1, 20_000)
        a, b = self.make("a", values), self.make("b", [second[:300] for second in values])
        self.assertEqual(self.compare(a, b)[1]["rate_per_s"]["cannot_tell"], True)
        once = self.make("once", values, lost=[1] + [0] * 11)
        self.assertEqual(self.compare(a, once)[0].code, 0, "a single loss is not significant")
        often = self.make("often", values, lost=[1] * 12)
        done, found = self.compare(a, often)
        self.assertEqual(done.code, 5, done)
        self.assertEqual((found["loss"]["cannot_tell"], found["p99_us"]["cannot_tell"]), (True, False))

    def test_lost_probes_are_longer_than_any_answered_one(self):
        values = self.noisy(1, 20_000)
        a, lossy = self.make("a", values), self.make("lossy", values, lost=[20] * 12)
        found = self.compare(a, lossy)[1]["p99_us"]
        self.assertEqual((found["second"], found["lost_beyond"], found["cannot_tell"]), (None, 1_000_000, True))
        self.assertLess(found["first"], 100)
        self.assertRegex(run("compare", a, lossy).out, r"p99, us +2\d\.\d{3}  > 1000000\.000 ")

    def test_text(self):
        a = self.make("a", self.noisy(1, 20_000))
        b = self.make("b", self.noisy(2, 24_000), configuration={"rate": "1k", "wait": "block"})
        done = run("compare", a, b)
        self.assertEqual(done.code, 5, done)
        for text in ("rate, 1/s", "cannot tell", "configured differently: wait block, not the default",
                     "1000 resamples of 12 and 12 blocks, seed 1"):
            self.assertIn(text, done.out)

    def test_runs_that_cannot_be_compared_are_refused(self):
        a, short = self.make("a", [[1]] * 5), self.make("short", [[1]] * 4)
        self.refused(f"{short}: has 4 intervals of a second; at least 5 are needed", "compare", a, short)
        other = self.make("other", [[1]] * 5, command="load")
        self.refused(f"{other}: is a run of load, but {a} of latency", "compare", a, other)
        silent = self.make("silent", [[]] * 5)
        self.refused(f"{silent}: nothing was measured", "compare", a, silent)
        self.assertEqual(run("compare", a, other, "--tolerance", "5").code, 2)


@unittest.skipUnless(shutil.which("chromium"), "chromium is not installed: apt-get install --no-install-recommends chromium")
class Page(SyntheticRuns):
    def opened(self, page):
        """Opens the page in a browser without network access. Returns the data attributes of its root element."""
        command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--proxy-server=127.0.0.1:9", f"--user-data-dir={self.base / 'browser'}", "--dump-dom", page.as_uri()]

        def dump():
            return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=patience_s,
                                  preexec_fn=die_with_parent)

        # The browser itself may crash; then it is started again.
        done = tried(dump, lambda done: done.returncode == 0 and "<html" in done.stdout)
        root = re.search(r"<html[^>]*>", done.stdout)
        self.assertIsNotNone(root, done.stderr)
        self.shown = re.sub(r"<script.*?</script>|<style.*?</style>", "", done.stdout, flags=re.DOTALL)
        return dict(re.findall(r'data-(\w+)="([^"]*)"', root[0]))

    def test_draws_a_run(self):
        done, kept = self.measure("run", "--self", "--rate", "1k", "--duration", "100ms")
        page = kept / "report.html"
        self.assertNotRegex(page.read_text(), r"(src|href)=|@import|url\(", "the page loads no resources")
        self.assertEqual(self.opened(page), {"drawn": "5"})
        self.assertIn(">VALID<" if done.summary()["valid"] else ">INVALID<", self.shown)

    def test_draws_a_load(self):
        for name, args, drawn in (("timed", ("--rate", "1k"), 5), ("as_fast_as_it_can", (), 3)):
            done = run("load", "--self", "--duration", "100ms", "--out", self.base / name, *args)
            self.assertEqual(done.code, 0, done)
            self.assertEqual(self.opened(self.base / name / "report.html"), {"drawn": str(drawn)})

    def test_draws_an_empty_run_and_escapes_its_configuration(self):
        intruder = "</script><script>document.documentElement.dataset.error = 'ran'</script>/* page.js */"
        made = self.make("made", [[], [], []], configuration={"rate": intruder})
        done = run("merge", made, "--out", self.base / "sum")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(self.opened(self.base / "sum" / "report.html"), {"drawn": "5"})

    def test_shows_the_verdict_first(self):
        for name, more, title, texts in (
                ("invalid", {"valid": False, "invalid_reason": "late <b>", "breached": ["p99>1us: 2.0 us"]}, "INVALID",
                 ("late &lt;b&gt;", "p99&gt;1us: 2.0 µs")),
                ("breached", {"valid": True, "breached": ["p99>1us: 2.0 us"], "reordered": 3, "duplicate": 2, "runs": 4},
                 "BOUNDS BREACHED",
                 ("p99&gt;1us: 2.0 µs", "p90 includes up to", "merged from 4 runs", ">reordered<", ">duplicate<"))):
            made = self.make(name, [[1_000] * 85 + [100_000] * 5], lost=[10], service=[[1_000] * 90], more=more,
                             environment={"kernel": "6.1", "cpu": "some cpu", "governor": "powersave"})
            done = run("merge", made, "--out", self.base / f"{name}_page")
            self.assertEqual(done.code, 0, done)
            self.opened(self.base / f"{name}_page" / "report.html")
            self.assertLess(self.shown.index(f">{title}<"), self.shown.index("<h1>"))
            for text in ("some cpu", "Linux 6.1", "governor powersave", "&gt; 1 s<", *texts):
                self.assertIn(text, self.shown, name)
