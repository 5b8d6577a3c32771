"""stalls.py RINGPOST [UNITTEST ARGUMENT...]: runs the tests of main.py while their processes are stopped at random.

About every half second one process of the tests, or the tests themselves, stops for half a second and sometimes for
two, like on a shared machine that stalls. A failure points to a test that depends on timing or to a fault of the
program. Not part of the ordinary run; start it with in_own_network.py.
"""

import os
import pathlib
import random
import signal
import time

import main
import support


def children():
    """Maps the id of each process to the ids of its child processes."""
    found = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:  # it has ended
            continue
        found.setdefault(parent, []).append(int(stat.parent.name))
    return found


def family(ancestor):
    started = children()
    found = [ancestor]
    for process in found:
        found += started.get(process, [])
    return found


def stop_at_random(tests):
    while True:
        time.sleep(random.expovariate(2))
        stopped = random.choice([process for process in family(tests) if process != os.getpid()])
        try:
            os.kill(stopped, signal.SIGSTOP)
            time.sleep(2 if random.random() < 0.1 else 0.5)
            os.kill(stopped, signal.SIGCONT)
        except ProcessLookupError:
            pass


if __name__ == "__main__":
    tests = os.getpid()
    if os.fork() == 0:
        support.die_with_parent()
        stop_at_random(tests)
    main.run_tests()
