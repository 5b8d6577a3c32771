"""Presets against small servers in Python, and against real ones where they are installed."""

import hashlib
import hmac
import itertools
import pathlib
import socket
import subprocess
import tempfile
import textwrap
import threading
import unittest

import support
from support import die_with_parent, run, udp_socket, until
from test_presets import Server, free_port, program


def radius(data):
    """Access-Accept if Message-Authenticator is right (RFC 3579, 3.2), and the password, if any, is `secret word`."""
    zeroed = data[:22] + bytes(16) + data[38:]
    if hmac.new(b"s", zeroed, "md5").digest() != data[22:38]:
        return [b"\x03" + data[1:2] + b"\0\x14" + bytes(16)]
    at = data.find(b"\x02\x12", 38)
    if at > 0:
        block = hashlib.md5(b"s" + data[4:20]).digest()
        password = bytes(a ^ b for a, b in zip(block, data[at + 2:at + 18])).rstrip(b"\0")
        if password != b"secret word":
            return [b"\x03" + data[1:2] + b"\0\x14" + bytes(16)]
    return [b"\x02" + data[1:2] + b"\0\x14" + bytes(16)]


servers = {
    "snmp-get:1.3.6.1.2.1.1.3.0": (lambda data: [data[:13] + b"\xa2" + data[14:]], {"noError": 20}),
    "coap-get:/a/b": (lambda data: [b"\x54\x45" + data[2:8] + b"\xffhi"], {"2.05": 20}),
    "quic-vn": (lambda data: [b"\xc0\0\0\0\0" + data[14:23] + data[5:14] + b"\0\0\0\1"], {"versions": 20}),
    "radius:s": (radius, {"Access-Accept": 20}),
    "radius:s,me,secret word": (radius, {"Access-Accept": 20}),
    "sip-options": (lambda data: [b"SIP/2.0 100 Trying\r\n" + data[data.index(b"Via:"):],
                                  b"SIP/2.0 200 OK\r\n" + data[data.index(b"Via:"):]], {"200": 20}),
    "game:a2s": (lambda data: [b"\xff" * 4 + (b"I\x11" if data[25:] == b"abcd" else b"Aabcd")],
                 {"challenge": 1, "info": 19}),
}


class SmallServers(unittest.TestCase):
    def latency(self, preset, reply, *args):
        with udp_socket() as sock:
            sock.settimeout(None)

            def serve():
                while True:
                    data, source = sock.recvfrom(65536)
                    if data == b"stop":
                        return
                    for answer in reply(data):
                        sock.sendto(answer, source)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            try:
                return run("latency", "--to", f"127.0.0.1:{sock.getsockname()[1]}", "--preset", preset, "--count", 20,
                           "--ping-pong", "--json", *args)
            finally:
                with udp_socket() as end:
                    end.sendto(b"stop", sock.getsockname())
                thread.join(support.patience_s)

    def test_every_preset_is_answered(self):
        for preset, (reply, statuses) in servers.items():
            with self.subTest(preset):
                done = self.latency(preset, reply)
                self.assertEqual((done.code, done.err), (0, ""), done)
                self.assertEqual((done.summary()["statuses"], done.summary()["lost"]), (statuses, 0))

    def test_an_error_is_one(self):
        done = self.latency("radius:other", radius)
        self.assertEqual((done.code, done.summary()["statuses"]), (1, {"Access-Reject": 20}), done)

    def test_presets_without_replies_are_for_load(self):
        for preset in ("statsd:a", "syslog"):
            done = run("latency", "--to", "127.0.0.1:9", "--preset", preset)
            self.assertEqual((done.code, len(done.err.splitlines())), (2, 1), done)
            self.assertIn("has no replies to measure; use `ringpost load`", done.err)
        for preset, pattern in (("statsd:a.b", rb"^a\.b:1\|c$"),
                                ("syslog:n {seq}", rb"^<13>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z - ringpost - - - n 0$")):
            with udp_socket() as sock:
                done = run("load", "--to", f"127.0.0.1:{sock.getsockname()[1]}", "--preset", preset, "--rate", 100, "--duration",
                           "50ms")
                self.assertEqual(done.code, 0, done)
                self.assertRegex(sock.recv(65536), pattern)

    def test_wrong_lines_of_a_dns_file(self):
        with tempfile.NamedTemporaryFile("w") as file:
            for text, part in (("a.b A\nc.d NOSUCH\n", "line 2, character 5: types are"), ("a.b\n", "line 1, character 4"),
                               ("; nothing\n", "no query in it")):
                file.seek(0)
                file.truncate()
                file.write(text)
                file.flush()
                done = run("latency", "--to", "127.0.0.1:9", "--preset", f"dns-file:{file.name}")
                self.assertEqual((done.code, len(done.err.splitlines())), (2, 1), done)
                self.assertIn(part, done.err)


