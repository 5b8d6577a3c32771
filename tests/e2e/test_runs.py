"""What a measured run leaves behind (--out), and what merge and compare make of it."""

import csv
import json
import pathlib
import re
import tempfile
import unittest

from support import EchoThread, backends, parse_events, run

SCHEMA = pathlib.Path(__file__).parents[2] / "apps" / "run.schema.json"
TYPES = {"object": dict, "string": str, "boolean": bool, "null": type(None), "number": (int, float), "integer": int}


def violations(value, schema, at="run.json"):
    """Where `value` is not as the JSON schema says. A keyword unknown here is a mistake of the schema's."""
    unknown = schema.keys() - {"$schema", "title", "description", "type", "required", "additionalProperties", "properties",
                               "const", "enum", "pattern", "minimum"}
    assert not unknown, f"the schema says {unknown}, which nothing here checks"
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    fits = [isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool)) for name in types]
    if types and not any(fits):
        yield f"{at}: {value!r} is no {' or '.join(types)}"
    if "const" in schema and value != schema["const"]:
        yield f"{at}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
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
        made = tempfile.TemporaryDirectory(prefix="ringpost_runs_")
        self.addCleanup(made.cleanup)
        self.base = pathlib.Path(made.name)

    def measure(self, name, *args):
        """A kept run of `latency`, and its directory."""
        done = run("latency", *args, "--out", self.base / name, "--json")
        self.assertEqual(done.code, 0, done)
        return done, self.base / name


class Kept(Directories):
    def test_the_schema_finds_what_is_wrong(self):
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
        del good["results"]["lost"]
        self.assertEqual(list(violations(good, schema)), ["run.json.results.lost: missing"])

    def test_every_file_tells_of_the_same_run(self):
        schema = json.loads(SCHEMA.read_text())
        for backend in backends():
            done, kept = self.measure(backend, "--self", "--rate", "2k", "--duration", "1600ms", "--backend", backend)
            summary = done.summary()
            told = json.loads((kept / "run.json").read_text())
            self.assertEqual(list(violations(told, schema)), [])
            self.assertEqual(told["command"], "latency")
            self.assertEqual(told["configuration"],
                             {"self": True, "rate": "2k", "duration": "1600ms", "backend": backend})
            self.assertEqual({"event": "summary"} | told["results"], summary)
            self.assertEqual((kept / "events.ndjson").read_text(), done.out)
            with open(kept / "series.csv") as lines:
                rows = list(csv.DictReader(lines))
            self.assertEqual(list(rows[0]), ["elapsed_s", "sent", "received", "lost", "rate_per_s", "p50_us", "p99_us",
                                             "max_us", "cpu_percent", "socket_dropped"])
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

    def test_events_are_kept_without_json_on_standard_output(self):
        done = run("latency", "--self", "--count", 5, "--out", self.base / "run")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(parse_events((self.base / "run" / "events.ndjson").read_text())[-1]["event"], "summary")

    def test_a_run_without_answers_is_kept_too(self):
        with EchoThread() as echo:
            port = echo.port
        done = run("latency", "--to", f"127.0.0.1:{port}", "--count", 3, "--out", self.base / "run")
        self.assertEqual(done.code, 4, done)
        told = json.loads((self.base / "run" / "run.json").read_text())
        self.assertEqual(list(violations(told, json.loads(SCHEMA.read_text()))), [])
        self.assertIsNone(told["results"]["rtt_us"]["p50"])
        self.assertFalse((self.base / "run" / "slip.hlog").exists(), "a closed loop has no slip")

    def test_a_directory_that_cannot_be_used_costs_nobody_a_run(self):
        (self.base / "full").mkdir()
        (self.base / "full" / "note").write_text("mine")
        (self.base / "file").write_text("mine")
        for name, reason in (("full", "is not empty"), ("file", "Not a directory"), ("file/in", "Not a directory")):
            done = run("latency", "--self", "--out", self.base / name)
            self.assertEqual(done.code, 2, done)
            self.assertEqual(done.err, f"ringpost: --out {self.base / name}: {reason}\n")
        self.assertEqual([path.name for path in (self.base / "full").iterdir()], ["note"])
