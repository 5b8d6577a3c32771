"""python.py RINGPOST [UNITTEST ARGUMENT...]: tests of the Python package."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
import support  # noqa: E402, of the end-to-end tests

if __name__ == "__main__":
    support.binary = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main(module=None, verbosity=2)