class RealServers(unittest.TestCase):
    def answered(self, port, preset, status):
        done = run("latency", "--to", f"127.0.0.1:{port}", "--preset", preset, "--count", 20, "--rate", "1k", "--json")
        self.assertEqual((done.code, done.summary()["lost"]), (0, 0), done)
        self.assertEqual(done.summary()["statuses"], {status: 20})

    def test_a_dns_file(self):
        name = program("dnsmasq")
        query = bytes.fromhex("abcd01000001000000000000") + b"\x01x\x04test\x00" + bytes.fromhex("00010001")
        server = Server(self, query, lambda port, directory: [
            name, "--keep-in-foreground", f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces",
            "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts", "--address=/test/192.0.2.1", "--local=/test/",
            "--log-queries", "--log-facility=-"])
        file = server.directory / "queries"
        file.write_text("; of dnsperf\na.test A\n\nb.test. MX\n*.c.test\tTYPE257\n")
        self.answered(server.port, f"dns-file:{file}", "NOERROR")
        log = server.log.read_text()
        self.assertEqual([log.count(f"query[{kind}] {name} from") for kind, name in (("A", "a.test"), ("MX", "b.test"))], [7, 7])
        self.assertEqual(log.count("query[CAA] *.c.test from"), 6)

    def test_snmp(self):
        name = program("snmpd")

        def command(port, directory):
            (directory / "snmpd.conf").write_text("rocommunity public\n")
            return [name, "-f", "-Lo", "-C", "-c", str(directory / "snmpd.conf"), "-I", "system_mib", f"udp:127.0.0.1:{port}"]

        request = bytes.fromhex("302902010104067075626c6963a01c02044e0012340201000201003" "00e300c06082b060102010103000500")
        server = Server(self, request, command)
        self.answered(server.port, "snmp-get:1.3.6.1.2.1.1.3.0", "noError")

    def test_coap(self):
        name = program("coap-server-notls")
        server = Server(self, bytes.fromhex("5401000000000000"), lambda port, _: [name, "-A", "127.0.0.1", "-p", str(port)])
        self.answered(server.port, "coap-get:/", "2.05")
        self.answered(server.port, "coap-get:/.well-known/core", "2.05")

    def test_sip(self):
        name = program("kamailio")

        def command(port, directory):
            (directory / "kamailio.cfg").write_text(textwrap.dedent(f"""\
                #!KAMAILIO
                log_stderror=yes
                children=1
                auto_aliases=no
                disable_tcp=yes
                listen=udp:127.0.0.1:{port}
                loadmodule "sl.so"
                request_route {{
                    sl_send_reply("200", "OK");
                }}
                """))
            return [name, "-f", str(directory / "kamailio.cfg"), "-D", "-E", "-m", "16", "-M", "4", "-Y", str(directory),
                    "-P", str(directory / "pid")]

        request = (b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK1\r\n"
                   b"From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
                   b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n")
        server = Server(self, request, command)
        self.answered(server.port, "sip-options", "200")

    def test_radius(self):
        name = program("freeradius")

        def command(port, directory):
            directory.chmod(0o700)  # it refuses to start from one that all may write to
            (directory / "radiusd.conf").write_text(textwrap.dedent(f"""\
                raddbdir = {directory}
                logdir = {directory}
                run_dir = {directory}
                libdir = /usr/lib/freeradius
                security {{
                    status_server = yes
                    allow_vulnerable_openssl = yes
                }}
                client local {{
                    ipaddr = 127.0.0.1
                    secret = a-secret
                }}
                server default {{
                    listen {{
                        type = auth
                        ipaddr = 127.0.0.1
                        port = {port}
                    }}
                    authorize {{
                    }}
                }}
                """))
            return [name, "-f", "-l", "stdout", "-n", "radiusd", "-d", str(directory), "-D", "/usr/share/freeradius"]

        request = bytes([12, 7, 0, 38]) + bytes(16) + bytes([80, 18])
        authenticator = hmac.new(b"a-secret", request + bytes(16), "md5").digest()
        server = Server(self, request + authenticator, command)
        self.answered(server.port, "radius:a-secret", "Access-Accept")

    def test_statsd(self):
        name = program("statsd")  # of npm
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        port, management = free_port(), free_port()
        config = pathlib.Path(directory.name) / "config.js"
        config.write_text(f'{{address: "127.0.0.1", port: {port}, mgmt_address: "127.0.0.1", mgmt_port: {management}, '
                          'backends: ["./backends/console"], flushInterval: 600000}')
        process = subprocess.Popen([name, str(config)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   preexec_fn=die_with_parent)
        self.addCleanup(process.wait, support.patience_s)
        self.addCleanup(process.terminate)

        def counters():
            try:
                with socket.create_connection(("127.0.0.1", management), support.patience_s) as asking:
                    asking.sendall(b"counters\n")
                    return "".join(itertools.takewhile(lambda line: line != "END\n", asking.makefile()))
            except ConnectionRefusedError:
                return ""

        until(lambda: "packets_received" in counters(), "statsd answers")
        done = run("load", "--to", f"127.0.0.1:{port}", "--preset", "statsd:a.b", "--rate", "1k", "--duration", "50ms", "--json")
        self.assertEqual(done.code, 0, done)
        until(lambda: f"'a.b': {done.summary()['sent']}" in counters(), "all are counted")

    def test_syslog(self):
        name = program("rsyslogd")
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        root, port = pathlib.Path(directory.name), free_port()
        (root / "conf").write_text(f'module(load="imudp")\ninput(type="imudp" address="127.0.0.1" port="{port}")\n'
                                   f'action(type="omfile" file="{root}/log" template="RSYSLOG_SyslogProtocol23Format")\n')
        process = subprocess.Popen([name, "-n", "-f", str(root / "conf"), "-i", str(root / "pid")],
                                   stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        self.addCleanup(process.wait, support.patience_s)
        self.addCleanup(process.terminate)
        log = root / "log"

        def logged():
            run("load", "--to", f"127.0.0.1:{port}", "--preset", "syslog:n {seq}", "--rate", 100, "--duration", "50ms")
            return log.exists() and "ringpost - - - n 0" in log.read_text()

        until(logged, "rsyslogd logs")
