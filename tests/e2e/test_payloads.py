"""load with payloads of any service, one way."""

import datetime
import itertools
import pathlib
import re
import tempfile
import time
import unittest

from support import Background, backends, run, udp_socket

usage = 2


def received_from(*args):
    """Runs `load` against a socket of ours; returns its summary and what arrived."""
    with udp_socket() as sock:
        done = run("load", "--to", f"127.0.0.1:{sock.getsockname()[1]}", "--json", *args)
        assert done.code == 0, done
        return done.summary(), [sock.recv(65536) for _ in range(done.summary()["sent"])]


class OneWay(unittest.TestCase):
    def test_fields(self):
        before = time.time()
        summary, got = received_from("--rate", 1000, "--duration", "40ms", "--payload",
                                     r"{seq}|{seq:dec}|{seq:hex}|{time:unix}|{time:rfc3339}|{random:2}|{pick:get|delete}\n")
        after = time.time()
        self.assertGreater(summary["sent"], 0)
        picks = set()
        for number, datagram in enumerate(got):
            found = re.fullmatch(rb"(\d+)\|(\d+)\|([0-9a-f]{8})\|(\d{10})\|(.{27})\|(..)\|(get|delete)\n", datagram, re.DOTALL)
            self.assertTrue(found, datagram)
            self.assertEqual([int(found[1]), int(found[2]), int(found[3], 16)], [number] * 3)
            self.assertTrue(int(before) <= int(found[4]) <= after + 1)
            stamp = datetime.datetime.fromisoformat(found[5].decode().replace("Z", "+00:00")).timestamp()
            self.assertTrue(before - 1 <= stamp <= after + 1, (before, stamp, after))
            picks.add(found[7])
        self.assertEqual(sum(map(len, got)), summary["bytes_sent"])
        self.assertEqual(summary["bits_per_s"], summary["bytes_sent"] * 8 / summary["duration_s"])

    def test_lines_of_a_file_in_turn(self):
        lines = ["one", "two {seq:u8}", "three", "{pick:a|b}"]
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / "lines"
            file.write_text("\n".join(lines) + "\n\n")
            for backend in backends():
                _, got = received_from("--payload-file", file, "--rate", 1000, "--duration", "50ms", "--backend", backend)
                for number, (line, datagram) in enumerate(zip(itertools.cycle(lines), got)):
                    if "pick" in line:
                        self.assertIn(datagram, (b"a", b"b"))
                    else:
                        self.assertEqual(datagram, line.encode().replace(b"{seq:u8}", bytes([number])))
            _, got = received_from("--payload-file", file, "--payload-raw", "--rate", 500, "--duration", "50ms")
            self.assertEqual(set(got), {file.read_bytes()})

    def test_presets_and_hex(self):
        _, got = received_from("--preset", "dns:a.bc", "--rate", 500, "--duration", "50ms")
        query = bytes.fromhex("0100000100000000000001610262630000010001")
        self.assertEqual(got, [number.to_bytes(2, "big") + query for number in range(len(got))])
        _, got = received_from("--payload-hex", "00 ff", "--rate", 500, "--duration", "50ms")
        self.assertEqual(set(got), {b"\0\xff"})

    def test_as_fast_as_possible_everything_is_accounted_for(self):
        for args in (("--payload", "counter{seq}:1|c"), ("--payload-hex", "00" * 64, "--threads", 2, "--flows", 3)):
            done = run("load", "--self", "--duration", "50ms", "--json", *args)
            self.assertEqual(done.code, 0, done)
            summary = done.summary()
            self.assertEqual(summary["sent"], summary["received"] + summary["lost"])
            self.assertGreater(summary["received"], 0)
            self.assertGreater(summary["trains"], 0)
        self.assertIn("64 B", run("load", "--self", "--duration", "5ms", *args).out)

    def test_replies_are_counted(self):
        with Background("echo", "--port", 0, "--json") as echo:
            done = run("load", "--to", f"127.0.0.1:{echo.port()}", "--payload", "x", "--rate", 100, "--duration", "100ms")
        self.assertEqual(done.code, 0, done)
        self.assertRegex(done.out, r"replies +\d+ datagrams, not examined")

    def test_wrong_usage(self):
        for args, words in (((("--payload", "x", "--size", "64")), ("--payload", "--size")),
                            (("--payload", "x", "--bidirectional"), ("--payload", "--bidirectional")),
                            (("--payload", "x", "--one-way"), ("--payload", "--one-way")),
                            (("--payload", "x", "--payload-hex", "00"), ("--payload", "--payload-hex")),
                            (("--payload", "x", "--transport", "gtudp"), ("--payload", "gtudp")),
                            (("--payload", "{seq:u9}"), ("--payload", "character 1", "u8")),
                            (("--payload", "{pick:a}"), ("{pick:A|B}",)),
                            (("--preset", "dns:"), ("--preset", "a name is needed")),
                            (("--payload-file", "/nowhere"), ("--payload-file", "/nowhere"))):
            done = run("load", "--self", *args)
            self.assertEqual(done.code, usage, done)
            self.assertEqual(len(done.err.splitlines()), 1, done)
            for word in words:
                self.assertIn(word, done.err)
