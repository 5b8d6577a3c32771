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

from support import EchoThread, backends, die_with_parent, parse_events, patience_s, run, tried

SCHEMA = pathlib.Path(__file__).parents[2] / "apps" / "runs" / "run.schema.json"
TYPES = {"object": dict, "string": str, "boolean": bool, "null": type(None), "number": (int, float), "integer": int}


def violations(value, schema, at="run.json"):
    """Yields each violation of the JSON schema. Asserts that the schema uses supported keywords only."""
    unknown = schema.keys() - {"$schema", "title", "description", "type", "required", "additionalProperties", "properties",
                               "const", "enum", "pattern", "minimum"}
    assert not unknown, f"the schema uses {unknown}, which this checker does not support"
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    fits = [isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool)) for name in types]
    if types and not any(fits):
        yield f"{at}: {value!r} is not of type {' or '.join(types)}"
    if "const" in schema and value != schema["const"]:
        yield f"{at}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is not one of {schema['enum']}"
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        yield f"{at}: {value!r} does not match {schema['pattern']}"
    if "minimum" in schema and isinstance(value, (int, float)) and value < schema["minimum"]:
        yield f"{at}: {value} is below {schema['minimum']}"
    if not isinstance(value, dict):
        return
    for name in schema.get("required", []):
        if name not in value:
            yield f"{at}.{name}: missing"
    for name, member in value.items():
        rule = schema.get("properties", {}).get(name, schema.get("additionalProperties", True))
        if rule is False:
            yield f"{at}.{name}: unknown"
        elif rule is not True:
            yield from violations(member, rule, f"{at}.{name}")


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
        schema = json.loads(SCHEMA.read_text())
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
        del good["results"]["sent"]
        self.assertEqual(list(violations(good, schema)), ["run.json.results.sent: missing"])

    def test_all_files_describe_the_same_run(self):
        schema = json.loads(SCHEMA.read_text())
        for backend in backends():
            done, kept = self.measure(backend, "--self", "--rate", "2k", "--duration", "1600ms", "--backend", backend)
            summary = done.summary()
            found = json.loads((kept / "run.json").read_text())
            self.assertEqual(list(violations(found, schema)), [])
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
        self.assertEqual(list(violations(found, json.loads(SCHEMA.read_text()))), [])
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


