"""load and latency under mpirun: several processes, one report."""

import json
import os
import shutil
import signal
import subprocess
import unittest
import unittest.mock

import support
from support import Background, Segment, die_with_parent, parse_events, patience_s, run, tried, until, until_read
from test_runs import Directories

MPIRUN = ("mpirun", "--allow-run-as-root", "--oversubscribe", "--mca", "btl_vader_single_copy_mechanism", "none")


def built_with_mpi():
    environment = os.environ | {"OMPI_COMM_WORLD_SIZE": "2"}
    summary = subprocess.run([support.binary, "load", "--to", "127.0.0.1:9", "--duration", "1ms"], env=environment,
                          capture_output=True, text=True, timeout=patience_s)
    return "built without MPI" not in summary.stderr


class Agents(Directories):
    def setUp(self):
        super().setUp()
        # Leaks of MPI's plugins, once unloaded, cannot be distinguished from leaks of ringpost.
        patched = unittest.mock.patch.dict(os.environ, {"ASAN_OPTIONS": "detect_leaks=0"})
        patched.start()
        self.addCleanup(patched.stop)
        if not shutil.which("mpirun"):
            self.skipTest("mpirun is not installed: apt-get install --no-install-recommends openmpi-bin")
        if not built_with_mpi():
            self.skipTest("built without MPI")

    def mpirun(self, *args):
        """Four agents; what they printed together, and how it ended.

        mpirun itself crashes now and then, ended by a signal, when several agents fail at once. It reports an agent that
        a signal has ended by an exit code of its own.
        """
        return tried(lambda: run(*args, by=(*MPIRUN, "-n", "4")), lambda done: done.code >= 0)

    def test_four_load_one_sink(self):
        with Background("sink", "--port", 0, "--bind", "127.0.0.1", "--json") as sink:
            port = sink.port()
            done = self.mpirun("load", "--to", f"127.0.0.1:{port}", "--rate", 100, "--duration", "3s", "--json",
                               "--out", self.base / "run")
            self.assertEqual(done.code, 0, done)
            until_read(port)
            received = sink.stop().summary()
        summary = [event for event in parse_events(done.out) if event["event"] == "summary"]
        self.assertEqual(len(summary), 1, "one report")
        self.assertEqual((summary[0]["agents"], summary[0]["rate_asked"]), (4, 100))
        self.assertEqual((received["received"], received["streams"]), (summary[0]["sent"], 4))
        self.assertLessEqual(summary[0]["sent"], 301)
        kept = [json.loads((self.base / "run" / str(rank) / "run.json").read_text())["results"] for rank in range(4)]
        self.assertEqual(sum(each["sent"] for each in kept), summary[0]["sent"])
        merged = run("merge", *(self.base / "run" / str(rank) for rank in range(4)), "--json").summary()
        self.assertEqual(merged["sent"], summary[0]["sent"])
        self.assertEqual(merged["slip_us"]["p99"], summary[0]["slip_us"]["p99"],
                         "the same histogram, merged differently")

    def test_four_measure_one_echo(self):
        with Background("echo", "--port", 0, "--bind", "127.0.0.1", "--json") as echo:
            done = self.mpirun("latency", "--to", f"127.0.0.1:{echo.port()}", "--count", 102, "--json")
        self.assertEqual(done.code, 0, done)
        summary = done.summary()
        self.assertEqual((summary["agents"], summary["sent"], summary["received"]), (4, 102, 102))

    def test_four_find_the_maximum_rate(self):
        """Every trial runs on all agents, so that they find a single rate."""
        with Background("echo", "--port", 0, "--bind", "127.0.0.1", "--json") as echo:
            done = self.mpirun("latency", "--to", f"127.0.0.1:{echo.port()}", "--find-max", "--loss", "5%", "--duration",
                               "40ms", "--timeout", "50ms", "--json")
        summary, trials = done.summary(), done.events("trial")
        self.assertEqual(len(done.events("summary")), 1, "one report")
        self.assertEqual(summary["trials"], len(trials))
        if done.code in (1, 5):  # a busy machine may lose probes or be late at any rate
            self.assertIsNone(summary["found_per_s"])
            return
        self.assertEqual(done.code, 0, done)
        confirmed = [trial["rate_asked"] for trial in trials if trial["outcome"] == "confirmed"]
        self.assertEqual(confirmed[-3:], [summary["found_per_s"]] * 3)

    def test_when_one_fails_all_end(self):
        done = self.mpirun("load", "--to", "127.0.0.1:9", "--duration", "1s", "--prometheus", "127.0.0.1:1x")
        self.assertEqual(done.code, 2, done)
        self.assertIn("--prometheus 127.0.0.1:1x", done.err)
        self.assertNotIn("MPI_ABORT", done.err, "found before MPI is involved")
        with Background("sink", "--port", 0, "--bind", "127.0.0.1", "--json") as sink:
            command = [*MPIRUN, "-n", "4", support.binary, "load", "--to", f"127.0.0.1:{sink.port()}", "--rate", "1k",
                       "--duration", "60s"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                  preexec_fn=die_with_parent) as agents:
                until(lambda: len(children(agents.pid)) == 4, "four agents run")
                os.kill(children(agents.pid)[2], signal.SIGKILL)
                agents.communicate(timeout=patience_s)
                self.assertNotEqual(agents.returncode, 0)

    def test_each_on_its_own_host(self):
        """Agents in network namespaces on a bridge, which connects them to mpirun."""
        segment = Segment(3)
        self.addCleanup(segment.close)
        segment.switch.ip("addr add 10.78.0.254/24 dev br0")
        segment.switch.ip("link set lo up")
        sink_host, *hosts = segment.hosts
        with sink_host.call(lambda: Background("sink", "--port", 4000, "--json")) as sink:
            sink.port()
            agents = []
            for host in hosts:
                agents += [*([":"] if agents else []), "-n", "1", "nsenter",
                           f"--net=/proc/{os.getpid()}/task/{host.id}/ns/net", support.binary, "load", "--to",
                           f"{sink_host.address}:4000", "--rate", "100", "--duration", "3s", "--json"]
            environment = os.environ | {"PMIX_MCA_ptl_tcp_if_include": "br0", "PMIX_MCA_ptl_tcp_remote_connections": "1",
                                        "PMIX_MCA_ptl_tcp_disable_ipv6": "1"}
            done = segment.switch.call(lambda: subprocess.run(
                [*MPIRUN, "--mca", "oob_tcp_if_include", "br0", *agents], stdin=subprocess.DEVNULL, capture_output=True,
                text=True, timeout=patience_s, env=environment, preexec_fn=die_with_parent))
            self.assertEqual(done.returncode, 0, done)
            summary = parse_events(done.stdout)[-1]
            self.assertEqual(summary["agents"], 2)
            sink_host.call(lambda: until_read(4000))
            received = sink.stop().summary()
        self.assertEqual((received["received"] + received["lost"], received["streams"]), (summary["sent"], 2))


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as pids:
        return [int(child) for child in pids.read().split()]
