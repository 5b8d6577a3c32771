"""The contestants that are ringpost, and the kernel's limit. Each makes a function of a duration in seconds that
verifies what it moves and returns {figure: value}."""

import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import unittest

from programs import HOST, ROOT, Failed, capture, dns_names, dns_server, last_json, program, run

TWO_CORES = ("--cpu", "0,1")  # as the references


def limit_flood(size, segments, gro):
    def measure(seconds):
        result = last_json(run(program("bench/kernel_limit"), "flood", str(size), str(segments), str(int(gro)),
                               str(seconds)))
        return {"rate": result["rate_per_s"], "lost": result["sent"] - result["received"]}
    return measure


def load(seconds, *options):
    return last_json(run(program("apps/ringpost"), "load", "--self", *TWO_CORES, "--json", "--duration",
                         f"{seconds}s", *options))


def ringpost_load(*options):
    def measure(seconds):
        result = load(seconds, *options)
        if result["corrupt"] or result["duplicate"] or result["reordered"]:
            raise Failed(f"load {options}: corrupt, duplicate or reordered datagrams on loopback: {result}")
        return {"rate": result["rate_per_s"], "sent": result["sent_rate_per_s"], "lost": result["lost"],
                "slip_p99": result.get("slip_us", {}).get("p99"), "duration": result["duration_s"]}
    return measure


def paced(share, *options):
    """A load at this share of the rate that the same load reaches unpaced, measured just before."""
    def measure(seconds):
        return ringpost_load("--rate", f"{share_of_maximum(share)(options):.0f}", *options)(seconds)
    return measure


def start_up(command, *options):
    """Milliseconds from the start of a command with --self and a run of 1 ms to its end, without that 1 ms."""
    def measure(seconds):
        times, idle = [], 0
        while sum(times) < seconds:
            start = time.perf_counter()
            result = last_json(run(program("apps/ringpost"), command, "--self", "--json", "--duration", "1ms", *options,
                                   accept=(0, 1)))
            if result["sent"]:
                times.append(time.perf_counter() - start)
                continue
            idle += 1  # a machine that stalls for 1 ms at the start sends nothing
            if idle == 100:
                raise Failed(f"{command}: nothing was sent in {idle} runs: {result}")
        return {"ms": 1e3 * statistics.median(times) - 1}
    return measure


def memory_at_rest(*options):
    """MiB of a sink that has received nothing: what is its own, without the program."""
    def measure(seconds):
        process, _ = listening("sink", "--port", "0", "--bind", HOST, *options)
        try:
            status = open(f"/proc/{process.pid}/status").read()
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
        return {"mib": int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) / 1024}
    return measure


def rate_error(rate_per_s, *options):
    """The difference between the rate asked for and the rate achieved, in percent."""
    def measure(seconds):
        asked = rate_per_s(options) if callable(rate_per_s) else rate_per_s
        result = load(max(seconds, 3 / asked), "--rate", f"{asked:.0f}", *options)
        achieved = result["sent"] / result["duration_s"]
        return {"error": 100 * abs(achieved / asked - 1), "slip_p99": result["slip_us"]["p99"], "rate": achieved,
                "lost": result["lost"]}
    return measure


def share_of_maximum(share):
    """A share of the rate that a load with these options reaches unpaced. Each call measures it again."""
    return lambda options: share * load(0.5, *options)["sent_rate_per_s"]


def machine_stalls(share, *options):
    """The slip of a loop without datagrams, busy for this share of its time, whose turn takes as long as a load's."""
    def measure(seconds):
        turn_ns = round(1e9 / load(0.5, *options)["sent_rate_per_s"])
        slip_us = last_json(run(program("bench/machine_stalls"), str(turn_ns), str(share), str(seconds)))["slip_us"]
        return {"slip_p99": slip_us["p99"]}
    return measure