class SyntheticRuns(Directories):
    """Runs written by the test, as another program might write them."""

    def make(self, name, seconds, lost=None, configuration=None, command="latency"):
        """Writes a run that has one interval for each list of values in `seconds`."""
        lost = lost or [0] * len(seconds)
        path = self.base / name
        path.mkdir()
        sent = [len(values) + gone for values, gone in zip(seconds, lost)]
        results = {"sent": sum(sent), "received": sum(map(len, seconds)), "lost": sum(lost), "socket_dropped": 0,
                   "send_failed": 0, "duration_s": len(seconds), "rate_per_s": sum(sent) / len(seconds), "backend": "uring",
                   "rtt_us": {}}
        (path / "run.json").write_text(json.dumps({
            "format": "ringpost run 1", "command": command, "configuration": configuration or {"rate": "1k"},
            "environment": {}, "results": results}))
        (path / "series.csv").write_text(SERIES + "".join(
            f"{i + 1},{sent[i]},{len(values)},{lost[i]},0,,,,50.0,0,0,0,0\n" for i, values in enumerate(seconds)))
        (path / "response.hlog").write_text("#made up\n" + "".join(
            f"{i},1.000,0.000,{histogram_text(values)}\n" for i, values in enumerate(seconds)))
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
        for name, rank in (("p50", 190), ("p90", 342), ("p99", 377), ("p999", 380)):
            self.assertEqual(merged["rtt_us"][name], bucket_end(values[rank - 1]) / 1e3, name)

        log = (self.base / "sum" / "response.hlog").read_text().splitlines()[3:]
        kept = [histogram_values(line.split(",")[-1]) for line in log]
        self.assertEqual(kept, [sorted(map(bucket_index, first[0] + second[0])),
                                sorted(map(bucket_index, first[1] + second[1])), sorted(map(bucket_index, first[2]))])
        again = run("merge", self.base / "sum", "--json")
        self.assertEqual(again.code, 0, again)
        self.assertEqual(again.summary(), merged, "a merged run keeps its number of runs")

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
                ("series.csv", "a,b\n", "series.csv: cannot be read, or is not the series of a run"),
                ("series.csv", SERIES + "1,2\n", "series.csv:2: the number of fields differs from the first line"),
                ("series.csv", good["series.csv"].replace("\n2,", "\nx,"), "series.csv:3: x: expected a number"),
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

    def test_a_slower_run_is_a_regression_and_a_faster_one_is_not(self):
        a, b = self.make("a", self.noisy(1, 20_000)), self.make("b", self.noisy(2, 24_000))
        done, found = self.compare(a, b)
        self.assertEqual(done.code, 3, done)
        self.assertEqual(done.err, "ringpost: worse by more than 5 %: p50, us; p99, us; p99.9, us\n")
        self.assertAlmostEqual(found["p50_us"]["change"], 0.2, delta=0.03)
        self.assertGreater(found["p50_us"]["low"], 0.1)
        self.assertEqual(self.compare(b, a)[0].code, 0)
        self.assertEqual(self.compare(a, b, "--tolerance", "40%")[0].code, 0)

    def test_an_insignificant_change_is_no_regression(self):
        calm, stalled = self.noisy(1, 20_000), self.noisy(2, 20_000)
        stalled[5] = [value * 10 for value in stalled[5]]  # one second of twelve: p99 grows tenfold
        a, b = self.make("a", calm), self.make("b", stalled)
        done, found = self.compare(a, b)
        self.assertEqual(done.code, 0, done)
        self.assertGreater(found["p99_us"]["change"], 5)
        self.assertLessEqual(found["p99_us"]["low"], 0.05)

    def test_a_lower_rate_and_significant_loss_are_regressions(self):
        values = self.noisy(1, 20_000)
        a, b = self.make("a", values), self.make("b", [second[:300] for second in values])
        self.assertEqual(self.compare(a, b)[1]["rate_per_s"]["regressed"], True)
        once = self.make("once", values, lost=[1] + [0] * 11)
        self.assertEqual(self.compare(a, once)[0].code, 0, "a single loss is not significant")
        often = self.make("often", values, lost=[1] * 12)
        done, found = self.compare(a, often)
        self.assertEqual(done.code, 3, done)
        self.assertEqual((found["loss"]["regressed"], found["p99_us"]["regressed"]), (True, False))

    def test_text(self):
        a = self.make("a", self.noisy(1, 20_000))
        b = self.make("b", self.noisy(2, 24_000), configuration={"rate": "1k", "wait": "block"})
        done = run("compare", a, b)
        self.assertEqual(done.code, 3, done)
        for text in ("rate, 1/s", "worse", "configured differently: wait block, not the default",
                     "1000 resamples of 12 and 12 blocks, seed 1"):
            self.assertIn(text, done.out)

    def test_runs_that_cannot_be_compared_are_refused(self):
        a, short = self.make("a", [[1]] * 5), self.make("short", [[1]] * 4)
        self.refused(f"{short}: has 4 intervals of a second; at least 5 are needed", "compare", a, short)
        other = self.make("other", [[1]] * 5, command="load")
        self.refused(f"{other}: is a run of load, but {a} of latency", "compare", a, other)
        silent = self.make("silent", [[]] * 5)
        self.refused(f"{silent}: nothing was measured", "compare", a, silent)
        self.assertEqual(run("compare", a).code, 2)
        self.assertEqual(run("compare", a, a, "--tolerance", "5").code, 2)


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
        return dict(re.findall(r'data-(\w+)="([^"]*)"', root[0]))

    def test_draws_a_run(self):
        _, kept = self.measure("run", "--self", "--rate", "1k", "--duration", "100ms")
        page = kept / "report.html"
        self.assertNotRegex(page.read_text(), r"(src|href)=|@import|url\(", "the page loads no resources")
        self.assertEqual(self.opened(page), {"drawn": "5"})

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
