"""ringpost struct against Python's own struct module, both ways."""

import json
import math
import pathlib
import random
import struct
import tempfile
import unittest

import structs_peer
from support import Background, backends, run, udp_socket

# Every code and byte order, padding, and some text.
MESSAGES = {
    "reading": (1, "<BHIQ"),
    "signed": (2, ">bhiq"),
    "padded": (3, "b?i2xdc"),
    "native": (4, "lLqQ"),
    "floats": (5, "!fd"),
    "label": (6, "<H8s"),
    "tick": (7, ""),
    "many": (65535, "=300h"),
}


def entry(message_id, form):
    return {"id": message_id, "format": form}


class WithLibrary(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def library(self, content):
        path = pathlib.Path(self.directory.name, "library.json")
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    def messages(self):
        return self.library({name: entry(*rest) for name, rest in MESSAGES.items()})


def random_value(rand, code, count):
    """A random value for one code."""
    if code == "?":
        return rand.choice([True, False])
    if code == "c":
        return bytes([rand.randrange(256)])
    if code == "s":
        return rand.choice([rand.randbytes(count), b"text"[:count].ljust(count, b"\0"), bytes(count)])
    if code in "fd":
        real = rand.choice([0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, rand.uniform(-1e30, 1e30)])
        return struct.unpack("<" + code, struct.pack("<" + code, real))[0]
    raise AssertionError(code)


def shown(value, code):
    if isinstance(value, bytes):
        value = value.rstrip(b"\0") if code == "s" else value
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"hex": value.hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def random_message(rand):
    """(format, values, values as shown): any format of the language, with the ranges of Python's struct module."""
    prefix = rand.choice(["", "@", "=", "<", ">", "!"])
    form, values, codes = prefix, [], []
    for _ in range(rand.randrange(9)):
        code = rand.choice("bBhHiIlLqQfd?csx")
        count = rand.choice([None, None, None, 0, 1, 2, 5])
        form += rand.choice(["", "", " ", "\n\t"]) + ("" if count is None else str(count)) + code
        count = 1 if count is None else count
        if code == "x":
            continue
        for _ in range(1 if code == "s" else count):
            if code in "fd?cs":
                values.append(random_value(rand, code, count))
            else:
                bits = 8 * struct.calcsize((prefix or "@") + code)
                low = -(1 << bits - 1) if code.islower() else 0
                values.append(rand.choice([low, low + (1 << bits) - 1, rand.randrange(low, low + (1 << bits))]))
            codes.append(code)
    return form, values, [shown(value, code) for value, code in zip(values, codes)]


class Listens(WithLibrary):
    def listen(self, library, *more):
        return Background("struct", "listen", "--port", 0, "--bind", "127.0.0.1", "--library", library, "--json", *more)

    def test_decodes_what_python_packs(self):
        seed = 5
        rand = random.Random(seed)
        messages = [random_message(rand) for _ in range(1500)]
        library = self.library({f"m{number}": entry(number, form) for number, (form, *_) in enumerate(messages)})
        with self.listen(library) as ringpost, udp_socket() as peer:
            target = ("127.0.0.1", ringpost.port())
            for number, (form, values, expected) in enumerate(messages):
                peer.sendto(structs_peer.encode(number, form, values), target)
                event = ringpost.event("message")
                self.assertEqual((event["name"], event["values"]), (f"m{number}", expected), f"seed {seed}: {form!r}")
            summary = ringpost.stop().summary()
        self.assertEqual((summary["messages"], summary["skipped_bytes"]), (len(messages), 0))

    def test_garbage_several_packets_and_damage_in_one_datagram(self):
        first = structs_peer.encode(1, "<BHIQ", (1, 2, 3, 4))
        label = structs_peer.encode(6, "<H8s", (5, b"hi"))
        broken = first[:-1] + bytes([first[-1] ^ 1])
        datagram = b"garbage" + first + broken + label + b"\xff\xff\x06\x00\x03\x00\x00" + label + first[:9]
        packets, failures = structs_peer.scan(datagram)
        self.assertEqual((len(packets), len(failures)), (3, 3))
        for backend in backends():
            with self.listen(self.messages(), "--backend", backend) as ringpost, udp_socket() as peer:
                target = ("127.0.0.1", ringpost.port())
                source = f"127.0.0.1:{peer.getsockname()[1]}"
                peer.sendto(datagram, target)
                peer.sendto(structs_peer.encode(7, "", ()), target)
                while ringpost.event("message")["name"] != "tick":
                    pass
                done = ringpost.stop()
            reported = [(event["event"], event.get("name"), event.get("reason"), event.get("offset"))
                    for event in done.events() if event["event"] in ("message", "rejected")]
            self.assertEqual(reported, [("message", "reading", None, None),
                                        ("rejected", None, "bad checksum", failures[0]),
                                        ("message", "label", None, None),
                                        ("rejected", None, "size under the header's", failures[1]),
                                        ("message", "label", None, None),
                                        ("rejected", None, "size past the end", failures[2]),
                                        ("message", "tick", None, None)])
            summary = done.summary()
            self.assertEqual([summary[name] for name in ("messages", "checksum", "size_small", "past_end", "backend")],
                             [4, 1, 1, 1, backend])
            self.assertEqual(done.events("message")[0]["source"], source)

    def test_unknown_ids_and_wrong_sizes_are_reported(self):
        with self.listen(self.messages()) as ringpost, udp_socket() as peer:
            target = ("127.0.0.1", ringpost.port())
            peer.sendto(structs_peer.packet(99, b"12"), target)
            event = ringpost.event("rejected")
            self.assertEqual((event["reason"], event["id"], event["bytes"]), ("unknown id", 99, 2))
            for size in (0, 14, 16):
                peer.sendto(structs_peer.packet(1, bytes(size)), target)
                event = ringpost.event("rejected")
                self.assertEqual((event["reason"], event["name"], event["bytes"], event["expected_bytes"]),
                                 ("wrong size", "reading", size, 15))
            done = ringpost.stop()
        self.assertEqual((done.summary()["unknown_id"], done.summary()["wrong_size"]), (1, 3))
        self.assertIn("id 99, 2 bytes", done.err)
        self.assertIn("16 bytes, expected 15 for reading", done.err)

    def test_text_is_one_escaped_line_per_message(self):
        with Background("struct", "listen", "--port", 0, "--library", self.messages()) as ringpost, udp_socket() as peer:
            port = int(ringpost.process.stderr.readline().split("port ")[1].split(",")[0])
            where = f"  from 127.0.0.1:{peer.getsockname()[1]}\n"
            for message, line in ((structs_peer.encode(6, "<H8s", (5, b"a\x1b[\n\xff\\\"")),
                                   r'label 5 "a\x1b[\x0a\xff\x5c\x22"'),
                                  (structs_peer.encode(6, "<H8s", (5, "grün".encode())), 'label 5 "grün"'),
                                  (structs_peer.encode(5, "!fd", (1.5, -2.25)), "floats 1.5 -2.25"),
                                  (structs_peer.encode(7, "", ()), "tick")):
                peer.sendto(message, ("127.0.0.1", port))
                self.assertEqual(ringpost.line(), line + where)


class Sends(WithLibrary):
    def send(self, peer, library, *words):
        return run("struct", "send", "--to", f"127.0.0.1:{peer.getsockname()[1]}", "--library", library, *words)

    def test_python_decodes_it(self):
        library = self.messages()
        cases = (
            ("reading", ("255", "65535", "0xffffffff", "18446744073709551615"), (255, 65535, 2**32 - 1, 2**64 - 1)),
            ("signed", ("-128", "-0x8000", "+7", "-9223372036854775808"), (-128, -32768, 7, -2**63)),
            ("padded", ("1", "true", "-2", "1e300", "Z"), (1, True, -2, 1e300, b"Z")),
            ("native", ("-1", "1", "-2", "2"), (-1, 1, -2, 2)),
            ("floats", ("0.5", "-2.25"), (0.5, -2.25)),
            ("floats", ("--", "-inf", "inf"), (-math.inf, math.inf)),
            ("label", ("1", "hi"), (1, b"hi".ljust(8, b"\0"))),
            ("label", ("1", "grün[]"), (1, "grün[]".encode().ljust(8, b"\0"))),
            ("label", ("1", "[a,b]"), (1, b"[a,b]\0\0\0")),
            ("label", ("1", r"\x00\\\xff"), (1, b"\0\\\xff".ljust(8, b"\0"))),
            ("label", ("1", ""), (1, bytes(8))),
            ("tick", (), ()),
            ("many", [str(number) for number in range(300)], tuple(range(300))),
        )
        with udp_socket() as peer:
            for name, words, values in cases:
                done = self.send(peer, library, name, *words)
                self.assertEqual(done.code, 0, done)
                message_id, form = MESSAGES[name]
                datagram = peer.recv(65536)
                self.assertEqual(datagram, structs_peer.encode(message_id, form, values), name)
                [(_, found_id, payload)], failures = structs_peer.scan(datagram)
                self.assertEqual((found_id, struct.unpack(form, payload), failures), (message_id, values, []))

    def test_listener_on_both_backends(self):
        library = self.messages()
        for backend in backends():
            with Background("struct", "listen", "--port", 0, "--library", library, "--json", "--backend",
                            backend) as ringpost:
                done = run("struct", "send", "--to", f"127.0.0.1:{ringpost.port()}", "--library", library, "--bind",
                           "127.0.0.1", "reading", 1, 2, 3, 4, "--backend", backend, "--json")
                self.assertEqual((done.code, done.summary()["sent"], done.summary()["bytes"]), (0, 1, 22), done)
                self.assertEqual(done.summary()["backend"], backend)
                self.assertEqual(ringpost.event("message")["values"], [1, 2, 3, 4])

    def test_invalid_values_are_named(self):
        library = self.messages()
        cases = (
            (("reading", "1", "2", "3"), 'reading: its format "<BHIQ" has 4 values, 3 are given'),
            (("tick", "1"), 'tick: its format "" has 0 values, 1 are given'),
            (("reading", "256", "2", "3", "4"), "reading: value 1, 256: `B` is a whole number from 0 to 255"),
            (("reading", "1", "-2", "3", "4"), "reading: value 2, -2: `H` is a whole number from 0 to 65535"),
            (("reading", "1", "2", "1.5", "4"), "reading: value 3, 1.5: `I` is a whole number"),
            (("reading", "1", "2", "3", "18446744073709551616"), "value 4, 18446744073709551616: `Q` is"),
            (("reading", "1", "2", "3", ""), "value 4, an empty string: `Q` is"),
            (("signed", "-129", "0", "0", "0"), "value 1, -129: `b` is a whole number from -128 to 127"),
            (("floats", "1e39", "0"), "floats: value 1, 1e39: `f` is a single-precision number"),
            (("floats", "x", "0"), "floats: value 1, x: `f` is"),
            (("padded", "1", "yes", "2", "3", "Z"), "padded: value 2, yes: `?` is true or false"),
            (("padded", "1", "true", "2", "3", "ZZ"), "padded: value 5, ZZ: `c` is one byte"),
            (("label", "1", "nine byte"), "label: value 2, nine byte: `8s` is at most 8 bytes"),
            (("label", "1", r"\n"), r"label: value 2, \n: `8s` is"),
            (("nothing",), "nothing: not in "),
        )
        with udp_socket() as peer:
            for words, expected in cases:
                done = self.send(peer, library, *words)
                self.assertEqual((done.code, done.out), (2, ""), done)
                self.assertIn(expected, done.err)
                self.assertEqual(len(done.err.splitlines()), 1, done)
            peer.settimeout(0)
            self.assertRaises(BlockingIOError, peer.recv, 1)

    def test_message_larger_than_a_datagram(self):
        with udp_socket() as peer:
            library = self.library({"large": entry(1, "65501s"), "fits": entry(2, "65500s")})
            done = self.send(peer, library, "large", "x")
            self.assertEqual(done.code, 2, done)
            self.assertIn("large: 65508 bytes do not fit into a UDP datagram", done.err)
            self.assertEqual(self.send(peer, library, "fits", "x").code, 0)
            self.assertEqual(len(peer.recv(65536)), 65507)


class LibraryFile(WithLibrary):
    def test_errors_name_the_entry(self):
        good = '"id": 1, "format": "i"'
        cases = (
            ("", "parse error"),
            ("[]", "expected an object of messages by name"),
            ('{"a": {%s}, "a": {%s}}' % (good, good), "a: given twice"),
            ('{"a": {"id": 2, %s}}' % good, "id: given twice"),
            ('{"a": {%s}, "b": {%s}}' % (good, good), "b: id 1 is already used by a"),
            ('{"a": {"id": 65536, "format": "i"}}', 'a: "id" must be a whole number from 0 to 65535'),
            ('{"a": {"format": "i"}}', 'a: "id" must be'),
            ('{"a": {"id": 1}}', 'a: "format" must be a string'),
            ('{"a": {"id": 1, "format": 7}}', 'a: "format" must be a string'),
            ('{"a": {%s, "size": 4}}' % good, 'a: unknown member "size"'),
            ('{"a": 7}', 'a: expected {"id": NUMBER, "format": TEXT}'),
            ('{"": {%s}}' % good, "a message needs a name"),
            ('{"a": {"id": 1, "format": "i3z"}}', 'a: format "i3z", character 3: unknown code'),
            ('{"a": {"id": 1, "format": "i 3"}}', 'a: format "i 3", character 3: a count without a code'),
            ('{"a": {"id": 1, "format": "65529x"}}', "character 1: more than the 65528 bytes of a packet"),
            (json.dumps({f"m{i}": entry(i, "b") for i in range(4097)}), "m4096: more than 4096 messages"),
        )
        for content, expected in cases:
            done = run("struct", "listen", "--port", 0, "--library", self.library(content))
            self.assertEqual((done.code, done.out), (2, ""), done)
            self.assertIn(expected, done.err)
            self.assertEqual(len(done.err.splitlines()), 1, done)
        for path, expected in (("/nowhere/library.json", "No such file"), (self.directory.name, "Is a directory")):
            done = run("struct", "listen", "--port", 0, "--library", path)
            self.assertEqual(done.code, 2, done)
            self.assertIn(f"--library {path}: {expected}", done.err)

    def test_refuses_formats_that_python_refuses(self):
        for form in ("z", "3", "3 i", " <i", "<<i", "i<", "-1i", "i,i", "\u00a0i", "i\0"):
            self.assertRaises(struct.error, struct.calcsize, form.encode())
            done = run("struct", "listen", "--port", 0, "--library", self.library({"bad": entry(1, form)}))
            self.assertEqual(done.code, 2, done)
            self.assertIn("bad: format", done.err)

    def test_usage(self):
        for args in (("struct",), ("struct", "listen"), ("struct", "send", "--to", "127.0.0.1:9"), ("struct", "speak")):
            done = run(*args)
            self.assertEqual(done.code, 2, done)
        for args in (("struct", "listen", "--help"), ("struct", "send", "--help")):
            done = run(*args)
            self.assertEqual(done.code, 0)
            self.assertIn('{"reading": {"id": 1, "format": "<BHIQ"}', done.out)