def replay(*options):
    """A capture of a million datagrams of 64 bytes, 10 us apart, at its own timing. A moment's run has fewer."""
    def measure(seconds):
        with capture(1_000_000 if seconds >= 1 else 10_000, gap_ns=10_000) as file:
            result = load(seconds, "--payload-pcap", file, "--pcap-timing", *options)
        return {"slip_p99": result["slip_us"]["p99"], "lost": result["lost"]}
    return measure


def stalls_at(rate_per_s):
    """The slip of a loop without datagrams that has a microsecond's work at this rate."""
    def measure(seconds):
        slip_us = last_json(run(program("bench/machine_stalls"), "1000", str(rate_per_s / 1e6), str(seconds)))["slip_us"]
        return {"slip_p99": slip_us["p99"]}
    return measure


def limit_pingpong(*anyone):
    def measure(seconds):
        round_trips = str(int(100_000 * seconds))
        rtt = last_json(run(program("bench/kernel_limit"), "pingpong", "64", round_trips, *anyone))["rtt_us"]
        return {"p50": rtt["p50"], "p99": rtt["p99"]}
    return measure


def ringpost_latency(*options):
    def measure(seconds):
        result = last_json(run(program("apps/ringpost"), "latency", "--self", *TWO_CORES, "--json", "--duration",
                               f"{seconds}s", *options))
        return {"p50": result["rtt_us"]["p50"], "p99": result["rtt_us"]["p99"], "p999": result["rtt_us"]["p999"],
                "rate": result["received"] / result["duration_s"], "lost": result["lost"]}
    return measure


def ringpost_pingpong(*options):
    measure_any = ringpost_latency("--ping-pong", "--wait", "spin", *options)

    def measure(seconds):
        result = measure_any(seconds)
        if result["lost"]:
            raise Failed(f"latency {options}: {result['lost']} lost on loopback")
        return result
    return measure


def sessions(window, *options):
    """Sessions of two steps a second, this many at a time; each step is answered by ringpost echo."""
    def measure(seconds):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write('send "first {session:u32be}"\nexpect 6:4 take number=6:4\nsend "second {number}"\nexpect echo\n')
            file.flush()
            result = last_json(run(program("apps/ringpost"), "latency", "--self", *TWO_CORES, "--json", "--scenario",
                                   file.name, "--window", str(window), "--flows", str(window), "--duration",
                                   f"{seconds}s", *options))
        if result["lost"] or any(step["sent"] != result["sent"] for step in result["steps"]):
            raise Failed(f"latency --scenario {options}: sessions that are not complete: {result}")
        return {"rate": result["received"] / result["duration_s"], "p50": result["rtt_us"]["p50"]}
    return measure


@contextlib.contextmanager
def echo_server(*options):
    """ringpost echo on the second core; yields its address."""
    process, port = listening("echo", "--port", "0", "--bind", HOST, *options)
    try:
        yield f"{HOST}:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def found_maximum(command, backend, *options):
    """The rate that --find-max of a command finds for an echo server; none where the machine stalls too much."""
    def measure(seconds):
        with echo_server("--backend", backend) as target:
            result = last_json(run("taskset", "-c", "0", program("apps/ringpost"), command, "--find-max", "--loss",
                                   "1%", "--to", target, "--duration", f"{min(seconds / 4, 0.3)}s", "--json", "--backend",
                                   backend, *options,
                                   accept=(0, 1, 5)))
        return {"rate": result["found_per_s"], "lost": result.get("lost")}
    return measure


def measuring(backend, what):
    """Round trips a second with 64 in flight; `what` is on (each recorded) or off (none)."""
    def measure(seconds):
        return {"rate": last_json(run(program("bench/measuring_cost"), backend, what, str(seconds)))["rate_per_s"]}
    return measure


def reliable_load(*options):
    """gtUDP messages; checks that the sink verified every one, none lost and none twice."""
    def measure(seconds):
        result = last_json(run(program("apps/ringpost"), "load", "--self", *TWO_CORES, "--transport", "gtudp",
                               "--json", "--duration", f"{seconds}s", "--sends", "60", *options))
        wrong = {name: result[name] for name in ("lost", "duplicate", "corrupt", "foreign", "gave_up") if result[name]}
        if wrong or result["confirmed"] != result["sent"]:
            raise Failed(f"load --transport gtudp {options}: {wrong} {result}")
        return {"rate": result["confirmed_per_s"], "p50": result["confirmed_us"]["p50"]}
    return measure


