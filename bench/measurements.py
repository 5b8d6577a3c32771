"""What scripts/bench measures, and the tables that show it.

A group is measured as one: its contestants take turns (A B C, A B C, ...), so that a machine whose speed drifts treats
them alike. A row shows one figure of some contestants of a group; the first of them is the row's reference. Each
contestant is measured in one group only, so no two rows can disagree about it.
"""

import dataclasses
import pathlib
import re

from by_others import dns_by_dnsperf, iperf3_udp, other_transport, sockperf_round_trips, sockperf_throughput
from by_ringpost import (confirmed_messages, devices, dns_by_ringpost, endpoint_on, found_maximum, idle,
                         idle_among_devices, limit_flood, limit_pingpong, machine_stalls, measuring, memory_at_rest,
                         native, native_limit, paced, peers_of_one_socket, rate_error, reliable_load, ringpost_latency,
                         replay, ringpost_load, ringpost_pingpong, sessions, share_of_maximum, stalls_at, start_up,
                         stream,
                         through_interface, through_python, through_relay)
from programs import ROOT, Failed

PLAIN = ("--gso", "off", "--gro", "off")
BACKENDS = ("uring", "mmsg")


@dataclasses.dataclass
class Row:
    title: str
    figure: str             # of what a contestant returns
    group: str
    contestants: tuple = ()  # none: all of the group
    ratio: bool = True       # to the first contestant


def limits():
    """The constants of <ringpost/limits.hpp> and codec/base/limits.hpp that kernel_limit needs, by name."""
    text = "".join((pathlib.Path(ROOT) / name).read_text()
                   for name in ("codec/include/ringpost/limits.hpp", "codec/base/limits.hpp"))
    found = {}
    for name in ("train_segments_max", "train_segments_always", "datagram_bytes_max"):
        value = re.search(rf"\b{name} = ([\d']+);", text)
        if not value:
            raise Failed(f"limits.hpp has no number {name}")
        found[name] = int(value[1].replace("'", ""))
    return found


