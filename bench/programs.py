"""Runs the programs that scripts/bench measures: to their end, or as servers on the second core."""

import contextlib
import json
import os
import random
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOST = "127.0.0.1"
build = os.path.join(ROOT, "build", "bench")


class Failed(Exception):
    pass


def program(path):
    """The path of a program in the measured build."""
    return os.path.join(build, path)


def run(*command, accept=(0,)):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode not in accept:
        raise Failed(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-500:]}{done.stderr[-500:]}")
    return done.stdout


def last_json(text):
    return json.loads(text.strip().splitlines()[-1])


def free_port():
    """A port free for UDP and TCP, below the range of ephemeral ports."""
    while True:
        port = random.randrange(10_000, 32_768)
        with contextlib.suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind((HOST, port))
            tcp.bind((HOST, port))
            return str(port)


class Server:
    """A server on the second core, stopped at the end of the block."""

    def __init__(self, *command, ready):
        self.process = subprocess.Popen(["taskset", "-c", "1", "stdbuf", "-oL", *command], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        output, deadline = b"", time.monotonic() + 10
        while ready.encode() not in output:
            readable, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            fresh = os.read(self.process.stdout.fileno(), 4096) if readable else b""
            if not fresh:
                self.__exit__()
                raise Failed(f"{' '.join(command)}: did not start\n{output.decode(errors='replace')}")
            output += fresh

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def dns_names(count):
    """A file of so many queries, which the server below answers; yields its path."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as names:
        names.writelines(f"www{number or ''}.bench.test A\n" for number in range(count))
        names.flush()
        yield names.name


@contextlib.contextmanager
def capture(count, gap_ns, payload=bytes(64)):
    """A capture of so many datagrams, this far apart; yields its path."""
    udp = struct.pack(">HHHH", 1, 2, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, 0x0a000001, 0x0a000002) + udp
    packet = bytes(12) + b"\x08\x00" + ip
    nanoseconds, ethernet = 0xa1b23c4d, 1
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(struct.pack("<IHHiIII", nanoseconds, 2, 4, 0, 0, 65535, ethernet))
        for at in range(0, count * gap_ns, gap_ns):
            file.write(struct.pack("<IIII", *divmod(at, 10**9), len(packet), len(packet)) + packet)
        file.flush()
        yield file.name


@contextlib.contextmanager
def dns_server():
    """dnsmasq on the second core with one name; yields its port."""
    port = free_port()
    with Server("dnsmasq", "--keep-in-foreground", f"--port={port}", f"--listen-address={HOST}", "--bind-interfaces",
                "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts", "--log-facility=-",
                "--address=/bench.test/192.0.2.1", ready="started"):
        yield port
