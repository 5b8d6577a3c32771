"""Logs of connections: what the qlog format requires, and that they agree with the report."""

import json
import pathlib
import tempfile
import unittest

from support import Background, run

HOST = "127.0.0.1"
# Of draft-ietf-quic-qlog-quic-events: members that each event must have, by name.
REQUIRED = {
    "connection_started": {"local", "remote"},
    "packet_sent": {"header"},
    "packet_received": {"header"},
    "packet_dropped": set(),
    "packet_lost": set(),
    "recovery_metrics_updated": set(),
    "connection_closed": set(),
}


def read(path):
    """The events of a log, after checks of its form (RFC 7464, draft-ietf-quic-qlog-main-schema)."""
    text = path.read_text()
    assert text.startswith("\x1e") and text.endswith("\n"), text
    head, *events = map(json.loads, text[1:].split("\x1e"))
    assert head["file_schema"] == "urn:ietf:params:qlog:file:sequential", head
    assert head["serialization_format"] == "application/qlog+json-seq", head
    trace = head["trace"]
    assert trace["event_schemas"] and trace["vantage_point"]["type"] in ("client", "server"), head
    reference = trace["common_fields"]["reference_time"]
    assert reference["clock_type"] == "monotonic" and reference["epoch"] == "unknown", head
    last = 0
    for event in events:
        assert {"time", "name", "data"} <= event.keys(), event
        assert event["time"] >= last - 0.001, (last, event)
        last = event["time"]
        schema, name = event["name"].split(":")
        assert schema == "quic" and REQUIRED[name] <= event["data"].keys(), event
        if "header" in event["data"]:
            assert event["data"]["header"]["packet_type"] == "1RTT", event
    return trace["vantage_point"]["type"], events


def count(events, name):
    return sum(event["name"] == f"quic:{name}" for event in events)


class Qlog(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.base = pathlib.Path(directory.name)
        self.native = ("--transport", "native", "--insecure", "--qlog", self.base / "logs")

    def logs(self):
        return dict(read(path) for path in sorted((self.base / "logs").iterdir()))

    def test_both_ends_of_a_message(self):
        with Background("recv", "--port", 0, "--bind", HOST, "--once", "--json", *self.native) as recv:
            done = run("send", "--to", f"{HOST}:{recv.port()}", "--json", *self.native, "hello")
            self.assertEqual(done.code, 0, done)
            self.assertEqual(recv.finish().code, 0)
        logs = self.logs()
        self.assertEqual(sorted(logs), ["client", "server"])
        groups = {event["group_id"] for events in logs.values() for event in events}
        self.assertEqual(len(groups), 1, "a connection has one name at both ends")
        for events in logs.values():
            self.assertEqual((count(events, "connection_started"), count(events, "connection_closed")), (1, 1))
        self.assertGreater(count(logs["client"], "recovery_metrics_updated"), 0)
        sent = {event["data"]["header"]["packet_number"] for event in logs["client"] if event["name"] == "quic:packet_sent"}
        received = {event["data"]["header"]["packet_number"] for event in logs["server"]
                    if event["name"] == "quic:packet_received"}
        self.assertTrue(received <= sent, (sent, received))

    def test_a_load_agrees_with_its_report(self):
        with Background("sink", "--port", 0, "--bind", HOST, "--json", *self.native) as sink:
            done = run("load", "--to", f"{HOST}:{sink.port()}", "--rate", "2k", "--duration", "200ms", "--json", *self.native)
            self.assertEqual(done.code, 0, done)
            sink.stop()
        counters = done.summary()["counters"]["connection"]
        client = self.logs()["client"]
        self.assertEqual(count(client, "packet_sent"), counters["packets_sent"])
        self.assertEqual(count(client, "packet_received"), counters["packets_received"])
        self.assertEqual(count(client, "packet_lost"), counters["packets_lost"])
        self.assertEqual(counters["traces_lost"], 0)

    def test_a_directory_that_cannot_be(self):
        (self.base / "file").write_text("")
        native = ("--transport", "native", "--insecure", "--qlog", self.base / "file")
        for args in (("recv", "--port", 0), ("sink", "--port", 0), ("echo", "--port", 0),
                     ("send", "--to", f"{HOST}:9", "x"), ("load", "--to", f"{HOST}:9")):
            done = run(*args, *native)
            self.assertEqual((done.code, done.out, len(done.err.splitlines())), (1, "", 1), done)
            self.assertIn("file", done.err)

    def test_needs_the_transport(self):
        done = run("send", "--to", f"{HOST}:9", "--qlog", self.base, "x")
        self.assertEqual((done.code, len(done.err.splitlines())), (2, 1), done)
        self.assertIn("--qlog: requires --transport native", done.err)


if __name__ == "__main__":
    unittest.main()
