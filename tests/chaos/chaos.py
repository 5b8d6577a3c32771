"""chaos.py RINGPOST SECONDS [SEED]: kills, stops and restarts commands at random, and checks what they promised.

The seed decides what happens, but not when the processes reach it. Logs of a failing run are kept.
"""

import collections
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from life import Life, support

RECV, RELAY, ECHO, MESSAGES = 7000, 7001, 7002, "127.77.0.1"
NODES = 3
CLIENTS_MAX = 6
DONE, FAILED, UNREACHABLE = 0, 1, 4  # exit codes of clients


class Chaos:
    def __init__(self, seed, logs):
        self.random, self.logs = random.Random(seed), logs
        self.lives, self.servers, self.clients = [], {}, []
        self.stalled = []  # (when to continue, life)
        self.lines = collections.Counter()
        self.segment = support.Segment(NODES)
        self.wrong = []

    # ---- what happens ----

    def start(self, role, *args, host=None, stdin=subprocess.DEVNULL):
        make = lambda: Life(self.logs, len(self.lives), role, *args, stdin=stdin)
        self.lives.append(host.call(make) if host else make())
        return self.lives[-1]

    def start_server(self, role):
        kind, _, index = role.partition(" ")
        if kind == "node":
            host = self.segment.hosts[int(index)]
            args = "node", "--name", f"node{index}", "--period", "1s"
            self.servers[role] = self.start(role, *args, host=host, stdin=subprocess.PIPE)
        else:
            args = {"recv": ("recv", "--port", RECV),
                    "relay": ("relay", "--listen", RELAY, "--to", f"127.0.0.1:{RECV}", "--loss", "5%"),
                    "echo": ("echo", "--port", ECHO, "--transport", "gtudp"),
                    "listen": ("message", "listen", "--bind", MESSAGES)}[kind]
            self.servers[role] = self.start(role, *args)

    def start_client(self):
        number = len(self.lives)
        match self.random.choice(("send", "send", "message", "latency")):
            case "send":
                port = self.random.choice((RECV, RELAY))
                client = self.start("send", "send", "--to", f"127.0.0.1:{port}", f"text {number}")
            case "message":
                own = f"127.78.{number >> 8 & 255}.{number & 255}"
                client = self.start("message", "message", "send", "--bind", own, "--to", MESSAGES, f"text {number}")
            case "latency":
                client = self.start("latency", "latency", "--to", f"127.0.0.1:{ECHO}", "--transport", "gtudp", "--rate",
                                    200, "--duration", "500ms")
        client.text = f"text {number}"
        self.clients.append(client)

    def say(self):
        """A message to all other nodes."""
        role = f"node {self.random.randrange(NODES)}"
        life = self.servers[role]
        self.lines[life] += 1
        try:
            life.process.stdin.write(f"send * {life.out.stem} {self.lines[life]}\n".encode())
            life.process.stdin.flush()
        except OSError:  # it has ended
            pass

    def disturb(self):
        role = self.random.choice(list(self.servers))
        life = self.servers[role]
        what = self.random.random()
        if what < 0.5:
            life = self.random.choice([life, *self.clients])
            life.stall()
            self.stalled.append((time.monotonic() + self.random.choice((0.05, 0.5, 3)), life))
            return
        life.end(kill=what < 0.75)
        self.await_end(life)
        self.start_server(role)

    def await_end(self, life):
        if not life.wait():
            self.fail(life, "does not end")

    def play(self, duration_s):
        for role in ("recv", "relay", "echo", "listen", *(f"node {index}" for index in range(NODES))):
            self.start_server(role)
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            for life in [life for when, life in self.stalled if when <= time.monotonic()]:
                life.resume()
            self.stalled = [(when, life) for when, life in self.stalled if when > time.monotonic()]
            self.clients = [client for client in self.clients if client.running()]
            if len(self.clients) < CLIENTS_MAX:
                self.start_client()
            self.say()
            if self.random.random() < 0.1:
                self.disturb()
            time.sleep(0.02)
        self.finish()

    def finish(self):
        for life in self.lives:
            life.resume()
        for client in self.clients:
            self.await_end(client)
        for life in self.servers.values():
            life.end(kill=False)
        for life in self.lives:
            self.await_end(life)
        self.segment.close()

    # ---- what was promised ----

    def fail(self, life, what):
        self.wrong.append(f"{life}: {what}")

    def of(self, role):
        return [life for life in self.lives if life.role.split()[0] == role]

    def check(self):
        for life in self.lives:
            self.check_end(life)
        if not self.wrong:
            self.check_delivery("send", "recv")
            self.check_delivery("message", "listen")
            self.check_order()
        return self.wrong

    def check_end(self, life):
        code = life.process.returncode
        allowed = {-signal.SIGKILL} if life.killed else {DONE, 128 + signal.SIGTERM} if life.terminated else \
            {DONE, FAILED, UNREACHABLE}
        # A signal may arrive before the program can handle it.
        if life.terminated and code == -signal.SIGTERM and not life.out.read_bytes():
            return
        if code not in allowed:
            self.fail(life, f"exit code {code}, not {allowed}: {life.err.read_text(errors='replace')[-2000:]}")
        elif "Sanitizer" in life.err.read_text(errors="replace"):
            self.fail(life, "a sanitizer's report")
        try:
            events = life.events()
        except Exception as error:
            return self.fail(life, f"not JSON as documented: {error}")
        if not life.killed and code != UNREACHABLE and (not events or events[-1]["event"] != "summary"):
            self.fail(life, "no summary")

    def check_delivery(self, client_role, server_role):
        servers = self.of(server_role)
        delivered = {server: collections.Counter(server.texts()) for server in servers}
        for client in self.of(client_role):
            times = [counts[client.text] for counts in delivered.values()]
            killed = any(server.killed and server.overlaps(client) for server in servers)
            if client.process.returncode == DONE and sum(times) == 0 and not killed:
                self.fail(client, "confirmed, but delivered nowhere")
            # Behind a relay that started again it is another peer.
            relays = [relay for relay in self.of("relay") if relay.overlaps(client)]
            through = f":{RELAY}" in " ".join(client.args)
            if max(times) > 1 and not (through and len(relays) > 1):
                self.fail(client, f"delivered {max(times)} times")

    def check_order(self):
        """What one node sends to another arrives in order and once."""
        for receiver in self.of("node"):
            last = collections.Counter()
            for text in receiver.texts():
                sender, number = text.split()
                if int(number) <= last[sender]:
                    self.fail(receiver, f"{text} after {last[sender]}")
                last[sender] = int(number)


def main():
    support.binary = str(pathlib.Path(sys.argv[1]).resolve())
    seconds = float(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(2**32)
    logs = pathlib.Path(tempfile.mkdtemp(prefix="chaos-"))
    print(f"seed {seed}", flush=True)
    chaos = Chaos(seed, logs)
    chaos.play(seconds)
    wrong = chaos.check()
    count = collections.Counter(life.role.split()[0] for life in chaos.lives)
    print(", ".join(f"{role} {number}" for role, number in sorted(count.items())), flush=True)
    confirmed = sum(client.process.returncode == DONE for client in chaos.of("send"))
    received = sum(len(node.texts()) for node in chaos.of("node")) if not wrong else 0
    killed, terminated = (sum(getattr(life, how) for life in chaos.lives) for how in ("killed", "terminated"))
    print(f"killed {killed}, terminated {terminated}; "
          f"{confirmed} sends confirmed, {received} messages between nodes")
    if wrong:
        print("\n".join(wrong) + f"\nlogs: {logs}")
        return 1
    shutil.rmtree(logs)
    print("nothing wrong")
    return 0


if __name__ == "__main__":
    sys.exit(main())
