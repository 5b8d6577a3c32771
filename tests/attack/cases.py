"""Each listening command, what is sent to it, and the honest client that it serves meanwhile."""

import dataclasses
import json
import subprocess

import clients
import support
from arena import HONEST, HONEST_SECOND

PORT, ECHO_PORT, MESSAGE_PORT, DEVICES_PORT, DEVICES_TCP_PORT = 7000, 7001, 5005, 3235, 4112
LIBRARY = {"reading": {"id": 1, "format": "<I"}, "honest": {"id": 2, "format": "<I"}}


@dataclasses.dataclass
class Case:
    name: str
    flood: str
    command: tuple
    client: object = None  # makes a client from its address, the server, and its number
    answers: bool = True   # the protocol obliges the server to answer
    port: int = PORT
    behind: tuple = ()     # another server that this one needs
    announces: bool = False  # it sends from time to time, whatever it receives
    recorded: object = None  # a file with the datagram that is sent

    @property
    def bound(self):
        """Of bytes sent to bytes received."""
        return 3.0 if self.answers else 1.0

    def own_address(self, number):
        """Of a client. Confirmations of messages go to the port on which the server listens as well."""
        if self.port != MESSAGE_PORT:
            return HONEST[1], 40_000 + number
        return HONEST[1] if number == 0 else HONEST_SECOND, MESSAGE_PORT


def datagrams(kind, **more):
    return lambda own, server, number: kind((HONEST[2], PORT), own, **more)


def gtudp(**more):
    return datagrams(clients.Gtudp, **more)


def printed(make):
    return lambda own, server, number: clients.Printed((HONEST[2], PORT), own, server, make)


def messages(own, server, number):
    return clients.Messages((HONEST[2], MESSAGE_PORT), own)


def device(own, server, number):
    return clients.Device((HONEST[2], DEVICES_TCP_PORT), own, b"a%d" % number)


def listening(*command):
    return (*command, "--port", PORT)


def native(kind, secret):
    return lambda own, server, number: kind((HONEST[2], PORT), server, *with_secret(secret))


def with_secret(secret):
    return "--transport", "native", "--psk", secret


def recorded_init(directory):
    """Files with a secret, and with the first datagram of a client that has it, as somebody on its path would see it."""
    secret, init = directory / "secret", directory / "init"
    secret.write_text(support.run("key", "shared").out)
    secret.chmod(0o600)
    with support.udp_socket() as sock:
        client = subprocess.Popen([support.binary, "send", "--to", "127.0.0.1:%d" % sock.getsockname()[1], "text",
                                   *with_secret(secret)], stderr=subprocess.DEVNULL, preexec_fn=support.die_with_parent)
        init.write_bytes(sock.recv(65536))
        client.kill()
        client.wait()
    return secret, init


def cases(directory):
    """All of them; the directory is for their files."""
    library = directory / "library.json"
    library.write_text(json.dumps(LIBRARY))
    secret, init = recorded_init(directory)
    sealed = with_secret(secret)
    echo_behind = ("echo", "--port", ECHO_PORT)
    wire = ("--transport", "gtudp")
    return [
        Case("echo", "byte", listening("echo"), datagrams(clients.Datagrams)),
        Case("relay before an echo", "byte", ("relay", "--listen", PORT, "--to", f"127.0.0.1:{ECHO_PORT}"),
             datagrams(clients.Datagrams), behind=echo_behind),
        Case("sink", "frame", listening("sink"), answers=False),
        # An answer may be as large as its request.
        Case("sink", "ask", listening("sink"), datagrams(clients.Asks), answers=False),
        Case("sink --reverse-max", "ask for load", listening("sink", "--reverse-max", "1Gbit"),
             datagrams(clients.Asks), answers=False),
        Case("sink --bidirectional", "frame", listening("sink", "--bidirectional"), datagrams(clients.Frames)),
        Case("recv", "data", listening("recv"), gtudp()),
        Case("recv", "blind", listening("recv"), gtudp()),
        Case("recv", "guess", listening("recv"), gtudp()),
        Case("sink --transport gtudp", "data frame", listening("sink", *wire), gtudp(data=clients.frame.make(9, 0))),
        Case("echo --transport gtudp", "data", listening("echo", *wire), gtudp(echoed=True)),
        Case("echo --transport gtudp", "blind", listening("echo", *wire), gtudp(echoed=True)),
        Case("recv --transport native", "Init", listening("recv", *sealed), native(clients.Lines, secret),
             recorded=init),
        Case("recv --transport native", "short", listening("recv", *sealed), native(clients.Lines, secret)),
        Case("echo --transport native", "Init", listening("echo", *sealed), native(clients.Probes, secret),
             recorded=init),
        Case("sink --transport native", "Init", listening("sink", *sealed), recorded=init),
        Case("message listen", "message", ("message", "listen"), messages, port=MESSAGE_PORT),
        # Without the option, the first `initialize` decides who is confirmed to: that is the format.
        Case("message listen --reply source", "initialize", ("message", "listen", "--reply", "source"), messages,
             port=MESSAGE_PORT),
        Case("struct listen", "struct", listening("struct", "listen", "--library", library),
             printed(clients.struct_message), answers=False),
        Case("beacon", "beacon", listening("beacon"), printed(clients.beacon), answers=False),
        Case("node", "advert", ("node", "--name", "m", "--answer", "cat"), device, port=DEVICES_PORT,
             announces=True),
        Case("discover", "advert", ("discover", "--duration", "1h"), port=DEVICES_PORT, announces=True),
    ]
