"""python_rate.py BACKEND SECONDS: the rate of 64-byte gtUDP messages between two Python processes, each on its own
core, through send_many() and receive_many(), which makes a bytes object and a sender's address of each message. Every message
is confirmed and checked. Prints one JSON object."""

import json
import multiprocessing
import os
import sys
import time

from ringpost import gtudp

HOST = "127.0.0.1"
MESSAGE_BYTES = 64
BATCH = 1024


def receive(backend, ready, stop):
    os.sched_setaffinity(0, {1})
    with gtudp.Messenger((HOST, 0), backend=backend, wait="spin") as messenger:
        ready.send(messenger.local)
        count = 0
        expected = bytes(MESSAGE_BYTES)
        taken = 0
        while taken > 0 or not stop.is_set():  # what was confirmed before the stop is taken, too
            taken = 0
            for _ in range(64):
                for data, _ in messenger.receive_many(timeout=0):
                    if data != expected:
                        sys.exit("a message is not as it was sent")
                    taken += 1
            count += taken
        ready.send(count)


def main():
    backend, seconds = sys.argv[1], float(sys.argv[2])
    here, there = multiprocessing.Pipe()
    stop = multiprocessing.Event()
    process = multiprocessing.Process(target=receive, args=(backend, there, stop))
    process.start()
    os.sched_setaffinity(0, {0})
    peer = here.recv()
    messages = [bytes(MESSAGE_BYTES)] * BATCH
    with gtudp.Messenger((HOST, 0), backend=backend, wait="spin", report_outcomes=False) as messenger:
        start = time.monotonic()
        sent = 0
        while time.monotonic() < start + seconds:
            sent += messenger.send_many(messages, peer)
            messenger.poll()
        while messenger.in_flight > 0:
            messenger.poll()
        duration_s = time.monotonic() - start
        confirmed = messenger.counters()["confirmed"]
    stop.set()
    received = here.recv()
    process.join()
    if not sent == confirmed == received:
        sys.exit(f"sent {sent}, confirmed {confirmed}, received {received}")
    print(json.dumps({"confirmed": confirmed, "rate_per_s": confirmed / duration_s}))


if __name__ == "__main__":
    main()