def confirmed_messages(backend):
    def measure(seconds):
        result = last_json(run(program("bench/confirmed_rate"), backend, str(seconds)))
        return {"rate": result["rate_per_s"], "p50": result["rtt_us"]["p50"]}
    return measure


def endpoint_on(driver, backend):
    """64-byte datagrams a second between two endpoints on the loop template or on the public Engine."""
    def measure(seconds):
        return {"rate": last_json(run(program("bench/engine_rate"), backend, driver, str(seconds)))["rate_per_s"]}
    return measure


def through_interface(face, backend):
    """64-byte gtUDP messages in batches through the C++ or the C interface, each confirmed."""
    def measure(seconds):
        return {"rate": last_json(run(program("bench/faces_rate"), face, backend, str(seconds)))["rate_per_s"]}
    return measure


def native(backend, suite, size, connections=1, unit=1):
    """Messages over connections of the native transport, each checked by its receiver: their rate, or with `unit` the
    size, that of their bytes."""
    def measure(seconds):
        # The handshakes of thousands take longer than a moment.
        opened = connections if seconds >= 0.5 else min(connections, 100)
        return {"rate": unit * last_json(run(program("bench/native_rate"), suite, str(size), backend, str(seconds),
                                             str(opened)))["rate_per_s"]}
    return measure


def native_limit(suite, size):
    """The same by a program written for this one purpose."""
    def measure(seconds):
        return {"rate": last_json(run(program("bench/native_limit"), suite, str(size), str(seconds)))["rate_per_s"]}
    return measure


def through_python(backend):
    """The same through the Python package and the shared library of the measured build."""
    def measure(seconds):
        package = os.path.join(ROOT, "engine", "bindings", "python")
        library = program("engine/package/libringpost.so.0")
        return {"rate": last_json(run("env", f"PYTHONPATH={package}", f"RINGPOST_LIBRARY={library}", sys.executable,
                                      os.path.join(ROOT, "bench", "python_rate.py"), backend,
                                      str(seconds)))["rate_per_s"]}
    return measure


def dns_by_ringpost(*options, names=1):
    """More names than one from a file."""
    def measure(seconds):
        with dns_server() as port, dns_names(names) as file:
            preset = "dns:www.bench.test" if names == 1 else f"dns-file:{file}"
            result = last_json(run("taskset", "-c", "0", program("apps/ringpost"), "latency", "--preset", preset,
                                   "--to", f"{HOST}:{port}", "--json", "--duration", f"{seconds}s", *options))
        return {"rate": result["received"] / result["duration_s"], "p50": result["rtt_us"]["p50"],
                "p99": result["rtt_us"]["p99"], "lost": result["lost"]}
    return measure


def peers_of_one_socket(backend, peers):
    """gtUDP from this many addresses in turn; checks that every message arrives once, in its peer's order."""
    def measure(seconds):
        result = last_json(run(program("bench/peers_rate"), backend, str(peers), str(3 * seconds)))
        if result["lost"]:
            raise Failed(f"peers_rate {backend} {peers}: {result}")
        return {"rate": result["rate_per_s"]}
    return measure


def stream(contestant, write_bytes):
    """Bytes and 64-byte messages a second over one TCP connection."""
    def measure(seconds):
        result = last_json(run(program("bench/stream_rate"), contestant, str(write_bytes), str(seconds)))
        return {"bytes": result["bytes_per_s"], "messages": result["messages_per_s"]}
    return measure


def devices(what, backend, *questions_at_once):
    """Named devices: every message and every answer checked."""
    def measure(seconds):
        result = last_json(run(program("bench/devices_rate"), what, backend, str(seconds), *questions_at_once))
        if result["lost"]:
            raise Failed(f"devices_rate {what}: {result}")
        return {"messages" if what == "messages" else "rate": result["rate_per_s"]}
    return measure


