"""Named devices on hosts that are network namespaces on a bridge: ringpost and independent peers."""

import contextlib
import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import unittest

import devices_peer
from support import Background, Segment, backends, parse_events, patience_s, run, until

segment = None
hosts_max = 8


def setUpModule():
    global segment
    segment = Segment(hosts_max)


def tearDownModule():
    if segment:
        segment.close()


class Node(Background):
    """A running `ringpost node`. expect() takes events in any order and keeps those it skips."""

    def __init__(self, name, *args):
        until(port_is_free, "the port is free: io_uring releases it shortly after its process was killed")
        super().__init__("node", "--name", name, "--json", *args, stdin=subprocess.PIPE)
        self.name = name
        self.kept = []
        try:
            self.expect("listening")
        except BaseException:
            self.__exit__()
            raise

    def write(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def expect(self, wanted, /, **fields):
        """The oldest event of this name with these fields that was not taken yet."""

        def matches(event):
            return event["event"] == wanted and all(event[key] == value for key, value in fields.items())

        for at, event in enumerate(self.kept):
            if matches(event):
                return self.kept.pop(at)
        while True:
            (event,) = parse_events(self.line())
            if matches(event):
                return event
            self.kept.append(event)

    def ask(self, names, text):
        """Maps each name to its answer, or to (reason,)."""
        self.write(f"ask {names} {text}")
        answers = self.expect("answers", question=text)["answers"]
        return {answer["name"]: answer["text"] if answer["reply"] == "answered" else (answer["reply"],)
                for answer in answers}

    def peers(self):
        self.write("peers")
        return {peer["name"]: peer for peer in self.expect("peers")["peers"]}

    def quit(self):
        self.write("quit")
        done = self.finish()
        assert done.code == 0, done
        return done.summary()


def port_is_free():
    try:
        socket.create_server(("", devices_peer.TCP_PORT)).close()
    except OSError:
        return False
    return True


def node(host, name, *args):
    """Starts a node. The timeouts are longer than usual because a stalled machine may delay an answer for seconds."""
    if "--ask-timeout" not in args:
        args += ("--ask-timeout", "20s")
    if "--answer" in args and "--answer-timeout" not in args:
        args += ("--answer-timeout", "20s")
    return segment.hosts[host].call(lambda: Node(name, *args))


def peer(host, name, **options):
    def start():
        until(port_is_free, "the port is free")
        return devices_peer.Peer(name, segment.hosts[host].address, **options)

    return segment.hosts[host].call(start)


def on(host, *args):
    return segment.hosts[host].call(lambda: run(*args))


def introduce(*nodes):
    for each in nodes:
        for other in nodes:
            if each is not other:
                each.expect("connected", name=other.name)


class ForeignPeer(unittest.TestCase):
    """A device that behaves like the original implementation of the format."""

    def whole_burst(self, sender, receiver, round_of_it):
        """A few messages sent at once arrive in order; True if the receiver has dropped none."""
        texts = [f"{round_of_it}.{i} čau 🙂" for i in range(4)] + ["", f"end {round_of_it}"]
        for text in texts:
            sender.write(f"send {receiver.name} {text}")
        got = []
        while not got or got[-1] != texts[-1]:
            try:
                name, text = receiver.messages.get(timeout=10)
            except devices_peer.queue.Empty:  # the last message was dropped
                return False
            self.assertEqual(name, sender.name)
            got.append(text)
        self.assertEqual(got, [text for text in texts if text in got], "in order and once each")
        return got == texts

    def test_both_roles(self):
        for backend in backends():
            for foreign in ("aaa", "zzz"):  # aaa connects, zzz accepts
                with self.subTest(f"{foreign} {backend}"), \
                        node(0, "ours", "--backend", backend, "--answer", "rev") as ours, peer(1, foreign) as theirs:
                    ours.expect("appeared", name=foreign, address=f"10.78.0.2:{devices_peer.GROUP_PORT}")
                    ours.expect("connected", name=foreign)
                    self.assertEqual(theirs.events.get(timeout=patience_s), ("connected", "ours"))
                    # The peer drops what follows a frame in the same read. A busy machine may delay its reads
                    # sometimes, but it drops every burst only if the frames are sent without gaps.
                    self.assertTrue(any(self.whole_burst(ours, theirs, i) for i in range(20)))
                    for i in range(200):
                        theirs.send("ours", f"{i} {'x' * (i * 2)}")
                    for i in range(200):
                        self.assertEqual(ours.expect("message")["text"], f"{i} {'x' * (i * 2)}")
                    for question in ("stressed", "x" * 400, "ž 🙂"):
                        self.assertEqual(theirs.ask("ours", question, patience_s), question[::-1])
                        self.assertEqual(ours.ask(foreign, question), {foreign: question.upper()})
                    self.assertFalse(ours.peers()[foreign]["ringpost"])
                    ours.write(f"send {foreign} {'x' * 512}")
                    self.assertEqual(ours.expect("sent", result="too large")["name"], foreign)
                    self.assertEqual(ours.ask(foreign, "x" * 512), {foreign: ("too large",)})
                    self.assertEqual(theirs.events.qsize(), 0, "no unknown frames, one connection")

    def test_goodbyes(self):
        for foreign in ("aaa", "zzz"):
            with node(0, "ours") as ours:
                with peer(1, foreign) as theirs:
                    ours.expect("connected", name=foreign)
                    # An advert that arrives after the goodbye would announce the device again.
                    self.assertTrue(theirs.announced.wait(patience_s))
                    ours.ask(foreign, "everything sent before has arrived")
                ours.expect("disconnected", name=foreign, cause="goodbye")
                ours.expect("gone", name=foreign)
                self.assertEqual(ours.peers(), {})
                with peer(1, foreign) as theirs:
                    self.assertEqual(theirs.events.get(timeout=patience_s), ("connected", "ours"))
                    ours.expect("connected", name=foreign)
                    self.assertEqual(ours.quit()["ended"], {"goodbye": 1, "closed": 1})
                    self.assertEqual(theirs.events.get(timeout=patience_s), ("closed", "ours"))

    def test_peer_that_does_not_answer(self):
        with node(0, "ours", "--ask-timeout", "50ms") as ours, node(1, "mute"), \
                peer(2, "slow", answer=lambda text: text.strip("x")) as slow:
            ours.expect("connected", name="slow")
            ours.expect("connected", name="mute")
            held = slow.lock
            slow.answer = lambda text: held.acquire() and held.release() or "late"
            with held:
                self.assertEqual(ours.ask("slow,mute,absent", "well"),
                                 {"slow": ("timed out",), "mute": ("timed out",), "absent": ("not connected",)})
            until(lambda: ours.ask("slow", "and now") == {"slow": "late"}, "it answers again")
            summary = ours.quit()
            self.assertGreaterEqual(summary["answers_late"], 1)

    def test_a_ping_keeps_the_group_membership(self):
        with node(0, "ours") as ours, peer(1, "aaa") as theirs:
            ours.expect("connected", name="aaa")
            self.assertEqual(theirs.events.get(timeout=patience_s), ("connected", "ours"))
            theirs.connections["ours"].send(devices_peer.MESSAGE, "a ping as the first frame would identify ringpost")
            theirs.connections["ours"].send(devices_peer.PING)
            theirs.send("ours", "last message")
            ours.expect("message", text="last message")
            with node(2, "third") as third:
                introduce(ours, third)
            self.assertEqual(ours.quit()["pings_received"], 1)

    def test_adverts_and_pings_keep_a_peer(self):
        with node(0, "ours", "--period", "200ms") as ours, peer(1, "aaa", period_s=0.2) as theirs:
            ours.expect("connected", name="aaa")
            seen = theirs.seen_at["ours"]
            until(lambda: theirs.seen_at.get("ours", seen) > seen + 1.5, "adverts continue")
            self.assertEqual(theirs.events.get(timeout=patience_s), ("connected", "ours"))
            theirs.period_s = 3600  # it stops announcing itself but answers on its connection
            ours.expect("suspect", name="aaa")
            until(lambda: theirs.pings > 0, "a ping")
            ours.expect("gone", name="aaa")
            ours.expect("disconnected", name="aaa", cause="silent")


class EightDevices(unittest.TestCase):
    def test_failures_and_restarts(self):
        names = [f"node-{i}" for i in range(hosts_max)]
        args = ("--period", "1s")
        with contextlib.ExitStack() as stack:
            nodes = {}
            for host, name in enumerate(names):
                backend = backends()[host % len(backends())]
                nodes[name] = stack.enter_context(node(host, name, *args, "--backend", backend))
            introduce(*nodes.values())
            for name, each in nodes.items():
                peers = each.peers()
                self.assertEqual(sorted(peers), [other for other in names if other != name])
                for other, found in peers.items():
                    self.assertEqual(found["address"], f"10.78.0.{names.index(other) + 1}:3235")
                    self.assertTrue(found["connected"] and found["ringpost"], found)
            nodes["node-0"].write("send * hello all")
            for name in names[1:]:
                self.assertEqual(nodes[name].expect("message"),
                                 {"event": "message", "from": "node-0", "text": "hello all"})

            # A process is killed without a goodbye; its host resets its connections.
            nodes.pop("node-7").process.kill()
            for each in nodes.values():
                self.assertIn(each.expect("disconnected", name="node-7")["cause"], ("closed by the peer", "reset"))
                each.expect("suspect", name="node-7")
                each.expect("gone", name="node-7")

            # A link fails silently, first until its device is suspect, then until its device has expired.
            for silent, pull in (("suspect", lambda to: segment.hosts[3].ip(f"link set eth0 {to}")),
                                 ("gone", lambda to: segment.switch.ip(f"link set p4 {to}"))):
                pull("down")
                others = [each for name, each in nodes.items() if name != "node-3"]
                for each in others:
                    each.expect(silent, name="node-3")
                pull("up")
                for each in others:
                    each.expect("back" if silent == "suspect" else "connected", name="node-3")
            for each in nodes.values():
                until(lambda each=each: sum(peer["connected"] for peer in each.peers().values()) == 6,
                      "all are connected again")
            nodes["node-3"].write("send * I was away")
            for each in others:
                each.expect("message", text="I was away")

            # A device is killed and starts on another host under the same name.
            nodes.pop("node-5").process.kill()
            moved = stack.enter_context(node(7, "node-5", *args))
            for each in nodes.values():
                each.expect("connected", name="node-5")
                moved.expect("connected", name=each.name)
                until(lambda each=each: each.peers().get("node-5", {}).get("address") == "10.78.0.8:3235",
                      "the new address")
            moved.write("send * I have moved")
            for each in nodes.values():
                each.expect("message", text="I have moved")
            for each in (*nodes.values(), moved):
                self.assertEqual(each.quit()["adverts_bad"], 0)


class Answers(unittest.TestCase):
    command = """case "$(head -c 4)" in
        slow) sleep 100 & echo $! > "$PIDFILE"; wait;;
        fail) exit 3;;
        kill) kill -9 $$;;
        bare) printf 'no newline';;
        many) printf 'one\\ntwo\\n\\n';;
        void) ;;
        huge) head -c 100000 /dev/zero | tr '\\0' x;;
        mark) echo 'a:,:b';;
        leak) sleep 100 > /dev/null & echo left one behind;;
    esac"""

    def test_commands(self):
        with tempfile.TemporaryDirectory() as folder:
            pid_file = pathlib.Path(folder) / "pid"
            os.environ["PIDFILE"] = str(pid_file)
            with node(0, "asks") as asks, node(1, "replies", "--answer", self.command) as replies, \
                    node(2, "short", "--answer", self.command, "--answer-timeout", "2s") as short, \
                    node(3, "brief", "--ask-timeout", "100ms") as brief:
                introduce(asks, brief, replies)
                introduce(brief, short)
                for question, answer in (("bare", "no newline"), ("many", "one\ntwo\n"), ("void", ""),
                                         ("leak", "left one behind")):
                    asks.write(f"ask replies {question}")
                    self.assertEqual(replies.expect("question"),
                                     {"event": "question", "from": "asks", "text": question, "answer": answer})
                    self.assertEqual(answers_of(asks.expect("answers")), {"replies": answer})
                # Failed commands send no answer: the asking node waits until its timeout.
                cannot = "the answer cannot be carried: it contains `:,:` or `/EOL`, or is not UTF-8"
                for peer, question, error in ((replies, "fail", "the command exited with 3"),
                                              (replies, "kill", "the command was killed by signal 9"),
                                              (replies, "huge", "the command printed too much"),
                                              (replies, "mark", cannot),
                                              (short, "slow", "the command took too long")):
                    self.assertEqual(brief.ask(peer.name, question), {peer.name: ("timed out",)})
                    self.assertEqual(peer.expect("question"),
                                     {"event": "question", "from": "brief", "text": question, "error": error})
                until(lambda: not running(int(pid_file.read_text())), "child processes of the command are killed")

    def test_large_question_that_is_not_read(self):
        with node(0, "asks") as asks, node(1, "replies", "--answer", "echo unread") as replies:
            introduce(asks, replies)
            self.assertEqual(asks.ask("replies", "x" * 65_000), {"replies": "unread"})
            self.assertEqual(asks.ask("*", "x" * 65_536), {"replies": ("too large",)})

    def test_more_questions_than_concurrent_commands(self):
        with node(0, "replies", "--answer", "cat") as replies, contextlib.ExitStack() as stack:
            asking = [stack.enter_context(node(i, f"asks-{i}")) for i in range(1, hosts_max)]
            introduce(replies, *asking)
            for _ in range(4):
                for each in asking:
                    each.write(f"ask replies of {each.name}")
            for _ in range(4):
                for each in asking:
                    self.assertEqual(answers_of(each.expect("answers")), {"replies": f"of {each.name}"})
            self.assertEqual(replies.quit()["questions_dropped"], 0)


def answers_of(event):
    return {answer["name"]: answer["text"] if answer["reply"] == "answered" else (answer["reply"],)
            for answer in event["answers"]}


def running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


class Discover(unittest.TestCase):
    def test_lists_devices(self):
        with node(0, "kitchen") as kitchen, node(1, "\N{MAN}garage") as garage, peer(2, "foreign"):
            introduce(kitchen, garage)
            garage.expect("connected", name="foreign")
            kitchen.expect("connected", name="foreign")
            done = on(3, "discover", "--duration", "3s", "--json")
            self.assertEqual((done.code, done.err), (0, ""), done)
            found = {event["name"]: event for event in done.events("peer")}
            self.assertEqual(sorted(found), ["foreign", "kitchen", "\N{MAN}garage"])
            for host, name in enumerate(("kitchen", "\N{MAN}garage", "foreign"), 1):
                self.assertEqual(found[name]["address"], f"10.78.0.{host}:3235")
                self.assertEqual((found[name]["presence"], found[name]["connected"]), ("alive", True))
                self.assertEqual(found[name]["ringpost"], name != "foreign")
            self.assertEqual(done.summary()["peers"], 3)
            done = on(0, "discover", "--duration", "3s")  # the port is used by a node
            self.assertEqual(done.code, 0, done)
            self.assertEqual([line.split("  ")[0].strip() for line in done.out.splitlines()][:1], ["NAME"])
            for name in ("foreign", "kitchen", "\N{MAN}garage"):
                self.assertRegex(done.out, rf"(?m)^{name} +10\.78\.0\.\d:3235 +connected")
            for each in (kitchen, garage):
                for _ in range(2):
                    ghost = each.expect("appeared")["name"]
                    while not ghost.startswith("!discover-"):
                        ghost = each.expect("appeared")["name"]
                    each.expect("disconnected", name=ghost, cause="goodbye")
                    each.expect("gone", name=ghost)
                self.assertFalse(any(name.startswith("!") for name in each.peers()))

    def test_no_devices(self):
        done = on(3, "discover", "--duration", "100ms")
        self.assertEqual((done.code, len(done.out.splitlines())), (0, 1), done)

    def test_ended_early(self):
        with segment.hosts[3].call(lambda: Background("discover", "--duration", "60s", "--json")) as discover:
            with node(0, "kitchen") as kitchen:
                kitchen.expect("connected")
                done = discover.stop(signal.SIGINT)
                self.assertEqual((done.code, [event["name"] for event in done.events("peer")]), (130, ["kitchen"]), done)
                kitchen.expect("gone")


class Networks(unittest.TestCase):
    def test_seeds_without_multicast(self):
        try:
            for host in segment.hosts[:3]:
                host.ip("link set eth0 multicast off")
            with node(0, "c", "--seed", "10.78.0.2", "--seed", "10.78.0.3:3235") as c, \
                    node(1, "a", "--seed", "10.78.0.1") as a, node(2, "b", "--seed", "10.78.0.1") as b:
                for one, other in ((a, c), (b, c)):
                    introduce(one, other)
                self.assertEqual(sorted(c.peers()), ["a", "b"])
                self.assertEqual(sorted(a.peers()), ["c"])
                c.write("send * hello")
                for each in (a, b):
                    each.expect("message", text="hello")
        finally:
            for host in segment.hosts[:3]:
                host.ip("link set eth0 multicast on")

    def test_multicast_in_one_direction(self):
        try:
            segment.switch.ip("link set dev p2 type bridge_slave mcast_flood off")
            with node(1, "deaf") as deaf, node(0, "a", "--seed", "10.78.0.2") as a:
                introduce(a, deaf)
        finally:
            segment.switch.ip("link set dev p2 type bridge_slave mcast_flood on")

    def test_ipv6_group(self):
        for host in segment.hosts[:2]:  # they get a new address, which is tentative at first
            host.ip("link set eth0 down")
            host.ip("link set eth0 up")
        args = ("--group6", "[ff02::4:3]:3235", "--period", "1h")
        with node(0, "a", "--group", "239.1.0.1:3300", *args) as a, node(1, "b", "--group", "239.1.0.2:3301", *args) as b:
            introduce(a, b)
            self.assertRegex(a.peers()["b"]["address"], r"^\[fe80::.*%eth0\]:3235$")
            a.write("send b over IPv6")
            b.expect("message", text="over IPv6")

    def test_other_groups_and_ports_are_other_networks(self):
        with node(0, "a", "--group", "239.1.0.1:3300", "--tcp-port", "4200") as a, \
                node(1, "b", "--group", "239.1.0.1:3300", "--tcp-port", "4200") as b, node(2, "c") as c:
            introduce(a, b)
            self.assertEqual(c.peers(), {})

    def test_link_that_comes_up_later(self):
        with node(0, "a", "--period", "1h") as a:
            segment.switch.ip("link set p2 down")
            with node(1, "b", "--period", "1h") as b:
                self.assertEqual(b.peers(), {})
                segment.switch.ip("link set p2 up")
                introduce(a, b)

    def test_interfaces(self):
        with node(0, "a", "--ignore-interface", "eth0") as alone, node(1, "b") as b, \
                node(2, "c", "--interface", "eth0") as c:
            introduce(b, c)
            self.assertEqual(alone.peers(), {})
            self.assertEqual(sorted(b.peers()), ["c"])

    def test_one_host_on_loopback(self):
        with node(0, "kitchen", "--interface", "lo") as kitchen:
            done = on(0, "discover", "--interface", "lo", "--duration", "3s", "--json")
            found = [(event["name"], event["address"], event["connected"]) for event in done.events("peer")]
            self.assertEqual((found, done.err), ([("kitchen", "127.0.0.1:3235", True)], ""), done)
            kitchen.expect("gone")
            self.assertNotIn("name_taken", [event["event"] for event in kitchen.kept])

    def test_two_devices_of_one_name(self):
        with node(0, "twin") as first, node(1, "other") as other, node(2, "twin") as second:
            for each in (first, second):
                each.expect("name_taken", name="twin")
            other.expect("connected", name="twin")
            first.write("send other it is me")
            second.write("send other it is me")
            other.expect("message", text="it is me")
            self.assertEqual(len(other.peers()), 1)


class BadPeers(unittest.TestCase):
    """Connections that violate the protocol while two other devices exchange messages."""

    def connect(self, target, data=b""):
        to = target.address[0], devices_peer.TCP_PORT
        sock = segment.hosts[2].call(lambda: socket.create_connection(to, timeout=patience_s))
        sock.sendall(data)
        return sock

    def push(self, sock, count):
        with contextlib.suppress(OSError):  # closed by the node
            for _ in range(count):
                sock.sendall(b"x" * 1_000_000)

    def closed(self, sock):
        with sock, contextlib.suppress(OSError):
            while sock.recv(65_536):
                pass

    def reset(self, sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def test_each_is_dropped_for_its_reason_without_side_effects(self):
        with node(0, "target", "--backend", backends()[0]) as one, node(3, "target", "--backend", backends()[-1],
                                                                      "--group", "239.255.4.3:3236") as two, \
                node(1, "witness") as first, node(4, "witness", "--group", "239.255.4.3:3236") as second:
            silent = {}  # they never send their names
            for target, address, port in ((one, "10.78.0.1", 3235), (two, "10.78.0.4", 3236)):
                target.address = address, port
                silent[target] = [self.connect(target) for _ in range(3)]
            for target, witness in ((one, first), (two, second)):
                with self.subTest(target.args):
                    introduce(target, witness)
                    self.check(target, witness, silent[target])

    def check(self, target, witness, silent):
        for name in (b"!bulk/EOL", b""):  # 10 MB without a terminator, as a frame and as a name
            sock = self.connect(target, name)
            self.push(sock, 10)
            self.closed(sock)
        for data in (b"!tag/EOLnonsense/EOL", b"!key/EOLQuEsTiOn:,:one:,:text/EOL", b"!utf8/EOLMeSsAgE:,:\xff/EOL",
                     b"\xff/EOL", b"/EOL", b"target/EOL", b"!quit/EOLquitQUITquit/EOL"):
            self.closed(self.connect(target, data))
        with self.connect(target, b"!half/EOLMeSsAgE:,:hal") as sock:
            target.expect("connected", name="!half")
            sock.shutdown(socket.SHUT_WR)
            target.expect("disconnected", name="!half", cause="closed within a frame")
        sock = self.connect(target, b"!reset/EOL")
        target.expect("connected", name="!reset")
        self.reset(sock)
        target.expect("disconnected", name="!reset", cause="reset")
        for data in (b"hello:,:", b"HELLO:,:x", b"alive:,:\xff", b"x" * 2000, b"alive:,:a:,:b"):
            segment.hosts[2].call(lambda data=data: advertise(data, target.address))
        for i in range(50):
            witness.write(f"send target {i}")
        for i in range(50):
            self.assertEqual(target.expect("message")["text"], str(i))
        for sock in silent:
            self.closed(sock)
        # An answer without a question is dropped and does not end the connection.
        with self.connect(target, b"!late/EOLAnSwEr:,:77:,:not asked/EOLMeSsAgE:,:still here/EOL") as sock:
            target.expect("message", text="still here")
            self.reset(sock)
        until(lambda: [name for name, found in target.peers().items() if found["connected"]] == ["witness"],
              "all others are disconnected")
        self.assertNotIn("disconnected", [event["event"] for event in witness.kept])
        summary = target.quit()
        self.assertEqual(summary["ended"], {
            "closed within a frame": 1, "reset": 2, "no name came": 3, "bad name": 2, "it has our name": 1,
            "frame too long": 2, "bad frame": 2, "not UTF-8": 1, "goodbye": 1, "closed": 1})
        self.assertEqual((summary["adverts_bad"], summary["answers_late"]), (5, 1))
        witness.expect("disconnected", name="target", cause="goodbye")


def advertise(data, to):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(data, to)


class Command(unittest.TestCase):
    def test_ends(self):
        for backend in backends():
            with node(1, "other", "--backend", backend) as other:
                for by, code in ((signal.SIGINT, 130), (signal.SIGTERM, 0), (None, 0)):
                    with node(0, "ends", "--backend", backend) as ends:
                        introduce(ends, other)
                        if by is None:
                            ends.write("quit")
                        done = ends.stop(by) if by else ends.finish()
                        self.assertEqual((done.code, done.summary()["ended"]), (code, {"closed": 1}), done)
                        self.assertEqual(done.summary()["backend"], backend)
                        other.expect("disconnected", name="ends", cause="goodbye")
                        other.expect("gone", name="ends")

    def test_invalid_lines(self):
        with node(0, "a") as a:
            for line in ("", "sing", "send", "send b", "ask", "ask b", "peers now", "quit now", "send b hello", "ask b hello",
                         "send * hello", "ask * hello", "send b x:,:y", "ask b x/EOL"):
                a.write(line)
            a.expect("sent", name="b", result="not connected")
            a.expect("answers", question="hello")
            a.write("quit")
            done = a.finish()
            self.assertEqual(done.code, 0)
            for line in ("sing", "send", "send b", "ask", "ask b", "peers now", "quit now"):
                self.assertIn(f"ringpost: {line}: expected send NAME|* TEXT", done.err)
            self.assertIn("b: not connected", done.err)
            self.assertIn("no device to send to", done.err)
            self.assertIn("no device to ask", done.err)
            self.assertEqual(done.err.count("cannot be carried"), 2, done)

    def test_end_of_standard_input_does_not_end_it(self):
        with node(0, "a") as a, node(1, "b") as b:
            a.process.stdin.write("send absent last words")  # without a newline
            a.process.stdin.close()
            a.expect("sent", name="absent")
            introduce(a, b)
            b.write("send a still there?")
            a.expect("message", text="still there?")
            a.process.stdin = None
            self.assertEqual(a.stop().code, 0)

    def test_text(self):
        host = segment.hosts[0]
        with host.call(lambda: Background("node", "--name", "a", "--answer", "tr a-z A-Z", "--answer-timeout", "20s",
                                          "--ask-timeout", "100ms", stdin=subprocess.PIPE)) as a, \
                node(1, "b") as b:
            def line():
                return a.line().rstrip("\n")

            self.assertEqual([line(), line()], ["- b appeared at 10.78.0.2:3235", "- b connected"])
            b.expect("connected")
            b.write("send a it\x1b[31m arrives")
            self.assertEqual(line(), "b: it\\x1b[31m arrives")
            b.write("ask a why?")
            self.assertEqual(line(), "b asks: why? -> WHY?")
            a.process.stdin.write("peers\nask b,c how?\nquit\n")
            a.process.stdin.flush()
            self.assertEqual([line() for _ in range(4)],
                             ["NAME  ADDRESS                STATE", "b     10.78.0.2:3235         connected, ringpost",
                              "b: timed out", "c: not connected"])
            done = a.finish()
            self.assertEqual((done.code, done.err), (0, "ringpost: node a on TCP port 4112\n"), done)

    def test_names_in_quotes(self):
        with peer(1, 'it, "too"') as foreign, node(0, "a") as a:
            typed = '"it, \\x22too\\x22"'
            a.expect("connected", name=foreign.name)
            a.write(f"send {typed} hello there")
            self.assertEqual(foreign.messages.get(timeout=20), ("a", "hello there"))
            self.assertEqual(a.ask(f"{typed},b", "why?"), {foreign.name: "WHY?", "b": ("not connected",)})
            a.write("send it, hello")  # without quotes it is another name
            self.assertEqual(a.expect("sent", name="it,")["result"], "not connected")
            a.quit()

    def refused(self, args, *named, code=2):
        with self.subTest(args[:4]):
            done = on(5, "node", *args)
            self.assertEqual((done.code, done.out, len(done.err.splitlines())), (code, "", 1), done)
            for part in named:
                self.assertIn(part, done.err, done)

    def test_invalid_options(self):
        self.refused([], "--name")
        for name, reason in (("", "empty"), ("x" * 249, "long"), ("a:,:b", ":,:"), ("a/EOL", "/EOL"), ("PiNg", "frame"), ("*", "all devices"),
                             ("a b", "space"), ("a,b", "comma"), ("a\x1b[31m", "control")):
            self.refused(["--name", name], "--name", reason)
        for group in ("10.0.0.1:3235", "239.1.1.1", "239.1.1.1:0", "[ff02::1]:3235", "nothing"):
            self.refused(["--name", "a", "--group", group], "--group", group)
        for group in ("239.1.1.1:3235", "[ff02::1]", "[fe80::1]:3235"):
            self.refused(["--name", "a", "--group6", group], "--group6", group)
        self.refused(["--name", "a", "--interface", "nosuch0"], "--interface", "nosuch0")
        self.refused(["--name", "a", "--tcp-port", "0"], "--tcp-port", "0")
        self.refused(["--name", "a", "--tcp-port", "65536"], "--tcp-port", "65536")
        self.refused(["--name", "a", "--period", "10ms"], "--period", "10ms")
        self.refused(["--name", "a", *["--seed=10.0.0.1"] * 65], "--seed", "65", "at most 64")
        self.refused(["--name", "a", "--seed", "nosuchhost.invalid"], "--seed", "nosuchhost.invalid", code=4)
        with segment.hosts[5].call(lambda: socket.create_server(("", 4112))):
            self.refused(["--name", "a"], "--tcp-port", "4112", "in use")
