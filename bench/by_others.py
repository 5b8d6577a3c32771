"""The contestants that are not ringpost, each at the settings that were best for it here. As in by_ringpost, each is a
function of a duration in seconds that returns {figure: value}."""

import json
import re

from programs import HOST, Failed, Server, dns_names, dns_server, free_port, last_json, program, run


def other_transport(name, *options):
    def measure(seconds):
        result = last_json(run(program(f"bench/peer_{name}"), options[0], str(seconds), *options[1:]))
        if result["lost"]:
            raise Failed(f"peer_{name}: {result}")
        return {"rate": result["rate_per_s"]}
    return measure


def dns_by_dnsperf(*options, names=1):
    """With -v, which prints the time of each answer, also percentiles."""
    def measure(seconds):
        with dns_server() as port, dns_names(names) as file:
            output = run("taskset", "-c", "0", "dnsperf", "-s", HOST, "-p", port, "-d", file, "-c", "1",
                         "-T", "1", "-l", str(max(1, round(seconds))), *options)
        times = sorted(float(line.split()[-1]) * 1e6 for line in output.splitlines() if line.startswith("> NOERROR"))
        figures = {"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100]} if times else {}
        return {"rate": float(re.search(r"Queries per second:\s+([\d.]+)", output)[1]),
                "lost": int(re.search(r"Queries lost:\s+(\d+)", output)[1]), **figures}
    return measure


def sockperf_throughput(seconds):
    port = free_port()
    with Server("sockperf", "server", "-i", HOST, "-p", port, ready="using recv"):
        text = run("taskset", "-c", "0", "sockperf", "throughput", "-i", HOST, "-p", port, "-m", "64",
                   "-t", str(max(1, round(seconds))))
    # sockperf reports what it sent, not what arrived.
    return {"rate": float(re.search(r"Message Rate is (\d+)", text)[1])}


def sockperf_round_trips(mode, *options):
    """`ping-pong`, or `under-load` at a rate with every message answered. `rate` is that of the answers."""
    def measure(seconds):
        port = free_port()
        with Server("sockperf", "server", "-i", HOST, "-p", port, "--nonblocked", ready="using recv"):
            text = run("taskset", "-c", "0", "sockperf", mode, "-i", HOST, "-p", port, "-m", "64", "--full-rtt", "-t",
                       str(max(1, round(seconds))), *options)
        percentile = {name: float(value) for name, value in re.findall(r"percentile (\d+\.\d+) =\s+([\d.]+)", text)}
        counted = re.search(r"\[Valid Duration\] RunTime=([\d.]+) sec; SentMessages=(\d+); ReceivedMessages=(\d+)",
                            text)
        return {"p50": percentile["50.000"], "p99": percentile["99.000"], "p999": percentile["99.900"],
                "rate": int(counted[3]) / float(counted[1]),
                "lost": int(re.search(r"dropped messages = (\d+)", text)[1])}
    return measure


def iperf3_udp(rate_per_s=0, size=64):
    """Datagrams of a size at a rate, or as fast as possible with 0; in trains where this iperf3 can (--gsro, 3.20 and
    later). iperf3 reports no percentiles."""
    def measure(seconds):
        port = free_port()
        trains = ["--gsro"] if "--gsro" in run("iperf3", "--help") else []
        with Server("iperf3", "-s", "-1", "-p", port, "-B", HOST, ready="Server listening"):
            text = run("iperf3", "-c", HOST, "-p", port, "-u", "-b", str(rate_per_s * size * 8), "-l", str(size), "-t",
                       str(max(1, round(seconds))), "-A", "0", "-J", *trains)
        total = json.loads(text)["end"]["sum"]
        return {"rate": (total["packets"] - total["lost_packets"]) / total["seconds"], "lost": total["lost_packets"]}
    return measure
