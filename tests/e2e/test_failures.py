"""System calls and allocations that fail: a command carries on, or ends in order with a line that gives the reason.

$RINGPOST_SEED chooses others, $RINGPOST_CASES how many; a failing case prints the command that repeats it.
"""

import concurrent.futures
import os
import pathlib
import random
import tempfile
import unittest
import unittest.mock

import failing
import support
from support import backends

seed = int(os.environ.get("RINGPOST_SEED", 1))


def cases_of(default):
    return int(os.environ.get("RINGPOST_CASES", default))


def is_sanitized():
    return b"__asan_init" in pathlib.Path(support.binary).read_bytes()


class Failures(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(seed)
        if is_sanitized():
            # It starts a process when the command ends, which must not be traced.
            set_options = unittest.mock.patch.dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
            set_options.start()
            self.addCleanup(set_options.stop)

    def commands(self):
        return [command for backend in backends() for command in failing.commands(backend)]

    def check(self, life, how):
        self.assertEqual(life.wrong(), "", f"{how}\n{life}")

    def run_all(self, job, cases):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return list(pool.map(job, cases))


class SystemCalls(Failures):
    def test_one_fails(self):
        if not failing.permitted():
            self.skipTest("no strace, or it may not trace")
        if is_sanitized():
            for call in ("mmap", "mprotect", "madvise", "clone3"):  # of the sanitizer, too
                failing.errors.pop(call, None)
        cases = []
        commands = self.commands()
        for command, traced in zip(commands, self.run_all(failing.Traced, commands)):
            self.check(traced.life, "nothing fails")
            calls = traced.calls_of_main()
            # First a kind of call, so that the frequent ones do not suppress the others.
            for name in sorted({name for name, _ in calls}):
                number = self.random.choice([number for of, number in calls if of == name])
                error = self.random.choice(failing.errors[name].split())
                cases.append((command, f"{name}:error={error}:when={number}"))
        cases = self.random.sample(cases, min(cases_of(10 if is_sanitized() else 40), len(cases)))
        reached = 0
        for case, traced in zip(cases, self.run_all(lambda case: failing.Traced(*case), cases)):
            with self.subTest(case):
                self.check(traced.life, case)
            reached += traced.injected()
        self.assertGreater(reached, len(cases) / 2)


class Allocations(Failures):
    def test_one_and_all_after_it_fail(self):
        library = os.environ.get("RINGPOST_FAILING_ALLOCATIONS")
        if not library:
            self.skipTest("without $RINGPOST_FAILING_ALLOCATIONS, the library")
        cases = []
        for command in self.commands():
            with tempfile.NamedTemporaryFile("r") as count:
                counted = {"LD_PRELOAD": library, "FAILING_ALLOCATION_COUNT": count.name}
                life = failing.Life(command, environment=counted)
                self.check(life, "nothing fails")
                allocations = int(count.read())
            cases += [(command, self.random.randint(1, allocations)) for _ in range(cases_of(6))]

        def fail(case):
            command, number = case
            return failing.Life(command, environment={"LD_PRELOAD": library, "FAILING_ALLOCATION": str(number)})

        for case, life in zip(cases, self.run_all(fail, cases)):
            with self.subTest(case):
                self.check(life, case)
                self.assertTrue(life.code in (0, 143) or "memory" in life.err, life)