def listening(*command):
    """A ringpost server on the second core, and its port."""
    process = subprocess.Popen(["taskset", "-c", "1", program("apps/ringpost"), *command, "--json"], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return process, json.loads(process.stdout.readline())["port"]


def through_relay(loss):
    """gtUDP through a relay that loses datagrams; checks that every message arrives once. `over_minimum` is the number
    of datagrams over 3 / (1 - loss) for each message, the number needed if each end learnt of every loss at once."""
    def measure(seconds):
        sends = ("--sends", "60", "--recv-sends", "60")
        sink, sink_port = listening("sink", "--transport", "gtudp", "--port", "0", "--bind", HOST, *sends)
        relay, relay_port = listening("relay", "--listen", "0", "--bind", HOST, "--to", f"{HOST}:{sink_port}", "--loss",
                                      f"{loss}%", "--delay", "10ms")
        try:
            sent = last_json(run("taskset", "-c", "0", program("apps/ringpost"), "load", "--transport", "gtudp", "--to",
                                 f"{HOST}:{relay_port}", "--rate", "10k", "--duration", f"{seconds}s", "--json",
                                 *sends))
        finally:
            ends = []
            for process in (sink, relay):
                process.send_signal(signal.SIGINT)
                ends.append(last_json(process.communicate(timeout=20)[0]))
        received = ends[0]
        if sent["confirmed"] != sent["sent"] or received["received"] != sent["sent"] or received["duplicate"]:
            raise Failed(f"relay at {loss} %: sent {sent['sent']}, confirmed {sent['confirmed']}, "
                         f"received {received['received']}, twice {received['duplicate']}")
        datagrams = sent["data_sent"] + sent["ack_sent"] + received["recv_sent"]
        return {"over_minimum": datagrams * (1 - loss / 100) / (3 * sent["sent"]), "p50": sent["confirmed_us"]["p50"],
                "p99": sent["confirmed_us"]["p99"]}
    return measure


def idle(backend, mode):
    def measure(seconds):
        process = subprocess.Popen([program("apps/ringpost"), "sink", "--port", "0", "--bind", HOST, "--json",
                                    "--wait", mode, "--backend", backend],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        clock = os.sysconf("SC_CLK_TCK")

        def ticks():
            fields = open(f"/proc/{process.pid}/stat").read().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])
        time.sleep(0.3)
        before = ticks()
        time.sleep(seconds)
        used = ticks() - before
        process.send_signal(signal.SIGTERM)
        process.wait()
        return {"cpu": 100 * used / clock / seconds}
    return measure


def idle_among_devices(backend):
    """A node that is connected to three others, each a host of its own: a network namespace on a bridge."""
    def cpu_ns(pid):
        tasks = f"/proc/{pid}/task"
        return sum(int(open(f"{tasks}/{task}/schedstat").read().split()[0]) for task in os.listdir(tasks))

    def measure(seconds):
        sys.path.append(os.path.join(ROOT, "tests", "e2e"))
        import support
        try:
            segment = support.Segment(4)
        except unittest.SkipTest as reason:
            print(f"{backend}: {reason}", file=sys.stderr)
            return {}
        support.binary = program("apps/ringpost")
        with contextlib.ExitStack() as stack:
            stack.callback(segment.close)
            node, *_ = [stack.enter_context(host.call(lambda name=name: support.Background(
                            "node", "--name", name, "--json", "--backend", backend, stdin=subprocess.PIPE)))
                        for name, host in zip(("one", "two", "three", "four"), segment.hosts)]
            for _ in range(3):
                node.event("connected")
            time.sleep(0.5)
            before = cpu_ns(node.process.pid)
            time.sleep(seconds)
            return {"cpu": 100 * (cpu_ns(node.process.pid) - before) / (seconds * 1e9)}
    return measure
