#!/usr/bin/env python3
"""transcripts.py ROOT RINGPOST: the command prints the transcripts of `message` and `struct` in apps/README.md.

A transcript is an indented block: lines with `$ ` are typed, the rest is printed. Source ports are not compared.
"""

import difflib
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

PATIENCE_S = 60


def section(text, heading):
    """The indented blocks below a heading, each a list of lines."""
    body = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]
    blocks = re.findall(r"(?:^    .*\n)+", body, re.MULTILINE)
    return body, [[line[4:] for line in block.splitlines()] for block in blocks]


def comparable(lines):
    return [re.sub(r"(from 127\.0\.0\.1):\d+", r"\1:PORT", line) for line in lines]


class Shell:
    """Runs commands with `ringpost` on the path, in a directory of its own."""

    def __init__(self, ringpost, directory):
        os.symlink(ringpost, pathlib.Path(directory) / "ringpost")
        self.directory = directory
        self.environment = os.environ | {"PATH": f"{directory}:{os.environ['PATH']}"}

    def run(self, command):
        done = subprocess.run(["bash", "-c", command], cwd=self.directory, env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=PATIENCE_S)
        return done.stdout.splitlines()

    def listen(self, command):
        """Starts a listener; returns it with its first line, which reports that it listens."""
        listener = subprocess.Popen(command.split(), cwd=self.directory, env=self.environment, text=True,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        watchdog = threading.Timer(PATIENCE_S, listener.kill)
        watchdog.daemon = True
        watchdog.start()
        return listener, listener.stdout.readline().rstrip("\n")


def finish(listener):
    listener.send_signal(signal.SIGINT)
    return listener.communicate(timeout=PATIENCE_S)[0].splitlines()


def typed_and_printed(shell, lines):
    """The transcript that its commands make now."""
    printed = []
    for line in lines:
        if line.startswith("$ "):
            printed += [line, *shell.run(line[2:])]
    return printed


def message(shell, text):
    body, (typed, received) = section(text, "message")
    listener, _ = shell.listen(re.search(r"`(ringpost message listen [^`]*)`", body)[1])
    printed = typed_and_printed(shell, typed)
    return typed + received, printed + finish(listener)


def packet(number, payload):
    check = 0
    for byte in payload:
        check ^= byte
    return struct.pack("<2sHHB", b"\xff\xff", number, 7 + len(payload), check) + payload


def struct_messages(shell, text):
    _, (typed, received, *_) = section(text, "struct")
    library = typed[1:typed.index("}") + 1]
    (pathlib.Path(shell.directory) / "messages.json").write_text("\n".join(library) + "\n")
    listener, first = shell.listen(received[0][2:])
    printed = typed_and_printed(shell, typed)
    broken = struct.pack("<2sHHB", b"\xff\xff", 1, 60_000, 0)
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.sendto(b"noise " + broken + packet(3, struct.pack("!H12s", 516, b"behind it")), ("127.0.0.1", 7007))
    printed += [received[0], first]
    printed += [listener.stdout.readline().rstrip("\n") for _ in received[2:]]
    finish(listener)
    return typed + received, printed


def main():
    root, ringpost = pathlib.Path(sys.argv[1]), os.path.abspath(sys.argv[2])
    text = (root / "apps/README.md").read_text()
    problems = []
    for transcript in (message, struct_messages):
        with tempfile.TemporaryDirectory() as directory:
            shown, printed = transcript(Shell(ringpost, directory), text)
        problems += difflib.unified_diff(comparable(shown), comparable(printed), "apps/README.md", "printed",
                                         lineterm="")
    print("\n".join(problems) or "the transcripts are what the command prints")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
