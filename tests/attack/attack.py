"""One attack: quiet exchanges of an honest client, the flood, exchanges meanwhile, and what the server has sent."""

import dataclasses
import statistics
import time

from arena import HOSTILE, Server


@dataclasses.dataclass
class Plan:
    sources: int
    rate: int               # sources a second
    parts: int              # memory is looked at after each
    quiet_s: float          # before the attack
    gap_s: float            # between two exchanges
    settle_s: float         # the answers have ended when there was none for this long
    longest_s: float = 60   # after which they never end


@dataclasses.dataclass
class Result:
    received_bytes: int
    sent_bytes: int
    ended: bool               # the answers have ended, as far as the command sends nothing else
    resident_mib: tuple       # before, and after each part of the sources
    summary: dict
    quiet_s: float = None     # median time of an exchange of the honest client, before the attack
    attacked_s: float = None  # and meanwhile
    newcomer_s: float = None  # time until a client that came during the attack was served

    @property
    def amplification(self):
        return self.sent_bytes / self.received_bytes


def run(arena, case, plan):
    if case.behind:
        with Server(arena, case.behind, case.behind[-1]):
            return run_server(arena, case, plan)
    return run_server(arena, case, plan)


def run_server(arena, case, plan):
    with Server(arena, case.command, case.port) as server:
        honest = make_client(arena, case, server, 0)
        quiet = quiet_times(honest, plan) if honest else []
        before, resident, meanwhile = arena.traffic(), [server.resident_mib()], []
        newcomer_s = None
        part = plan.sources // plan.parts
        for number in range(plan.parts):
            flood = arena.flood(HOSTILE[2], case.port, case.recorded or case.flood, part, plan.rate, number * part)
            if honest:
                if number == plan.parts - 1:
                    newcomer_s = newcomer(arena, case, server)
                while flood.poll() is None or not meanwhile:
                    meanwhile.append(exchange(honest, plan))
            if flood.wait() != 0:
                raise AssertionError("the attacker has failed")
            resident.append(server.resident_mib())
        ended = arena.settle(plan.settle_s, plan.longest_s) or case.announces
        if honest:
            honest.exchange()
            honest.close()
        after = arena.traffic()
        return Result(after[0] - before[0], after[1] - before[1], ended, tuple(resident), server.stop(),
                      statistics.median(quiet) if quiet else None, statistics.median(meanwhile) if meanwhile else None,
                      newcomer_s)


def quiet_times(client, plan):
    started, times = time.monotonic(), []
    while not times or time.monotonic() < started + plan.quiet_s:
        times.append(exchange(client, plan))
    return times


def exchange(client, plan):
    time.sleep(plan.gap_s)
    return client.exchange()


def make_client(arena, case, server, number):
    return case.client and arena.client.call(lambda: case.client(case.own_address(number), server, number))


def newcomer(arena, case, server):
    started = time.monotonic()
    client = make_client(arena, case, server, 1)
    client.exchange()
    client.close()
    return time.monotonic() - started
