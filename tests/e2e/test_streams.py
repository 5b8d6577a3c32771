"""Standard input, output and error that are closed, full or not what a program expects; control characters."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import signal
import subprocess
import tempfile
import unittest

import support
from support import EchoThread, die_with_parent, parse_events, patience_s, run, udp_socket, until

unwritable = "ringpost: standard output: cannot be written\n"
library = tempfile.NamedTemporaryFile("w", suffix=".json")
library.write(json.dumps({"r\u001bed\u202e": {"id": 1, "format": "<B"}}))
library.flush()

# Subcommands that run until a signal.
servers = {
    "echo": ("echo", "--port", 7000),
    "sink": ("sink", "--port", 7000),
    "relay": ("relay", "--listen", 7000, "--to", "127.0.0.1:9"),
    "recv": ("recv", "--port", 7000),
    "message": ("message", "listen", "--port", 7000),
    "beacon": ("beacon", "--port", 7000),
    "struct": ("struct", "listen", "--port", 7000, "--library", library.name),
}


def closed(*descriptors):
    def close():
        die_with_parent()
        for fd in descriptors:
            os.close(fd)
    return close


@contextlib.contextmanager
def unwritable_files():
    """Files that fail a write, by name. None is a closed descriptor."""
    reader, writer = os.pipe()
    os.close(reader)
    with open("/dev/full", "w") as full, os.fdopen(writer, "w") as broken:
        yield {"closed": None, "full": full, "broken pipe": broken}


def start(args, **files):
    """Starts ringpost. A file that is None is closed; those not named are pipes."""
    numbers = {"stdin": 0, "stdout": 1, "stderr": 2}
    shut = [numbers[name] for name, file in files.items() if file is None]
    files = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | files
    return subprocess.Popen([support.binary, *map(str, args)], preexec_fn=closed(*shut), text=True,
                            **{name: file for name, file in files.items() if file is not None})


def is_bound(port):
    found = []
    for table in ("udp", "udp6"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/thread-self/net/{table}") as lines:
            found += [int(line.split()[1].rsplit(":", 1)[1], 16) for line in list(lines)[1:]]
    return port in found


def end(process, by=None):
    """Waits for the end: exit code, output, errors."""
    if by:
        process.send_signal(by)
    try:
        out, err = process.communicate(timeout=patience_s)
    finally:
        process.kill()
    return process.returncode, out, err


class StandardError(unittest.TestCase):
    def test_a_server_works_without_it(self):
        for json_form in ((), ("--json",)):
            for name, args in servers.items():
                with unwritable_files() as files:
                    for what, file in files.items():
                        with self.subTest(f"{name} {json_form} {what}"):
                            server = start((*args, "--bind", "127.0.0.1", *json_form), stderr=file)
                            until(lambda: is_bound(7000), f"{name} has its port")
                            # Handles signals by now: they are caught before a socket is opened.
                            code, out, _ = end(server, signal.SIGTERM)
                            self.assertEqual(code, 0, out)
                            if json_form:
                                self.assertEqual(parse_events(out)[-1]["event"], "summary")
                            until(lambda: not is_bound(7000), "the port is free")

    def test_a_run_reports_its_results_without_it(self):
        with EchoThread() as echo, udp_socket() as sock, unwritable_files() as files:
            runs = []
            for form in ((), ("--json",)):
                for what, file in files.items():
                    to = f"127.0.0.1:{echo.port}"
                    latency = ("latency", "--to", to, "--rate", 100, "--duration", "1100ms", *form)
                    load = ("load", "--to", f"127.0.0.1:{sock.getsockname()[1]}", "--rate", 100, "--duration", "1100ms",
                            "--no-control", *form)
                    runs += [(what, args, start(args, stderr=file)) for args in (latency, load)]
            for what, args, process in runs:
                code, out, _ = end(process)
                with self.subTest(f"{what} {args}"):
                    self.assertEqual(code, 0, out)
                    self.assertIn("sent", out)

    def test_a_failure_keeps_its_exit_code(self):
        with unwritable_files() as files:
            for what, file in files.items():
                with self.subTest(what):
                    self.assertEqual(end(start(("echo", "--bogus"), stderr=file))[:2], (2, ""))


class StandardOutput(unittest.TestCase):
    def test_a_server_that_cannot_write_fails(self):
        for name, args in servers.items():
            with unwritable_files() as files:
                for what, file in files.items():
                    with self.subTest(f"{name} {what}"):
                        code, _, err = end(start((*args, "--json"), stdout=file))
                        self.assertEqual((code, err.count("\n"), err.splitlines(True)[-1]), (1, err.count("ringpost: "), unwritable))

    def test_lost_results_fail_at_the_end_at_the_latest(self):
        for args in (("latency", "--self", "--count", 3), ("load", "--self", "--rate", 100, "--duration", "50ms"),
                     ("--version",), ("--help",), ("echo", "--help"), ("discover", "--interface", "lo", "--duration", "1ms")):
            with unwritable_files() as files:
                for what, file in files.items():
                    with self.subTest(f"{args} {what}"):
                        code, _, err = end(start(args, stdout=file))
                        # Of help, the reader of a closed pipe has read what it wanted.
                        fine = what == "broken pipe" and {"--version", "--help"} & set(args)
                        self.assertEqual((code, err), (0, "") if fine else (1, unwritable))

    def test_both_closed(self):
        for args in (("latency", "--self", "--count", 3), ("echo", "--port", 0, "--json")):
            self.assertEqual(end(start(args, stdout=None, stderr=None))[0], 1)

    def test_a_reader_that_leaves_ends_the_run(self):
        load = start(("load", "--self", "--rate", 100, "--duration", "1h", "--json"))
        self.assertEqual(json.loads(load.stdout.readline())["event"], "progress")
        load.stdout.close()
        self.assertEqual((load.stderr.read(), load.wait(patience_s)), (unwritable, 1))
        load.stderr.close()

    def test_a_full_pipe_that_does_not_block(self):
        """What has no room waits for the reader."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        before = os.write(writer, bytes(1 << 20))
        latency = start(("latency", "--self", "--count", 3, "--json"), stdout=writer)
        os.close(writer)
        out = b""
        while fresh := os.read(reader, 65536):
            out += fresh
        os.close(reader)
        self.assertEqual(end(latency)[0], 0)
        self.assertEqual(parse_events(out[before:].decode())[-1]["event"], "summary")


