"""Streams of lines: `message send` and `struct send`. What `recv` prints, on a terminal too."""

import json
import os
import pathlib
import pty
import subprocess
import tempfile
import unittest

import support
from support import Background, backends, die_with_parent, udp_socket

HOST = "127.0.0.1"


def fed(text, *args):
    """Runs a command with this standard input."""
    args = [str(arg) for arg in args]
    done = subprocess.run([support.binary, *args], input=text, capture_output=True, text=True,
                          timeout=support.patience_s, preexec_fn=die_with_parent)
    return support.Run(args, done.returncode, done.stdout, done.stderr)


class Messages(unittest.TestCase):
    def send(self, text, *args):
        with Background("message", "listen", "--bind", "127.0.0.3", "--port", 0, "--reply", "source",
                        "--json") as listen:
            done = fed(text, "message", "send", "--bind", HOST, "--port", 0, "--to", f"127.0.0.3:{listen.port()}",
                       "--json", *args)
            return done, [event["message"] for event in listen.stop().events("message")]

    def test_lines_in_order(self):
        lines = [f"line {i}" for i in range(200)]
        for backend in backends():
            for args in ((), ("-",)):
                done, got = self.send("\n".join(lines), "--backend", backend, *args)
                self.assertEqual((done.code, done.summary()["confirmed"], got), (0, 200, lines), done)
                self.assertEqual(len(done.events("outcome")), 200)

    def test_no_lines(self):
        self.assertEqual(self.send("")[0].code, 0)

    def test_a_bad_line_fails_but_not_the_next(self):
        done, got = self.send("one\n" + "x" * 70000 + "\ntwo\n")
        self.assertEqual((done.code, got), (1, ["one", "two"]), done)
        self.assertIn("is too large", done.err)

    def test_a_closed_port(self):
        with udp_socket() as sock:
            port = sock.getsockname()[1]
        done = fed("one\ntwo\n", "message", "send", "--bind", HOST, "--port", 0, "--to", f"{HOST}:{port}")
        self.assertEqual(done.code, 4, done)


class Structs(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="ringpost_lines_")
        self.addCleanup(temporary.cleanup)
        self.library = pathlib.Path(temporary.name) / "library.json"
        self.library.write_text(json.dumps({"reading": {"id": 1, "format": "<Bh"},
                                            "label": {"id": 2, "format": "!H12s"}}))

    def send(self, text, *args):
        with Background("struct", "listen", "--bind", HOST, "--port", 0, "--library", self.library, "--json") as listen:
            port = listen.port()
            done = fed(text, "struct", "send", "--to", f"{HOST}:{port}", "--library", self.library, "--json", *args)
            support.until_read(port)
            return done, [(event["name"], event["values"]) for event in listen.stop().events("message")]

    def test_lines_in_order(self):
        for backend in backends():
            for args in ((), ("-",)):
                text = "".join(f"reading {i % 256} -{i}\n" for i in range(300))
                done, got = self.send(text, "--backend", backend, *args)
                self.assertEqual((done.code, done.summary()["sent"]), (0, 300), done)
                self.assertEqual(got, [("reading", [i % 256, -i]) for i in range(300)])

    def test_lines_as_listen_prints_them(self):
        done, got = self.send('label 5 "two words"\r\n\nlabel 6 \\x22\\\\\nlabel 7 ""\nlabel 8 "gr\u00fc\u00dfe"')
        self.assertEqual((done.code, got), (0, [("label", [5, "two words"]), ("label", [6, '"\\']), ("label", [7, ""]),
                                                ("label", [8, "gr\u00fc\u00dfe"])]), done)

    def test_a_bad_line_fails_but_not_the_next(self):
        done, got = self.send('reading 1 1\nreading 256 1\nnothing 1\nreading 1\nlabel 5 "open\nreading 2 2\n')
        self.assertEqual((done.code, got), (1, [("reading", [1, 1]), ("reading", [2, 2])]), done)
        self.assertEqual([event["line"] for event in done.events("refused")], [2, 3, 4, 5])
        self.assertEqual((done.summary()["failed"], len(done.err.splitlines())), (4, 4))
        self.assertIn("ringpost: line 2: reading: value 1, 256: `B` is a whole number from 0 to 255\n", done.err)

    def test_values_without_a_name(self):
        done = fed("", "struct", "send", "--to", f"{HOST}:9", "--library", self.library, "-", "1")
        self.assertEqual((done.code, len(done.err.splitlines())), (2, 1), done)


class Recv(unittest.TestCase):
    def test_foreign_datagrams_on_request(self):
        for args, printed in ((("--foreign",), True), ((), False)):
            with Background("recv", "--port", 0, "--bind", HOST, "--json", *args) as recv, udp_socket() as sock:
                port = recv.port()
                for datagram in (b"hello\x1b[31m", b"\xff\x00", b""):
                    sock.sendto(datagram, (HOST, port))
                support.until_read(port)
                done = recv.stop()
            found = [event.get("text", event.get("hex")) for event in done.events("foreign")]
            self.assertEqual(found, ["hello\x1b[31m", "ff00", ""] if printed else [])
            self.assertEqual(done.summary()["received"], 0)

    def test_foreign_text_is_escaped_everywhere(self):
        with Background("recv", "--port", 0, "--bind", HOST, "--foreign") as recv, udp_socket() as sock:
            port = int(recv.process.stderr.readline().split()[-1])
            sock.sendto(b"hello\x1b[31m\n", (HOST, port))
            line = recv.line()
        self.assertEqual(line, f"not gtUDP, 11 bytes from {HOST}:{sock_port(line)}: hello\\x1b[31m\\x0a\n")

    def test_messages_are_escaped_on_a_terminal(self):
        native = ("--transport", "native", "--insecure")
        for transport in ((), native, (*native, "--file", "-")):
            ours, theirs = pty.openpty()
            command = [support.binary, "recv", "--port", "0", "--bind", HOST, "--count", "1", *transport]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE,
                                       text=True, preexec_fn=die_with_parent)
            os.close(theirs)
            try:
                note = process.stderr.readline()
                while "listening" not in note:
                    note = process.stderr.readline()
                keys = native if transport else ()
                done = support.run("send", "--to", f"{HOST}:{note.split()[-1]}", *keys, "red \x1b[31m\u202e")
                self.assertEqual(done.code, 0, done)
                shown = os.read(ours, 1000)
            finally:
                process.kill()
                process.communicate()
                os.close(ours)
            self.assertEqual(shown, rb"red \x1b[31m\xe2\x80\xae" + b"\r\n", transport)


def sock_port(line):
    return line.split(":")[1]
