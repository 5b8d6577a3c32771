"""A command from its start to its end; its output goes to files, which are read when it has ended."""

import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))
import support

END_WITHIN_S = 60  # of SIGTERM, on a machine that may stall


class Life:
    def __init__(self, logs, number, role, *args, stdin=subprocess.DEVNULL):
        self.role, self.args = role, [str(arg) for arg in args]
        self.out = logs / f"{number:05}-{role.replace(' ', '-')}.out"
        self.err = self.out.with_suffix(".err")
        self.started, self.ended = time.monotonic(), None
        self.killed = self.terminated = False
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen([support.binary, *self.args, "--json"], stdin=stdin, stdout=out, stderr=err,
                                            preexec_fn=support.die_with_parent)

    def running(self):
        if self.ended is None and self.process.poll() is not None:
            self.ended = time.monotonic()
        return self.ended is None

    def signal(self, number):
        if self.running():
            self.process.send_signal(number)

    def stall(self):
        """Stops; resume() continues it."""
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def end(self, kill):
        self.killed, self.terminated = self.killed or kill, self.terminated or not kill
        self.signal(signal.SIGKILL if kill else signal.SIGTERM)
        self.resume()

    def wait(self):
        """True if it ended in time."""
        try:
            self.process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False
        finally:
            self.running()
            if self.process.stdin:
                self.process.stdin.close()
        return True

    def overlaps(self, other):
        return self.started <= other.ended and other.started <= self.ended

    def events(self):
        """Of its output; a line that a kill cut off is left out."""
        text = self.out.read_text(errors="replace")
        if self.killed:
            text = text[:text.rfind("\n") + 1]
        return support.parse_events(text)

    def texts(self):
        return [event.get("text", event.get("message")) for event in self.events() if event["event"] == "message"]

    def __str__(self):
        return f"{self.out.name}: ringpost {' '.join(self.args)}: exit {self.process.returncode}"