class Descriptors(unittest.TestCase):
    def test_none_of_the_first_three_is_a_socket(self):
        for wait in ("block", "spin"):
            process = start(("echo", "--port", 7000, "--bind", "127.0.0.1", "--wait", wait), stdin=None, stdout=None, stderr=None)
            until(lambda: is_bound(7000), "echo has its port")
            self.assertEqual([os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in range(3)], ["/dev/null"] * 3)
            with udp_socket() as sock:
                sock.sendto(b"hello", ("127.0.0.1", 7000))
                self.assertEqual(sock.recv(100), b"hello")
            self.assertEqual(end(process, signal.SIGTERM)[0], 1, "the report is lost")
            until(lambda: not is_bound(7000), "the port is free")


class StandardInput(unittest.TestCase):
    def empty_inputs(self):
        with open("/dev/null") as null, open(library.name) as whole:
            whole.seek(0, os.SEEK_END)
            directory = os.open("/tmp", os.O_RDONLY)
            self.addCleanup(os.close, directory)
            yield from {"closed": None, "null": null, "directory": directory, "end of a file": whole}.items()

    def test_empty(self):
        for what, file in self.empty_inputs():
            for args in (("send", "--to", "127.0.0.1:9"), ("message", "chat", "--to", "127.0.0.1", "--port", 0)):
                with self.subTest(f"{what} {args}"):
                    code, _, err = end(start((*args, "--json"), stdin=file))
                    self.assertEqual(code, 0, err)

    def test_a_node_outlives_it(self):
        for what, file in self.empty_inputs():
            with self.subTest(what):
                node = start(("node", "--name", "a", "--interface", "lo", "--json"), stdin=file)
                self.assertEqual(json.loads(node.stdout.readline())["event"], "listening")
                code, out, err = end(node, signal.SIGTERM)
                self.assertEqual((code, parse_events(out)[-1]["event"]), (0, "summary"), err)

    def test_is_not_read_by_others(self):
        done = start(("struct", "send", "--to", "127.0.0.1:9", "--library", library.name, "r\x1bed\u202e", "7"), stdin=None)
        self.assertEqual(end(done)[0], 0)

    def received(self, *args, **files):
        """What recv prints of the lines that `send` reads."""
        recv = start(("recv", "--port", 7000, "--bind", "127.0.0.1", "--count", 2), stderr=subprocess.DEVNULL)
        until(lambda: is_bound(7000), "recv has its port")
        yield start(("send", "--to", "127.0.0.1:7000", *args), **files)
        yield end(recv)[1]
        until(lambda: not is_bound(7000), "the port is free")

    def test_a_file_without_a_last_newline(self):
        with tempfile.TemporaryFile() as lines:
            lines.write(b"one\ntwo")
            lines.seek(0)
            received = self.received(stdin=lines)
            self.assertEqual(end(next(received))[0], 0)
            self.assertEqual(next(received), "one\ntwo\n")

    def test_a_terminal_that_does_not_block(self):
        ours, theirs = pty.openpty()
        fcntl.fcntl(theirs, fcntl.F_SETFL, fcntl.fcntl(theirs, fcntl.F_GETFL) | os.O_NONBLOCK)
        received = self.received(stdin=theirs)
        send = next(received)
        os.write(ours, b"one\n")
        os.write(ours, b"two\n\x04")
        self.assertEqual(end(send)[0], 0)
        self.assertEqual(next(received), "one\ntwo\n")
        os.close(ours)
        os.close(theirs)


