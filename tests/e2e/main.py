"""main.py RINGPOST [UNITTEST ARGUMENT...]: end-to-end tests of the command, against foreign programs where possible."""

import pathlib
import signal
import sys
import unittest

import support


def run_tests():
    # Commands inherit what is ignored, and nohup ignores SIGHUP.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    support.binary = str(pathlib.Path(sys.argv.pop(1)).resolve())
    here = pathlib.Path(__file__).parent
    if len(sys.argv) == 1:  # run all tests
        sys.argv += sorted(path.stem for path in here.glob("test_*.py"))
    unittest.main(module=None, verbosity=2)


if __name__ == "__main__":
    run_tests()
