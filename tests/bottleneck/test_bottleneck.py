#!/usr/bin/env python3
"""test_bottleneck.py DIRECTORY: the programs of scripts/bottleneck do what its figures rely on."""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import path

programs = ""
RATE_MBIT = 20
BYTES = 512 << 10


@unittest.skipUnless(os.access("/dev/net/tun", os.R_OK | os.W_OK), "/dev/net/tun is missing or not permitted")
class Bottleneck(unittest.TestCase):
    def transfer(self, protocol, *options, queue_bdp=1):
        """A transfer over 20 ms; the counters of both directions."""
        with path.Path(programs, RATE_MBIT, 20, queue_bdp, *options) as carried:
            flow = path.Flow(carried, protocol, 7000, bytes=BYTES)
            flow.finish(path.support.patience_s)
            end_ns, received = flow.received(path.support.patience_s)[-1]
            self.assertEqual(received, BYTES)
            least_ns = BYTES * 8e3 / RATE_MBIT
            self.assertGreater(end_ns - flow.started_ns, least_ns, "faster than the link")
            devices = [carried.device_counts(host) for host in range(2)]
            counts = carried.end()
        for direction in range(2):
            self.agree(counts[direction], devices[direction], devices[1 - direction])
        return counts

    def agree(self, counts, source, target):
        """Packets may be on their way when the counters are read, or come after that: acknowledgements."""
        dropped = counts["lost"] + counts["overflowed"] + counts["dropped_codel"]
        self.assertLessEqual(counts["packets_out"] + dropped, counts["packets_in"])
        self.assertGreaterEqual(counts["packets_in"], source["sent"])
        self.assertGreaterEqual(counts["packets_out"], target["received"])
        self.assertEqual((source["dropped"], target["dropped"], counts["refused"]), (0, 0, 0))

    def test_both_protocols_arrive(self):
        for protocol in "native", "tcp":
            with self.subTest(protocol=protocol):
                forth, back = self.transfer(protocol)
                self.assertGreater(forth["bytes_in"], BYTES)
                self.assertEqual((forth["lost"], forth["marked"], back["overflowed"]), (0, 0, 0))

    def test_losses_and_late_packets_are_repaired(self):
        for protocol in "native", "tcp":
            with self.subTest(protocol=protocol):
                forth, _ = self.transfer(protocol, "loss=0.02", "late=0.02:5")
                self.assertGreater(forth["lost"], 0)

    def test_codel_bounds_the_queue(self):
        forth, _ = self.transfer("native", "codel", "ecn", queue_bdp=8)
        self.assertEqual(forth["marked"], 0, "the native transport is not capable of ECN yet")


if __name__ == "__main__":
    programs = sys.argv.pop(1)
    unittest.main()
