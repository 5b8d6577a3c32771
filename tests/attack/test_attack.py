"""test_attack.py RINGPOST: a short attack on every listening command. No time is asserted."""

import concurrent.futures
import itertools
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))
import attack
import cases
import loops
import support
from arena import Arena

PLAN = attack.Plan(sources=200, rate=2_000, parts=1, quiet_s=0, gap_s=0.01, settle_s=0.7)
GROWTH_MAX_MIB = 24
ARENAS = 2  # at once: they mostly wait


class Attacks(unittest.TestCase):
    def test_no_command_amplifies_grows_or_shuts_out_honest_clients(self):
        with tempfile.TemporaryDirectory() as directory:
            every = cases.cases(pathlib.Path(directory))
            with concurrent.futures.ThreadPoolExecutor(ARENAS) as pool:
                running = [pool.submit(self.attack, every[first::ARENAS]) for first in range(ARENAS)]
            for case, result in itertools.chain(*(future.result() for future in running)):
                with self.subTest(f"{case.name}, {case.flood}"):
                    self.assertGreater(result.received_bytes, 28 * PLAN.sources)
                    self.assertTrue(result.ended)
                    self.assertLessEqual(result.amplification, case.bound)
                    self.assertLess(result.resident_mib[-1] - result.resident_mib[0], GROWTH_MAX_MIB)

    @staticmethod
    def attack(chosen):
        with Arena() as arena:
            return [(case, attack.run(arena, case, PLAN)) for case in chosen]


class Loops(unittest.TestCase):
    def test_every_loop_ends(self):
        loops.QUIET_S = 0.5
        for name, datagrams in loops.measured():
            with self.subTest(name):
                self.assertLessEqual(datagrams, loops.ENDED_MAX)


if __name__ == "__main__":
    support.binary = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main(verbosity=2)