def train_segments(size):
    """Datagrams of `size` bytes in the longest train that this kernel takes."""
    known = limits()
    segments = known["train_segments_max"]
    try:
        limit_flood(64, segments, True)(0.05)
    except Failed:
        segments = known["train_segments_always"]
    return min(segments, known["datagram_bytes_max"] // size)


def of_backends(measure, *options, label="{}", **more):
    """The same measurement on both backends."""
    return {label.format(backend): measure(*options, "--backend", backend, **more) for backend in BACKENDS}


def reliable_peers(size):
    """ENet, ZeroMQ and TCP in the settings that were best for them: see bench/README.md."""
    return {"ZeroMQ PUSH/PULL, TCP": other_transport("zeromq", size, "1"),
            "ENet reliable": other_transport("enet", size, "1", "4096", "16000"),
            "batched TCP": other_transport("tcp", size)}


SUITES = {"aes": "AES-256-GCM", "insecure": "insecure"}


def native_rates(size):
    return {f"{backend}, native, {label}": native(backend, suite, size)
            for suite, label in SUITES.items() for backend in BACKENDS}


def native_limits(size):
    return {f"hand-written, {label}": native_limit(suite, size) for suite, label in SUITES.items()}


def flood_groups():
    return {
        "64 B": {
            "kernel limit": limit_flood(64, train_segments(64), True),
            **of_backends(ringpost_load),
            **of_backends(ringpost_load, "--no-verify", label="{}, --no-verify"),
            **of_backends(ringpost_load, "--payload-hex", "00" * 64, label="{}, a payload"),
            **of_backends(ringpost_load, "--payload", "{seq:u32be}" + "x" * 60,
                          label="{}, a payload with {{seq:u32be}}"),
            "sockperf throughput": sockperf_throughput,
            "iperf3 -u": iperf3_udp(),
            **of_backends(reliable_load, label="{}, gtUDP"),
            **native_limits(64),
            **native_rates(64),
            **reliable_peers("64")},
        "64 B one by one": {"kernel limit": limit_flood(64, 1, False), **of_backends(ringpost_load, *PLAIN)},
        "1400 B": {
            "kernel limit": limit_flood(1400, train_segments(1400), True),
            **of_backends(ringpost_load, "--size", "1400"),
            **of_backends(ringpost_load, "--size", "1400", "--no-verify", label="{}, --no-verify"),
            "iperf3 -u": iperf3_udp(size=1400)},
        **{f"64 B paced, {backend}": {
            "unpaced": ringpost_load("--backend", backend),
            "--rate, 95 % of that": paced(0.95, "--backend", backend)} for backend in BACKENDS},
        **{f"64 B engines, {backend}": {
            "1 engine": ringpost_load("--backend", backend),
            "2 engines": ringpost_load("--threads", "2", "--flows", "2", "--backend", backend)}
           for backend in BACKENDS},
        "1 KiB messages": {**reliable_peers("1024"), **of_backends(reliable_load, "--size", "1024", label="{}, gtUDP"),
                           **native_limits(1024), **native_rates(1024)},
        **{f"bytes of sealed messages, {backend}": {
            label: native(backend, "aes", size, unit=size)
            for label, size in (("1 KiB", 1024), ("64 KiB", 65536), ("1 MiB", 1 << 20))} for backend in BACKENDS},
        **{f"native connections, {backend}": {
            f"{count:,} connection{'s' if count > 1 else ''}": native(backend, "aes", 64, count)
            for count in (1, 10_000)} for backend in BACKENDS},
        **{f"peers, {backend}": {f"{peers:,} peer{'s' if peers > 1 else ''}": peers_of_one_socket(backend, peers)
                                 for peers in (1, 100_000)} for backend in BACKENDS},
        **{f"engine, {backend}": {"loop template": endpoint_on("template", backend),
                                  "public Engine": endpoint_on("engine", backend)} for backend in BACKENDS},
        **{f"interfaces, {backend}": {
            "C++": through_interface("c++", backend), "C": through_interface("c", backend),
            "Python": through_python(backend)} for backend in BACKENDS},
        "relay": {f"{loss} % lost, 10 ms each way": through_relay(loss) for loss in (1, 5, 30)},
    }


def latency_groups():
    spin = ("--wait", "spin")
    return {
        "ping-pong": {
            "kernel limit": limit_pingpong(),
            "kernel limit, unconnected far side": limit_pingpong("anyone"),
            **of_backends(ringpost_pingpong),
            "sockperf --nonblocked": sockperf_round_trips("ping-pong", "--nonblocked"),
            **of_backends(reliable_load, "--window", "1", *spin, label="{}, gtUDP"),
            **of_backends(ringpost_pingpong, "--transport", "native", label="{}, native"),
            **{f"{backend}, confirmed messages": confirmed_messages(backend) for backend in BACKENDS}},
        "100k/s round trips": {
            "sockperf under-load": sockperf_round_trips("under-load", "--mps=100000", "--reply-every=1"),
            **of_backends(ringpost_latency, "--rate", "100k", *spin)},
        **{f"50k/s by flows, {backend}": {
            f"{flows:,} flow{'s' if flows > 1 else ''}":
                ringpost_latency("--rate", "50k", "--flows", str(flows), "--backend", backend)
            for flows in (1, 1024)} for backend in BACKENDS},
        "100k/s one way": {"iperf3 -u": iperf3_udp(100_000), **of_backends(ringpost_load, "--rate", "100k")},
        **{f"rate error, {backend}": {
            name: rate_error(rate, *PLAIN, *spin, "--backend", backend)
            for name, rate in (("1/s", 1), ("1,000/s", 1_000), ("100,000/s", 100_000),
                               ("90 % of the maximum", share_of_maximum(0.9)))} for backend in BACKENDS},
        **{f"{share} % of the maximum": {
            "spinning loop without datagrams": machine_stalls(share / 100, *PLAIN, *spin),
            **{backend: rate_error(share_of_maximum(share / 100), *PLAIN, *spin, "--backend", backend)
               for backend in BACKENDS}} for share in (90, 50)},
        "capture": {"spinning loop without datagrams": stalls_at(100_000), **of_backends(replay, "--wait", "spin")},
        **{f"recording, {backend}": {
            "nothing recorded": measuring(backend, "off"), "each recorded": measuring(backend, "on")}
           for backend in BACKENDS},
        "sessions": of_backends(sessions, 64, "--wait", "spin"),
        **{f"DNS, {window} in flight": {
            "dnsperf": dns_by_dnsperf("-q", str(window)), **of_backends(dns_by_ringpost, "--window", str(window))}
           for window in (1, 20, 100)},
        "DNS, a million names": {
            "dnsperf": dns_by_dnsperf("-q", "20", names=1_000_000),
            **of_backends(dns_by_ringpost, "--window", "20", names=1_000_000)},
        **{f"echo, {backend}": {
            "load --find-max": found_maximum("load", backend, "--bidirectional", *PLAIN),
            "latency --find-max": found_maximum("latency", backend, "--timeout", "100ms")}
           for backend in BACKENDS},
        "DNS, 20k/s": {"dnsperf": dns_by_dnsperf("-Q", "20000", "-v"), **of_backends(dns_by_ringpost, "--rate", "20k")},
    }


def stream_groups():
    plain = "blocking send and recv"
    return {
        "TCP, 64 KiB": {plain: stream("plain", 65_536), **{backend: stream(backend, 65_536) for backend in BACKENDS}},
        "TCP, 256 KiB": {plain: stream("plain", 262_144), **{backend: stream(backend, 262_144) for backend in BACKENDS},
                         **{f"{backend}, named devices": devices("messages", backend) for backend in BACKENDS}},
        **{f"questions, {at_once}": {backend: devices("questions", backend, str(at_once)) for backend in BACKENDS}
           for at_once in (1, 256, 1024)},
        "idle": {f"{backend}, {mode}": idle(backend, mode) for backend in BACKENDS for mode in ("block", "adaptive")},
        "start": {"load": start_up("load"), "load, gtUDP": start_up("load", "--transport", "gtudp"),
                  "latency": start_up("latency")},
        "at rest": {"sink": memory_at_rest(), "sink, gtUDP": memory_at_rest("--transport", "gtudp")},
        "idle devices": {backend: idle_among_devices(backend) for backend in BACKENDS},
    }


def groups():
    return flood_groups() | latency_groups() | stream_groups()


GTUDP = tuple(f"{backend}, gtUDP" for backend in BACKENDS)

NATIVE = tuple(f"{backend}, native, {label}" for label in SUITES.values() for backend in BACKENDS)

# The tables of bench/README.md by the names of their places there.
TABLES = {
    "datagrams": [
        Row("64 B, trains", "rate", "64 B",
            ("kernel limit", "uring", "mmsg", "uring, --no-verify", "mmsg, --no-verify")),
        *[Row(f"64 B payloads of other services, trains, {backend}", "rate", "64 B",
              (f"{backend}, --no-verify", f"{backend}, a payload", f"{backend}, a payload with {{seq:u32be}}"))
          for backend in BACKENDS],
        Row("64 B against sockperf throughput", "rate", "64 B", ("sockperf throughput", "uring", "mmsg")),
        Row("64 B against iperf3 -u", "rate", "64 B", ("iperf3 -u", "uring", "mmsg")),
        Row("64 B, one by one", "rate", "64 B one by one"),
        Row("1400 B, trains", "rate", "1400 B", ("kernel limit", *BACKENDS, *(f"{b}, --no-verify" for b in BACKENDS))),
        Row("1400 B against iperf3 -u", "rate", "1400 B", ("iperf3 -u", *BACKENDS)),
        *[Row(f"64 B, trains, engines, {backend}", "rate", f"64 B engines, {backend}") for backend in BACKENDS],
        *[Row(f"64 B, an endpoint on the public Engine, {backend}", "rate", f"engine, {backend}")
          for backend in BACKENDS],
    ],
    "round trips": [
        *[Row(f"round trip {name}, us", figure, "ping-pong",
              ("kernel limit", "kernel limit, unconnected far side", *BACKENDS))
          for name, figure in (("p50", "p50"), ("p99", "p99"))],
        *[Row(f"round trip {name} against sockperf{unit}", figure, "ping-pong", ("sockperf --nonblocked", *BACKENDS))
          for name, figure, unit in (("p50", "p50", ", us"), ("p99", "p99", ", us"), ("p99.9", "p999", ", us"),
                                     ("rate", "rate", ", 1/s"))],
        *[Row(f"100k/s round trips, {name}", figure, "100k/s round trips")
          for name, figure in (("answers/s", "rate"), ("p50, us", "p50"), ("p99, us", "p99"), ("p99.9, us", "p999"))],
    ],
    "rates": [
        Row("100k/s one way, received/s", "rate", "100k/s one way"),
        Row("100k/s one way, schedule slip p99, us", "slip_p99", "100k/s one way", BACKENDS, ratio=False),
        *[Row(f"rate error, 64 B, one by one, {backend}, %", "error", f"rate error, {backend}", ratio=False)
          for backend in BACKENDS],
        *[Row(f"{share} % of the maximum, 64 B, one by one, slip p99, us", "slip_p99", f"{share} % of the maximum")
          for share in (90, 50)],
        Row("a capture of a million packets at 100k/s, slip p99, us", "slip_p99", "capture"),
        *[Row(f"through an echo, {backend}, 1/s", "rate", f"echo, {backend}") for backend in BACKENDS],
        *[Row(f"round trips/s with 64 in flight, {backend}", "rate", f"recording, {backend}") for backend in BACKENDS],
        Row("sessions/s of a scenario of two steps, 64 at a time", "rate", "sessions"),
        *[Row(f"64 B, trains, paced, sent/s, {backend}", "sent", f"64 B paced, {backend}") for backend in BACKENDS],
        *[Row(f"50k/s round trips, p50, us, {backend}", "p50", f"50k/s by flows, {backend}") for backend in BACKENDS],
    ],
    "messages": [
        Row("64 B messages, raw and confirmed", "rate", "64 B", ("uring", "uring, gtUDP", "mmsg, gtUDP")),
        Row("64 B messages, each confirmed or in order", "rate", "64 B",
            ("ZeroMQ PUSH/PULL, TCP", "ENet reliable", "uring, gtUDP", "mmsg, gtUDP", *NATIVE)),
        Row("1 KiB messages, each confirmed or in order", "rate", "1 KiB messages",
            ("ZeroMQ PUSH/PULL, TCP", "ENet reliable", "uring, gtUDP", "mmsg, gtUDP", *NATIVE)),
        *[Row(f"{size} native messages against a hand-written program, {label}", "rate", group,
              (f"hand-written, {label}", *(f"{backend}, native, {label}" for backend in BACKENDS)))
          for size, group in (("64 B", "64 B"), ("1 KiB", "1 KiB messages")) for label in SUITES.values()],
        *[Row(f"{size} native messages against batched TCP", "rate", group, ("batched TCP", *NATIVE))
          for size, group in (("64 B", "64 B"), ("1 KiB", "1 KiB messages"))],
        *[Row(f"bytes/s of sealed messages, {backend}", "rate", f"bytes of sealed messages, {backend}")
          for backend in BACKENDS],
        *[Row(f"64 B sealed messages/s by connections, {backend}", "rate", f"native connections, {backend}")
          for backend in BACKENDS],
        Row("send to confirmed p50 against the raw round trip, us", "p50", "ping-pong", ("uring", *GTUDP)),
        Row("sealed round trip p50 against the raw one, us", "p50", "ping-pong",
            ("uring", *(f"{backend}, native" for backend in BACKENDS))),
        *[Row(f"64 B, gtUDP, one datagram at a time to one socket, {backend}", "rate", f"peers, {backend}")
          for backend in BACKENDS],
        *[Row(f"64 B, gtUDP, batches through each interface, {backend}", "rate", f"interfaces, {backend}")
          for backend in BACKENDS],
        Row("relay, datagrams over the minimum for the loss", "over_minimum", "relay", ratio=False),
        Row("relay, send to confirmed p99, us", "p99", "relay", ratio=False),
    ],
    "confirmed": [
        Row("confirmed message p50, us", "p50", "ping-pong",
            ("kernel limit, unconnected far side", "uring, confirmed messages", "mmsg, confirmed messages")),
        Row("confirmed messages one after another, 1/s", "rate", "ping-pong",
            ("uring, confirmed messages", "mmsg, confirmed messages")),
    ],
    "devices": [
        Row("64 B messages over one connection, 1/s", "messages", "TCP, 256 KiB",
            ("blocking send and recv", "uring, named devices", "mmsg, named devices")),
        *[Row(f"questions, {at_once} at once, 1/s", "rate", f"questions, {at_once}") for at_once in (1, 256, 1024)],
        Row("idle among three devices, % of a core", "cpu", "idle devices", ratio=False),
    ],
    "tcp": [Row(f"64 B messages in writes of {size}, bytes/s", "bytes", f"TCP, {size}",
                ("blocking send and recv", *BACKENDS)) for size in ("64 KiB", "256 KiB")],
    "dns": [
        *[Row(f"queries/s, {window} in flight", "rate", f"DNS, {window} in flight") for window in (1, 20, 100)],
        Row("queries/s of a million names, 20 in flight", "rate", "DNS, a million names"),
        Row("20k queries/s, p50, us", "p50", "DNS, 20k/s"),
        Row("20k queries/s, p99, us", "p99", "DNS, 20k/s"),
    ],
    "idle": [Row("idle sink, % of a core", "cpu", "idle", ratio=False),
             Row("sink at rest, MiB", "mib", "at rest", ratio=False),
             Row("start-up with --self, ms", "ms", "start", ratio=False)],
}

# The table of README.md: title, figure, group, ours on both backends, the reference.
SUMMARY = [
    ("64 B datagrams/s, each verified", "rate", "64 B", BACKENDS, "kernel limit"),
    ("64 B datagrams/s, each verified", "rate", "64 B", BACKENDS, "iperf3 -u"),
    ("64 B messages/s, each confirmed (gtUDP)", "rate", "64 B", GTUDP, "ENet reliable"),
    ("round trip p50, us (lower is better)", "p50", "ping-pong", BACKENDS, "sockperf --nonblocked"),
    ("100k/s round trips, p99, us (lower is better)", "p99", "100k/s round trips", BACKENDS, "sockperf under-load"),
    ("DNS queries/s, 20 in flight", "rate", "DNS, 20 in flight", BACKENDS, "dnsperf"),
]
