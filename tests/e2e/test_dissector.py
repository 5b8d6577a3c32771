"""The dissectors for Wireshark: what tshark shows of a capture of the test vectors is what the vectors say."""

import json
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

import frame

ROOT = pathlib.Path(__file__).resolve().parents[2]
DISSECTORS = ROOT / "apps" / "package" / "ringpost.lua"
LINKTYPE_RAW = 101  # each packet begins with its IP header
IP_UDP, IP_TCP = 17, 6
UDP_PORT, TCP_PORT = 40000, 4112
STATUS = {None: "null", True: "true", False: "false"}


def ipv4(protocol, payload):
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, b"\x7f\0\0\1",
                       b"\x7f\0\0\1") + payload


def udp(data):
    return ipv4(IP_UDP, struct.pack(">HHHH", UDP_PORT, UDP_PORT + 1, 8 + len(data), 0) + data)


def tcp(data, sequence):
    return ipv4(IP_TCP, struct.pack(">HHIIBBHHH", UDP_PORT, TCP_PORT, sequence, 1, 0x50, 0x18, 65535, 0, 0) + data)


def shown(packets, *preferences):
    """What tshark shows of each packet: all fields of our protocols, by name, each with its values in order."""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINKTYPE_RAW))
        for second, packet in enumerate(packets):
            file.write(struct.pack("<IIII", second, 0, len(packet), len(packet)) + packet)
        file.flush()
        options = [part for preference in preferences for part in ("-o", preference)]
        done = subprocess.run(["tshark", "-n", "-r", file.name, "-X", f"lua_script:{DISSECTORS}", "-T", "json",
                               "--no-duplicate-keys", *options], capture_output=True, text=True, check=True)
    assert "Lua" not in done.stderr, done.stderr
    return [fields_of(packet["_source"]["layers"]) for packet in json.loads(done.stdout)]


def fields_of(tree):
    found = {}

    def walk(node):
        for name, value in node.items():
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, dict):
                    walk(each)
                elif name.startswith("ringpost"):
                    found.setdefault(name, []).append(each)

    walk(tree)
    return found


def bytes_of(fields, name):
    return [bytes.fromhex(value.replace(":", "")) for value in fields.get(name, [])]


@unittest.skipIf(shutil.which("tshark") is None, "tshark is not installed")
class Dissector(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vectors = json.loads((ROOT / "tests" / "vectors.json").read_text())

    def test_datagrams_with_a_checksum_or_a_fixed_begin(self):
        vectors = self.vectors
        cases = []

        def add(check, data, vector):
            cases.append((check, data, vector))

        for vector in vectors["beacon"]:
            add(self.check_beacon, bytes.fromhex(vector["hex"]), vector)
        for vector in vectors["message"]:
            add(self.check_message, vector["text"].encode(), vector)
        for vector in vectors["devices_advert"]:
            add(self.check_advert, vector["text"].encode(), vector)
        for vector in vectors["struct"]:
            found = [[vector["id"], vector["hex"][14:]]]
            add(self.check_structs, bytes.fromhex(vector["hex"]), {"found": found})
        for vector in vectors["struct_stream"]:
            add(self.check_structs, bytes.fromhex(vector["hex"]), vector)
        add(self.check_load, frame.make(0x80000007, 2 ** 40 + 5, 10 ** 18 + 1, b"fill"), (0x80000007, 2 ** 40 + 5, 10 ** 18 + 1))
        add(self.check_load, frame.make(7, 0), (7, 0, 0))
        for data in (frame.make(7, 0)[:-1] + b"\1", *(bytes.fromhex(bad["hex"]) for bad in vectors["beacon_bad"]),
                     *(bad.encode() for bad in vectors["message_bad"])):
            add(self.check_unknown, data, data)
        packets = shown([udp(data) for _, data, _ in cases])
        self.assertEqual(len(packets), len(cases))
        for (check, data, vector), fields in zip(cases, packets):
            with self.subTest(data=data):
                check(fields, vector)

    def check_beacon(self, fields, vector):
        self.assertEqual((fields["ringpost_beacon.time"], fields["ringpost_beacon.address"],
                          fields["ringpost_beacon.port"], fields.get("ringpost_beacon.quote", [""])),
                         ([str(vector["timestamp"])], [vector["ipv4"]], [str(vector["port"])], [vector["quote"]]))

    def check_message(self, fields, vector):
        self.assertEqual(json.loads(fields["ringpost_confirmed.message"][0]), vector["message"])
        self.assertEqual(fields["ringpost_confirmed.status"], [STATUS[vector["status"]]])

    def check_advert(self, fields, vector):
        self.assertEqual((fields["ringpost_advert.kind"], fields["ringpost_advert.name"]),
                         ([vector["kind"]], [vector["name"]]))

    def check_structs(self, fields, vector):
        found = vector["found"]
        self.assertEqual(fields.get("ringpost_struct.id", []), [str(id) for id, _ in found])
        self.assertEqual(bytes_of(fields, "ringpost_struct.payload"), [bytes.fromhex(hex) for _, hex in found if hex])

    def check_load(self, fields, expected):
        stream, sequence, due = expected
        self.assertEqual((int(fields["ringpost_load.stream"][0], 16), fields["ringpost_load.sequence"],
                          fields["ringpost_load.due"], fields["ringpost_load.answer"]),
                         (stream, [str(sequence)], [str(due)], ["1" if stream >> 31 else "0"]))

    def check_unknown(self, fields, _):
        self.assertEqual(fields, {})

    def test_gtudp(self):
        by_wire = {}
        for vector in self.vectors["gtudp"]:
            by_wire.setdefault((vector["magic"], ",".join(vector["types"])), []).append(vector)
        for (magic, types), vectors in by_wire.items():
            packets = shown([udp(bytes.fromhex(vector["hex"])) for vector in vectors],
                            f"ringpost_gtudp.ports:{UDP_PORT + 1}", f"ringpost_gtudp.magic:{magic}",
                            f"ringpost_gtudp.types:{types}")
            for vector, fields in zip(vectors, packets, strict=True):
                self.assertEqual((fields.get("ringpost_gtudp.kind"), bytes_of(fields, "ringpost_gtudp.magic")),
                                 ([vector["kind"]], [bytes.fromhex(magic)] if magic else []), vector)
                self.assertEqual(int(fields["ringpost_gtudp.identity"][0], 16), vector["identity"])
                data = vector.get("data", "")
                self.assertEqual(bytes_of(fields, "ringpost_gtudp.data"), [bytes.fromhex(data)] if data else [])

    def test_frames_in_a_stream(self):
        stream = "".join(vector["text"] for vector in self.vectors["devices_frames"]).encode()
        cut = stream.index(b"battery")  # a frame in two segments
        packets = shown([tcp(stream[:cut], 1), tcp(stream[cut:], 1 + cut)])
        kinds = [kind for fields in packets for kind in fields.get("ringpost_device.kind", [])]
        texts = [text for fields in packets for text in fields.get("ringpost_device.text", [])]
        keys = [key for fields in packets for key in fields.get("ringpost_device.key", [])]
        vectors = self.vectors["devices_frames"]
        self.assertEqual(kinds, [vector["kind"] for vector in vectors])
        self.assertEqual(texts, [text for vector in vectors if (text := vector.get("body") or vector.get("name"))])
        self.assertEqual(keys, [str(vector["key"]) for vector in vectors if "key" in vector])
