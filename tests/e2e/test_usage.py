"""Help, and invalid usage: one line that names the option and the value, and the exit code."""

import subprocess
import unittest

import support
from support import Network, run, udp_socket

commands = ("load", "sink", "latency", "echo", "beacon", "relay")
resolution = 4
usage = 2
PR_CAPBSET_DROP, CAP_NET_BIND_SERVICE = 24, 10


class Help(unittest.TestCase):
    def test_every_subcommand_has_help(self):
        for args in ((), *((command,) for command in commands)):
            done = run(*args, "--help")
            self.assertEqual((done.code, done.err), (0, ""), done)
            self.assertIn("Usage:", done.out)
        for command in commands:
            self.assertIn(command, run("--help").out)

    def test_help_lists_the_options(self):
        options = {
            "load": ("--to", "--self", "--size", "--rate", "--duration", "--flows", "--gso", "--gro",
                     "--i-own-this-network"),
            "sink": ("--port", "--bind", "--join", "--one-way", "--bidirectional"),
            "latency": ("--to", "--self", "--size", "--rate", "--ping-pong", "--window", "--arrivals", "--seed", "--warmup",
                        "--count", "--duration", "--wait", "--strict", "--fail-if",
                        "--i-own-this-network"),
            "echo": ("--port", "--join"),
            "beacon": ("--port", "--bind", "--to", "--every", "--quote", "--advertise", "--count", "--duration"),
            "relay": ("--listen", "--to", "--bind", "--loss", "--burst-loss", "--blackhole", "--delay", "--jitter",
                      "--reorder", "--duplicate", "--corrupt", "--rate", "--seed"),
        }
        for command, names in options.items():
            text = run(command, "--help").out
            for name in (*names, "--json", "--backend"):
                self.assertIn(name, text, command)

    def test_version(self):
        done = run("--version")
        self.assertEqual(done.code, 0)
        self.assertRegex(done.out, r"^ringpost \d+\.\d+\.\d+( \([0-9a-f]{7,40}(-dirty)?\))?\n$")
        self.assertEqual(run("-v").out, done.out)

    def test_help_as_a_subcommand(self):
        self.assertEqual(run("help").out, run("--help").out)
        done = run("help", "message", "send")
        self.assertEqual((done.code, done.out), (0, run("message", "send", "--help").out))


