"""relay between Python sockets: forwarding, impairments, the report, and invalid usage."""

import contextlib
import resource
import signal
import time
import unittest

from support import Background, EchoThread, backends, die_with_parent, run, udp_socket, until_read

directions = ("to_target", "to_client")


def host_port(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def relay(target, *args, host="127.0.0.1"):
    """A relay to a Python socket, listening on the same host."""
    return Background("relay", "--listen", 0, "--bind", host, "--to", host_port(host, target.getsockname()[1]),
                      "--json", *args)


def numbered(count, size=20):
    return [i.to_bytes(4, "little") * (size // 4) for i in range(count)]


def waiting(sock):
    """Everything that can be read without blocking."""
    sock.settimeout(0)
    got = []
    with contextlib.suppress(BlockingIOError):
        while True:
            got.append(sock.recv(65536))
    return got


class Relay(unittest.TestCase):
    def balanced(self, summary):
        arrived, left = 0, summary["held"]
        for direction in directions:
            counts = summary[direction]
            arrived += counts["received"] + counts["duplicated"]
            left += sum(counts[name] for name in ("forwarded", "lost", "burst_lost", "blackholed", "overflow",
                                                  "abandoned", "refused", "hops_exhausted"))
        self.assertEqual(arrived, left, summary)


class Passing(Relay):
    def test_forwards_everything_in_order_both_ways(self):
        for backend in backends():
            for host in ("127.0.0.1", "::1"):
                with self.subTest(f"{backend} {host}"), udp_socket(host) as target, \
                        relay(target, "--backend", backend, host=host) as process:
                    port = process.port()
                    clients = [udp_socket(host) for _ in range(3)]
                    sources = []
                    for number, client in enumerate(clients):
                        for text in (b"hello", b"", bytes([number]) * 1400):
                            client.sendto(text, (host, port))
                            got, source = target.recvfrom(65536)
                            self.assertEqual(got, text)
                        sources.append(source)
                        self.assertEqual(process.event("client")["address"],
                                         host_port(host, client.getsockname()[1]))
                    self.assertEqual(len({source[1] for source in sources}), 3, "a socket per client")
                    for number, (client, source) in enumerate(zip(clients, sources)):
                        for text in (bytes([number]) * 30, b"", b"y" * 65507):
                            target.sendto(text, source)
                            answer, answerer = client.recvfrom(65536)
                            self.assertEqual((answer, answerer[:2]), (text, (host, port)))
                    for text in numbered(200):
                        clients[0].sendto(text, (host, port))
                    self.assertEqual([target.recv(65536) for _ in range(200)], numbered(200))
                    for text in numbered(200, 40):
                        target.sendto(text, sources[1])
                    self.assertEqual([clients[1].recv(65536) for _ in range(200)], numbered(200, 40))
                    summary = process.stop().summary()
                    self.balanced(summary)
                    self.assertEqual(summary["to_target"]["forwarded"], 209)
                    self.assertEqual(summary["to_client"]["forwarded"], 209)
                    self.assertEqual((summary["clients"], summary["held"]), (3, 0))
                    self.assertEqual(summary["backend"], backend)
                    for client in clients:
                        client.close()

    def test_ipv4_clients_reach_an_ipv6_target_through_a_relay_on_all_addresses(self):
        with EchoThread("::1") as echo, \
                Background("relay", "--listen", 0, "--to", f"[::1]:{echo.port}", "--json") as process, \
                udp_socket() as client:
            client.sendto(b"across", ("127.0.0.1", process.port()))
            self.assertEqual(client.recv(100), b"across")

    def test_evicts_the_least_recently_active_client(self):
        most, more = 512, 20
        for backend in backends():
            with self.subTest(backend), contextlib.ExitStack() as opened, udp_socket() as target, \
                    relay(target, "--backend", backend) as process:
                port = process.port()
                clients = [opened.enter_context(udp_socket()) for _ in range(most + more)]
                sources = []
                for number, client in enumerate(clients):
                    client.sendto(number.to_bytes(2, "little"), ("127.0.0.1", port))
                    text, source = target.recvfrom(100)
                    self.assertEqual(text, number.to_bytes(2, "little"))
                    sources.append(source)
                for client in clients[:more]:
                    self.assertEqual(process.event("client_removed")["address"],
                                     host_port(*client.getsockname()))
                for client, source in list(zip(clients, sources))[more:]:
                    target.sendto(b"still here", source)
                    self.assertEqual(client.recv(100), b"still here")
                summary = process.stop().summary()
                self.balanced(summary)
                self.assertEqual((summary["clients"], summary["clients_forgotten"]), (most + more, more))

    def test_fewer_clients_where_few_files_may_be_open(self):
        def few_files():
            die_with_parent()
            resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

        for backend in backends():
            with self.subTest(backend), contextlib.ExitStack() as opened, udp_socket() as target, \
                    Background("relay", "--listen", 0, "--to", host_port(*target.getsockname()), "--backend", backend,
                               "--json", preexec=few_files) as process:
                port = process.port()
                for number in range(60):
                    client = opened.enter_context(udp_socket())
                    client.sendto(b"x", ("127.0.0.1", port))
                    target.recv(100)
                summary = process.stop().summary()
                self.assertEqual((summary["clients"], summary["clients_forgotten"], summary["clients_refused"]), (60, 28, 0))

    def test_target_that_starts_later(self):
        with udp_socket() as target:
            address = target.getsockname()
            process = relay(target)
        with process, udp_socket() as client:
            port = process.port()
            client.sendto(b"too early", ("127.0.0.1", port))
            process.event("client")
            with udp_socket(*address) as target:
                target.settimeout(0.05)
                for _ in range(200):  # the first may be lost to a pending port unreachable error
                    client.sendto(b"in time", ("127.0.0.1", port))
                    with contextlib.suppress(TimeoutError):
                        if target.recv(100) == b"in time":
                            return
                self.fail("nothing arrived")


class Impaired(Relay):
    def forwarded(self, count, *args, size=20):
        """Relays `count` numbered datagrams; returns those forwarded and the counts of that direction."""
        with udp_socket() as target, relay(target, *args) as process, udp_socket() as client:
            address = ("127.0.0.1", process.port())
            texts, got = numbered(count, size), []
            for start in range(0, count, 50):  # in small groups, so that no receive buffer overflows
                for text in texts[start:start + 50]:
                    client.sendto(text, address)
                until_read(address[1])
                got += waiting(target)
            summary = process.stop().summary()
            got += waiting(target)
            self.balanced(summary)
            self.assertEqual(summary["to_target"]["received"], count)
            self.assertEqual(summary["to_target"]["forwarded"], len(got))
            return got, summary["to_target"]

    def test_loss_is_near_its_setting_and_keeps_the_order(self):
        got, counts = self.forwarded(5_000, "--loss", "5%", "--seed", 1)
        self.assertEqual(counts["lost"], 5_000 - len(got))
        self.assertTrue(150 < counts["lost"] < 350, counts)
        self.assertEqual(got, sorted(got, key=lambda text: int.from_bytes(text[:4], "little")))

    def test_bursts_are_lost_in_a_row(self):
        got, counts = self.forwarded(3_000, "--burst-loss", "1%,10", "--seed", 2)
        arrived = {int.from_bytes(text[:4], "little") for text in got}
        self.assertEqual(counts["burst_lost"], 3_000 - len(got))
        self.assertGreater(counts["burst_lost"], 50)
        run_length = 0
        for i in range(3_000):
            if i in arrived:
                self.assertEqual(run_length % 10, 0)
                run_length = 0
            else:
                run_length += 1

    def test_duplicates_follow_their_originals(self):
        got, counts = self.forwarded(1_000, "--duplicate", "10%", "--seed", 3)
        self.assertEqual(len(got), 1_000 + counts["duplicated"])
        self.assertTrue(50 < counts["duplicated"] < 150, counts)
        self.assertEqual(sorted(set(got)), sorted(numbered(1_000)))

    def test_corruption_flips_one_to_three_bits(self):
        got, counts = self.forwarded(1_000, "--corrupt", "20%", "--seed", 4)
        changed = 0
        for sent, arrived in zip(numbered(1_000), got):
            flipped = (int.from_bytes(sent, "little") ^ int.from_bytes(arrived, "little")).bit_count()
            self.assertLessEqual(flipped, 3)
            changed += flipped > 0
        self.assertEqual(changed, counts["corrupted"])
        self.assertTrue(120 < changed < 280, counts)

    def test_the_same_seed_loses_the_same_datagrams(self):
        first, again, other = (self.forwarded(500, "--loss", "20%", "--seed", seed)[0] for seed in (7, 7, 8))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_delay_applies_both_ways(self):
        with EchoThread() as echo, udp_socket() as client, \
                relay(echo.socket, "--delay", "30ms", "--jitter", "5ms") as process:
            port = process.port()
            for i in range(5):
                sent_at = time.monotonic()
                client.sendto(bytes([i]), ("127.0.0.1", port))
                self.assertEqual(client.recv(100), bytes([i]))
                self.assertGreaterEqual(time.monotonic() - sent_at, 0.060)

    def test_delay_keeps_the_order(self):
        with udp_socket() as target, udp_socket() as client, relay(target, "--delay", "20ms") as process:
            port = process.port()
            for text in numbered(200):
                client.sendto(text, ("127.0.0.1", port))
            self.assertEqual([target.recv(100) for _ in range(200)], numbered(200))

    def test_a_reordered_datagram_is_overtaken(self):
        with udp_socket() as target, udp_socket() as client, \
                relay(target, "--reorder", "10%", "--seed", 5) as process:
            port = process.port()
            for text in numbered(200):
                client.sendto(text, ("127.0.0.1", port))
            got = [target.recv(100) for _ in range(200)]
            self.assertEqual(sorted(got), sorted(numbered(200)))
            self.assertNotEqual(got, numbered(200))

    def test_rate_limit_spaces_datagrams_and_drops_on_overflow(self):
        with udp_socket() as target, udp_socket() as client, relay(target, "--rate", "800kbit") as process:
            port = process.port()
            began = time.monotonic()
            for text in numbered(200, 972):  # 10 ms each including headers, so eleven fit the queue of 100 ms
                client.sendto(text, ("127.0.0.1", port))
            got = [target.recv(2000) for _ in range(11)]
            self.assertGreaterEqual(time.monotonic() - began, 0.100)
            self.assertEqual(got, numbered(200, 972)[:11])
            counts = process.stop().summary()["to_target"]
            self.assertGreater(counts["overflow"], 0)

    def test_blackhole(self):
        got, counts = self.forwarded(100, "--blackhole", "1h,1ns")
        self.assertEqual((got, counts["blackholed"]), ([], 100))
        got, counts = self.forwarded(100, "--blackhole", "1h,1h")
        self.assertEqual((len(got), counts["blackholed"]), (100, 0))


class Ending(Relay):
    def test_signals_print_the_report_and_set_the_exit_code(self):
        for by, code in ((signal.SIGINT, 130), (signal.SIGTERM, 0)):
            for backend in backends():
                with self.subTest(f"{by.name} {backend}"), Background(
                        "relay", "--listen", 0, "--to", "127.0.0.1:9", "--backend", backend, "--json") as process:
                    process.port()
                    done = process.stop(by)
                    self.assertEqual(done.code, code, done)
                    self.assertEqual(done.summary()["clients"], 0)

    def test_text_report(self):
        with udp_socket() as target, udp_socket() as client, Background(
                "relay", "--listen", 0, "--to", host_port(*target.getsockname()), "--seed", 42) as process:
            note = process.process.stderr.readline()
            self.assertRegex(note, r"^ringpost: relay listening on all addresses, port \d+\n$")
            client.sendto(b"x", ("127.0.0.1", int(note.split()[-1])))
            target.recv(10)
            done = process.stop()
            self.assertIn("to the target:  received 1  forwarded 1  lost 0", done.out)
            self.assertIn("seed 42", done.out)

    def test_summary_members(self):
        with udp_socket() as target, relay(target) as process:
            process.port()
            summary = process.stop().summary()
            for name in ("held", "clients", "clients_forgotten", "clients_refused", "socket_dropped", "seed",
                         "duration_s", "backend", "gso", "gro", "send_failed", "unreachable"):
                self.assertIn(name, summary)
            for direction in directions:
                self.assertEqual(list(summary[direction]), [
                    "received", "forwarded", "lost", "burst_lost", "blackholed", "duplicated", "corrupted",
                    "reordered", "overflow", "abandoned", "refused", "hops_exhausted"])


class BadInput(unittest.TestCase):
    def refused(self, line, *named, code=2):
        with self.subTest(line):
            done = run("relay", *line.split())
            self.assertEqual((done.code, done.out), (code, ""), done)
            self.assertEqual(len(done.err.splitlines()), 1, done)
            for part in named:
                self.assertIn(part, done.err, done)

    def test_invalid_options(self):
        there = "--listen 0 --to 127.0.0.1:9"
        self.refused("--to 127.0.0.1:9", "--listen")
        self.refused("--listen 0", "--to")
        self.refused("--listen 65536 --to 127.0.0.1:9", "--listen", "65536")
        self.refused("--listen 0 --to 127.0.0.1", "--to", "127.0.0.1")
        self.refused("--listen 0 --to nosuchhost.invalid:1", "--to", "nosuchhost.invalid", code=4)
        for option in ("--loss", "--reorder", "--duplicate", "--corrupt"):
            for share in ("5", "101%", "-1%", "x%", "%", "nan%", "1e9%", "5%%"):
                self.refused(f"{there} {option} {share}", option, share)
        for burst in ("1%", "5", "1%,0", "1%,x", "200%,5", "1%,5,6", ",5", "1%,"):
            self.refused(f"{there} --burst-loss {burst}", "--burst-loss", burst)
        for periods in ("1s", "1s,", ",1s", "0s,1s", "1s,0s", "1s,2", "1s,1s,1s"):
            self.refused(f"{there} --blackhole {periods}", "--blackhole", periods)
        for rate in ("0", "100", "0Mbit", "100M", "-1kbit", "x", "2000Gbit", "0.1bit"):
            self.refused(f"{there} --rate {rate}", "--rate", rate)
        for option in ("--delay", "--jitter"):
            for duration in ("5", "-1ms", "x", "1e3ms"):
                self.refused(f"{there} {option} {duration}", option, duration)
        for seed in ("-1", "x", "1.5", "18446744073709551616"):
            self.refused(f"{there} --seed {seed}", "--seed", seed)

    def test_port_in_use_and_relay_as_its_own_target(self):
        with udp_socket() as sock:
            port = sock.getsockname()[1]
            self.refused(f"--listen {port} --bind 127.0.0.1 --to 127.0.0.1:9", "--listen", str(port), "in use")
        self.refused(f"--listen {port} --bind 127.0.0.1 --to 127.0.0.1:{port}", "--to", str(port), "itself")
