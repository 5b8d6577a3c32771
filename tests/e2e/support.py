"""Runs ringpost, reads its events, and makes sure that it does not outlive a test."""

import contextlib
import ctypes
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import schema

binary = ""
patience_s = 120  # the timeout of every wait

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def parse_events(output):
    """Parses --json output, an object per line. NaN, infinities and violations of the events' schema are errors."""

    def refuse(name):
        raise AssertionError(f"{name} in JSON output")

    events = [json.loads(line, parse_constant=refuse) for line in output.splitlines()]
    for event in events:
        schema.check_event(event)
    return events


class Run:
    """A finished command."""

    def __init__(self, args, code, out, err):
        self.args, self.code, self.out, self.err = args, code, out, err

    def __str__(self):
        return f"ringpost {' '.join(self.args)}: exit {self.code}\n{self.out}{self.err}"

    def events(self, name=None):
        return [event for event in parse_events(self.out) if name in (None, event["event"])]

    def summary(self):
        events = self.events()
        assert events and events[-1]["event"] == "summary", self
        return events[-1]

    def stalled(self):
        """True if the process was stalled for its whole duration and therefore sent nothing."""
        return "nothing was sent: no " in self.err


def run(*args, by=(), preexec=die_with_parent):
    """Runs a command to its end; `by` is a launcher such as mpirun with its arguments."""
    args = [str(arg) for arg in args]

    def once():
        done = subprocess.run([*by, binary, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=patience_s, preexec_fn=preexec)
        done = Run(args, done.returncode, done.stdout, done.stderr)
        if done.stalled() and "--out" in args:  # the next attempt needs it empty
            shutil.rmtree(args[args.index("--out") + 1], ignore_errors=True)
        return done

    return tried(once, lambda done: not done.stalled(), attempts=10)


def tried(attempt, good, attempts=3):
    """The first good result of several attempts, or the last one: the machine may stall during an attempt."""
    for _ in range(attempts):
        result = attempt()
        if good(result):
            break
    return result


@functools.cache
def backends():
    """Both backends, or only mmsg (with a note) where io_uring is not available, as in many containers.
    $RINGPOST_BACKENDS overrides this: a list separated by commas.
    """
    if chosen := os.environ.get("RINGPOST_BACKENDS"):
        return tuple(chosen.split(","))
    done = run("beacon", "--port", 0, "--duration", "1ms", "--backend", "uring")
    if done.code == 0:
        return "uring", "mmsg"
    print(f"only the mmsg backend is tested: {done.err.strip()}", file=sys.stderr)
    return ("mmsg",)


class Background:
    """A running command, killed at the end of `with`. Reads standard output line by line."""

    def __init__(self, *args, preexec=die_with_parent, stdin=subprocess.DEVNULL):
        self.args = [str(arg) for arg in args]
        self.process = subprocess.Popen([binary, *self.args], stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, preexec_fn=preexec)
        self.lines = []
        self.watch()

    def watch(self):
        self.watchdog = threading.Timer(patience_s, self.process.kill)
        self.watchdog.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.watchdog.cancel()
        self.process.kill()
        self.process.communicate()

    def line(self):
        """The next line of output; fails if the command ends or after patience_s."""
        self.watchdog.cancel()
        self.watch()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"ringpost {' '.join(self.args)} has ended: {self.process.stderr.read()}")
        self.lines.append(line)
        return line

    def event(self, name):
        """Reads up to the next event of this name."""
        while True:
            event = parse_events(self.line())[0]
            if event["event"] == name:
                return event

    def port(self):
        return self.event("listening")["port"]

    def stop(self, by=signal.SIGTERM):
        self.process.send_signal(by)
        return self.finish()

    def finish(self):
        out, err = self.process.communicate(timeout=patience_s)
        return Run(self.args, self.process.returncode, "".join(self.lines) + out, err)


def until(condition, what):
    give_up = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError(f"never came true: {what}")
        time.sleep(0.002)


def udp_socket(host="127.0.0.1", port=0):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(patience_s)
    sock.bind((host, port))
    return sock


def unread_bytes(port):
    """Bytes in the receive buffers of the UDP sockets on a port, as reported by the kernel."""
    total = 0
    for table in ("udp", "udp6"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/thread-self/net/{table}") as lines:
            for line in list(lines)[1:]:
                fields = line.split()
                if int(fields[1].rsplit(":", 1)[1], 16) == port:
                    total += int(fields[4].split(":")[1], 16)
    return total


def wall_offset_ns():
    """From the monotonic clock to the wall clock, which somebody may set meanwhile. The best of several comparisons."""
    def compared():
        before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        return after - before, wall - (before + after) // 2

    return min(compared() for _ in range(100))[1]


def until_read(port):
    """Waits until the server on a port has received everything sent so far."""
    until(lambda: unread_bytes(port) == 0, f"the server on port {port} reads")


class EchoThread:
    """An independent echo server."""

    def __init__(self, host="127.0.0.1"):
        self.socket = udp_socket(host)
        self.socket.settimeout(None)
        self.port = self.socket.getsockname()[1]
        self.received = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            data, source = self.socket.recvfrom(65536)
            if data == b"stop":
                return
            self.received.set()
            self.socket.sendto(data, source)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with udp_socket(self.socket.getsockname()[0]) as sock:
            sock.sendto(b"stop", self.socket.getsockname())
        self.thread.join(patience_s)
        self.socket.close()


class Network:
    """A network namespace: call(f) runs f, and every process that f starts, inside it."""

    def __init__(self):
        self.jobs, self.results = [], []
        self.wake = threading.Semaphore(0)
        self.done = threading.Semaphore(0)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        self.done.acquire()
        if self.refused:
            raise unittest.SkipTest(f"this process may not create a network namespace: {os.strerror(self.refused)}")

    def serve(self):
        self.refused = 0 if libc.unshare(CLONE_NEWNET) == 0 else ctypes.get_errno()
        self.id = threading.get_native_id()
        self.done.release()
        while not self.refused:
            self.wake.acquire()
            job = self.jobs.pop()
            if job is None:
                return
            try:
                self.results.append((job(), None))
            except BaseException as error:  # raised by call()
                self.results.append((None, error))
            self.done.release()

    def call(self, job):
        self.jobs.append(job)
        self.wake.release()
        self.done.acquire()
        result, error = self.results.pop()
        if error:
            raise error
        return result

    def ip(self, command):
        self.call(lambda: subprocess.run(["ip", *command.split()], check=True))

    def close(self):
        self.jobs.append(None)
        self.wake.release()
        self.thread.join(patience_s)


class Segment:
    """Hosts on a bridge, each a network namespace with a link eth0: 10.78.0.1, 10.78.0.2 and so on."""

    def __init__(self, count):
        self.switch = Network()
        self.switch.ip("link add br0 type bridge")
        self.switch.ip("link set br0 up")
        self.hosts = [Network() for _ in range(count)]
        for number, host in enumerate(self.hosts, 1):
            host.address = f"10.78.0.{number}"
            host.ip(f"link add eth0 type veth peer name p{number} netns {self.switch.id}")
            self.switch.ip(f"link set p{number} master br0 up")
            host.ip(f"addr add {host.address}/24 dev eth0")
            host.ip("link set eth0 up")
            host.ip("link set lo up")

    def close(self):
        for network in (*self.hosts, self.switch):
            network.close()