class BadInput(unittest.TestCase):
    def refused(self, line, *named, code=usage):
        """The command fails with `code` and one short line on standard error that contains all of `named`."""
        with self.subTest(line):
            done = run(*line.split())
            self.assertEqual((done.code, done.out), (code, ""), done)
            self.assertEqual(len(done.err.splitlines()), 1, done)
            self.assertLess(len(done.err), 200, done)
            self.assertNotIn("terminate", done.err)
            for part in named:
                self.assertIn(part, done.err, done)

    def test_missing_or_unknown_subcommand(self):
        self.refused("", "subcommand", "load")
        self.refused("--bogus", "--bogus")
        self.refused("lod --self", "lod", "did you mean load?")
        self.refused("help lod", "lod", "did you mean load?")
        self.refused("load --self --duratoin 1s", "--duratoin", "did you mean --duration?")
        self.refused("load --self --bogus", "--bogus")
        self.refused("sink --port 0 extra", "extra")

    def test_missing_options(self):
        self.refused("load", "--to", "--self")
        self.refused("latency", "--to", "--self")
        self.refused("sink", "--port")
        self.refused("echo", "--port")
        self.refused("beacon", "--port", "--to")
        self.refused("load --self --duration", "--duration")

    def test_unknown_hosts(self):
        for command in ("load", "latency", "beacon"):
            self.refused(f"{command} --to nosuchhost.invalid:1", "--to", "nosuchhost.invalid", code=resolution)
        for command in ("relay --listen 0", "send x", "message send x", "message chat"):
            self.refused(f"{command} --to nosuchhost.invalid:1", "--to", "nosuchhost.invalid", code=resolution)
        for command in ("node --name a", "discover"):
            self.refused(f"{command} --seed nosuchhost.invalid", "--seed", "nosuchhost.invalid", code=resolution)
        for command in ("echo --port 0", "recv --port 0", "message listen", "beacon --port 0"):
            self.refused(f"{command} --bind nosuchhost.invalid", "--bind", "nosuchhost.invalid", code=resolution)
        self.refused("sink --port 0 --bind nosuchhost.invalid", "--bind", "nosuchhost.invalid", code=resolution)
        self.refused("beacon --to 127.0.0.1:9 --advertise nosuchhost.invalid", "--advertise", "nosuchhost.invalid",
                     code=resolution)

    def test_targets(self):
        for target in ("127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:http", "127.0.0.1:-1",
                       "::1:5", "[::1]", "[::1:5", "[::1]5"):
            for command in ("load", "latency", "beacon"):
                self.refused(f"{command} --to {target}", "--to", target.strip("[]"))

    def test_sizes(self):
        for size in ("0", "65508", "64k", "1M", "-1", "x", "64q", "1.5", "0x10", "0X20", "1e99", "inf", "nan"):
            self.refused(f"load --self --size {size}", "--size", size)
            self.refused(f"latency --self --size {size}", "--size", size)
        self.refused("load --self --size 23", "--size", "23", "24")
        self.refused("latency --self --size 23", "--size", "23", "24")

    def test_rates(self):
        for rate in ("0", "-5", "fast", "inf", "nan", "0x10", "1e400", "5q", "0k"):
            self.refused(f"load --self --rate {rate}", "--rate", rate)
            self.refused(f"latency --self --rate {rate}", "--rate", rate)
        self.refused("latency --self --rate max", "--rate", "max")

    def test_durations(self):
        for duration in ("0", "0s", "5", "-1s", "5x", "forever", "1e99s", "nan", "s", "5 s".replace(" ", "_")):
            for command in ("load --self", "latency --self", "beacon --port 0"):
                self.refused(f"{command} --duration {duration}", "--duration", duration)
            self.refused(f"beacon --to 127.0.0.1:9 --every {duration}", "--every", duration)

    def test_counts_and_flows(self):
        for count in ("0", "-3", "x", "1.5"):
            self.refused(f"latency --self --count {count}", "--count", count)
            self.refused(f"beacon --to 127.0.0.1:9 --count {count}", "--count", count)
            self.refused(f"load --self --flows {count}", "--flows", count)
        self.refused("load --self --flows 65537", "--flows", "65537")

    def test_choices(self):
        for command in ("load --self", "latency --self", "sink --port 0", "echo --port 0", "beacon --port 0"):
            self.refused(f"{command} --backend kqueue", "--backend", "kqueue", "uring", "mmsg")
        self.refused("load --self --gso maybe", "--gso", "maybe", "auto", "off")
        self.refused("sink --port 0 --gro 1", "--gro", "1")
        self.refused("latency --self --wait never", "--wait", "never", "spin", "block", "adaptive")

    def test_options_that_exclude_each_other(self):
        self.refused("load --self --to 127.0.0.1:9", "--self", "--to")
        self.refused("latency --self --to 127.0.0.1:9", "--self", "--to")
        self.refused("latency --self --rate 5 --ping-pong", "--rate", "--ping-pong")
        self.refused("latency --self --count 5 --duration 1s", "--count", "--duration")
        self.refused("latency --self --rate 5 --window 2", "--rate", "--window")
        self.refused("latency --self --p99 1ms", "--p99", "--find-max")
        self.refused("latency --self --find-max --sweep", "--find-max", "--sweep")
        self.refused("latency --self --sweep --repeat 3", "--repeat", "--sweep")
        self.refused("latency --self --repeat 3 --out somewhere", "--out", "--repeat")
        for other in ("--rate 5", "--window 2", "--ping-pong", "--count 5", "--strict"):
            self.refused(f"latency --self --sweep {other}", other.split()[0], "--sweep")
        self.refused("latency --self --window 0", "--window", "0", "65536")
        self.refused("latency --self --ping-pong --arrivals poisson", "--arrivals", "closed loop")
        self.refused("latency --self --arrivals even", "--arrivals", "even", "fixed", "poisson")
        self.refused("load --self --arrivals poisson", "--arrivals", "--rate")
        self.refused("load --self --burst 5", "--burst", "--rate")
        self.refused("latency --self --window 2 --burst 5", "--burst", "closed loop")
        self.refused("latency --self --rate 5 --profile none.csv", "--profile", "--rate")
        self.refused("latency --self --profile none.csv", "--profile", "none.csv", "No such file")
        for condition in ("p99", ">5us", "p98>5us", "p99>5", "loss>5", "rate<max"):
            for command in ("load", "latency"):
                self.refused(f"{command} --self --fail-if {condition}", "--fail-if", condition)

    def test_ports(self):
        for port in ("65536", "-1", "x", "1.5"):
            for command in ("sink", "echo", "beacon"):
                self.refused(f"{command} --port {port}", "--port", port)

    def test_port_in_use(self):
        with udp_socket() as sock:
            port = sock.getsockname()[1]
            # Each waits a second for the port.
            self.refused(f"sink --port {port}", "--port", str(port), "in use")
            self.refused(f"beacon --port {port} --bind 127.0.0.1", "--port", f"127.0.0.1:{port}", "in use")
        with udp_socket("::1") as sock:
            port = sock.getsockname()[1]
            self.refused(f"echo --port {port} --bind ::1", "--port", f"[::1]:{port}", "in use")

    def test_privileged_port(self):
        def without_the_capability():
            support.die_with_parent()
            support.libc.prctl(PR_CAPBSET_DROP, CAP_NET_BIND_SERVICE)

        for bind in ("127.0.0.1", "::1"):
            done = run("echo", "--port", 7, "--bind", bind, preexec=without_the_capability)
            self.assertEqual((done.code, done.out, len(done.err.splitlines())), (usage, "", 1), done)
            for part in ("--port 7", bind, "Permission denied", "CAP_NET_BIND_SERVICE"):
                self.assertIn(part, done.err)

    def test_address_of_another_host(self):
        for command in ("sink", "echo", "beacon"):
            self.refused(f"{command} --port 0 --bind 192.0.2.7", "--bind 192.0.2.7: is not an address of this host")
            self.refused(f"{command} --port 0 --bind 2001:db8::7", "--bind 2001:db8::7: is not an address of this host")

    def test_invalid_beacon_addresses(self):
        self.refused("beacon --to 127.0.0.1:9 --advertise ::1", "--advertise", "::1")
        self.refused("beacon --to [::1]:9 --bind 127.0.0.1", "--to", "[::1]:9")

    def test_invalid_quotes(self):
        for quote in (b"\xff\xfe", b"q" * 65490):
            command = [support.binary, "beacon", "--to", "127.0.0.1:9", "--quote", quote]
            done = subprocess.run(command, capture_output=True)
            self.assertEqual((done.returncode, done.stdout), (usage, b""))
            self.assertIn(b"--quote", done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1)