# What a terminal must not get: ESC, DEL, CSI of C1, an override, a separator, bytes that are not UTF-8.
hostile = b"\x1b[31mred\x7f\xc2\x9b\xe2\x80\xae\xe2\x80\xa8\xe2\x80\x8f\xd8\x9c\xff\xed\xa0\x80"
escaped = (r"\x1b[31mred\x7f\xc2\x9b\xe2\x80\xae\xe2\x80\xa8\xe2\x80\x8f\xd8\x9c\xff\xed\xa0\x80")
raw = ("\x1b", "\x7f", "\x9b", "\u202e", "\u2028", "\u200f", "\u061c")


class ControlCharacters(unittest.TestCase):
    def recv(self, text, *args, **files):
        recv = start(("recv", "--port", 7000, "--bind", "127.0.0.1", "--count", 1, *args), stderr=subprocess.DEVNULL, **files)
        until(lambda: is_bound(7000), "recv has its port")
        subprocess.run([support.binary, "send", "--to", "127.0.0.1:7000", text], check=True, timeout=patience_s)
        return recv

    def test_recv_on_a_terminal_escapes_them(self):
        ours, theirs = pty.openpty()
        recv = self.recv(hostile, stdout=theirs)
        self.assertEqual(end(recv)[0], 0)
        self.assertEqual(os.read(ours, 65536).decode(), escaped + "\r\n")
        os.close(ours)
        os.close(theirs)

    def test_recv_into_a_file_changes_nothing(self):
        with tempfile.TemporaryFile() as file:
            self.assertEqual(end(self.recv(hostile, stdout=file))[0], 0)
            file.seek(0)
            self.assertEqual(file.read(), hostile + b"\n")

    def test_json_escapes_them(self):
        _, out, _ = end(self.recv(hostile, "--json"))
        for character in raw:
            self.assertNotIn(character, out)
        self.assertIn(r"\u001b[31mred\u007f\u009b\u202e\u2028\u200f\u061c", out)
        text = next(event["text"] for event in parse_events(out) if event["event"] == "message")
        self.assertTrue(text.startswith("\x1b[31mred\x7f\x9b\u202e\u2028\u200f\u061c\ufffd"), text)

    def test_lines_on_standard_error_escape_them(self):
        name = hostile.decode(errors="surrogateescape")
        for args in (("compare", name, name), ("merge", name, "--out", "/tmp/none"), (name,), ("echo", "--port", "0", name),
                     ("echo", "--port", name), ("send", "--to", name), ("load", "--self", "--out", f"/dev/null/{name}"),
                     ("struct", "send", "--to", "127.0.0.1:9", "--library", library.name, name),
                     ("struct", "listen", "--port", "0", "--library", name)):
            with self.subTest(args[0]):
                code, out, err = end(start(args))
                self.assertNotEqual(code, 0)
                self.assertEqual((out, len(err.splitlines())), ("", 1), err)
                for character in raw:
                    self.assertNotIn(character, err)
                self.assertIn(r"\x1b[31mred\x7f\xc2\x9b", err)

    def test_names_out_of_a_file(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "library.json"
            for contents in ({"\x1b[31m\u202e": {"id": "x"}}, {"a": {"id": 1, "format": "\x1b[31m"}}, {"a": {"\x1b[31m": 1}}):
                path.write_text(json.dumps(contents, ensure_ascii=False))
                done = run("struct", "listen", "--port", 0, "--library", path)
                self.assertEqual((done.code, len(done.err.splitlines())), (2, 1), done)
                self.assertNotIn("\x1b", done.err)
                self.assertNotIn("\u202e", done.err)
                self.assertIn("x1b[31m", done.err)

    def test_names_of_struct_messages(self):
        listen = start((*servers["struct"], "--bind", "127.0.0.1"), stderr=subprocess.DEVNULL)
        until(lambda: is_bound(7000), "struct listen has its port")
        done = run("struct", "send", "--to", "127.0.0.1:7000", "--library", library.name, "r\x1bed\u202e", 7)
        self.assertEqual(done.code, 0, done)
        line = listen.stdout.readline()
        end(listen, signal.SIGTERM)
        self.assertTrue(line.startswith(r"r\x1bed\xe2\x80\xae 7  from"), line)
