"""Two network namespaces that a bottleneck joins, and flows from the first to the second."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))
import support

DEVICE = "narrow"
ADDRESSES = "10.92.0.1", "10.92.0.2"
PACKET_BYTES = 1500
DEVICE_PACKETS = 10_000  # more than ever wait for the program that carries them
BUFFER_BYTES = 64 << 20  # the most that TCP may use, so that the path decides


def as_child():
    """Of each program: ends with this process, and runs before all others if permitted, as on a machine of its own."""
    support.die_with_parent()
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def bdp_bytes(rate_mbit, rtt_ms):
    return rate_mbit * 1e6 / 8 * rtt_ms / 1e3


class Path:
    """The same rate (Mbit/s), delay (half of rtt_ms) and queue (in bandwidth-delay products) in both directions."""

    def __init__(self, programs, rate_mbit, rtt_ms, queue_bdp, *options):
        self.programs = pathlib.Path(programs)
        self.hosts = support.Network(), support.Network()
        queue_bytes = max(round(queue_bdp * bdp_bytes(rate_mbit, rtt_ms)), 2 * PACKET_BYTES)
        self.process = subprocess.Popen(
            [self.programs / "bottleneck", *(f"/proc/{host.id}/ns/net" for host in self.hosts), DEVICE, str(rate_mbit),
             str(rtt_ms / 2), str(queue_bytes), *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=as_child)
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError("the bottleneck did not start")
        for host, own, other in zip(self.hosts, ADDRESSES, reversed(ADDRESSES)):
            host.call(self.allow_buffers)
            host.ip(f"link set {DEVICE} addrgenmode none txqueuelen {DEVICE_PACKETS}")
            host.ip(f"addr add {own} peer {other} dev {DEVICE}")
            host.ip(f"link set {DEVICE} up")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        for host in self.hosts:
            host.close()

    @staticmethod
    def allow_buffers():
        for name in "rmem", "wmem":
            with open(f"/proc/sys/net/ipv4/tcp_{name}", "r+") as value:
                low, initial, _ = value.read().split()
                value.seek(0)
                value.write(f"{low} {initial} {BUFFER_BYTES}")

    def device_counts(self, host):
        """Packets and bytes that the host has received from its device, and sent to it, and those it dropped."""
        def read():
            with open("/proc/thread-self/net/dev") as lines:
                return next(line.split(":")[1].split() for line in lines if line.strip().startswith(DEVICE + ":"))

        fields = list(map(int, self.hosts[host].call(read)))
        return {"received": fields[1], "received_bytes": fields[0], "sent": fields[9], "sent_bytes": fields[8],
                "dropped": fields[3] + fields[11]}

    def end(self):
        """Counters of the direction of the flows and of the other."""
        out, _ = self.process.communicate(timeout=support.patience_s)
        return json.loads(out)

    def start(self, host, *command):
        return self.hosts[host].call(lambda: subprocess.Popen(
            [self.programs / "flow", *map(str, command)], stdout=subprocess.PIPE, text=True,
            preexec_fn=as_child))


class Flow:
    """A stream of `protocol`, native or tcp, until it has `bytes` or `seconds` have passed (0: without this limit)."""

    def __init__(self, path, protocol, port, bytes=0, seconds=0):
        self.protocol = protocol
        self.receiver = path.start(1, protocol, "receive", port)
        if self.receiver.stdout.readline() != "ready\n":
            raise AssertionError("the receiver did not start")
        self.started_ns = time.monotonic_ns()
        self.sender = path.start(0, protocol, "send", ADDRESSES[1], port, bytes, seconds)

    def finish(self, timeout_s):
        """Waits for the sender, and for the receiver if the stream has an end."""
        sent, _ = self.sender.communicate(timeout=timeout_s)
        if self.sender.returncode != 0:
            raise AssertionError(f"{self.protocol}: the sender failed")
        *states, summary = sent.splitlines()
        self.states = [tuple(map(int, line.split())) for line in states]  # time_ns, window_bytes, rtt_us, lost
        self.summary = json.loads(summary)

    def received(self, timeout_s=None):
        """Stops the receiver, or waits until the stream ends. Lists (time_ns, bytes)."""
        if timeout_s is None:
            self.receiver.kill()
        out, _ = self.receiver.communicate(timeout=timeout_s)
        if timeout_s is not None and self.receiver.returncode != 0:
            raise AssertionError(f"{self.protocol}: the receiver failed")
        self.progress = [tuple(map(int, line.split())) for line in out.splitlines() if line.count(" ") == 1]
        return self.progress

    def bytes_between(self, start_ns, end_ns):
        def at(time_ns):
            return max((count for time, count in self.progress if time <= time_ns), default=0)

        return at(end_ns) - at(start_ns)