class ForeignTargets(unittest.TestCase):
    public = ("192.0.2.1:9", "8.8.8.8:53", "172.32.0.1:9", "[2001:db8::1]:9", "224.0.0.1:9", "255.255.255.255:9")

    def test_public_targets_are_refused(self):
        for command in ("load", "latency"):
            for target in self.public:
                done = run(command, "--to", target)
                self.assertEqual((done.code, done.out), (2, ""), done)
                self.assertEqual(len(done.err.splitlines()), 1, done)
                for part in ("--to", target, "--i-own-this-network"):
                    self.assertIn(part, done.err)

    def test_nothing_is_sent_to_a_refused_target(self):
        def sent_ever():
            with open("/proc/thread-self/net/snmp") as lines:
                names, values = (line.split() for line in lines if line.startswith("Udp:"))
            return int(values[names.index("OutDatagrams")])

        network = Network()
        network.ip("link set lo up")
        network.ip("route add default dev lo")  # a datagram would be routable
        try:
            for command in ("load", "latency"):
                done = network.call(lambda command=command: run(command, "--to", "192.0.2.1:9"))
                self.assertEqual(done.code, 2, done)
            self.assertEqual(network.call(sent_ever), 0)
        finally:
            network.close()

    def test_option_allows_public_targets(self):
        network = Network()
        network.ip("link set lo up")
        network.ip("route add default dev lo")
        try:
            done = network.call(lambda: run("load", "--to", "192.0.2.1:9", "--i-own-this-network", "--rate", 100,
                                            "--duration", "50ms", "--json"))
            self.assertEqual(done.code, 0, done)
            self.assertGreater(done.summary()["sent"], 0)
        finally:
            network.close()
