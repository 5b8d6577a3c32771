"""Each listening command, what is sent to it, and the honest client that it serves meanwhile."""

import dataclasses

import clients
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


def cases(library):
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
