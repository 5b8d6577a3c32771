#!/usr/bin/env python3
"""check.py OURS FOREIGN [BUILD_DIRECTORY]: handshakes and packets between our Noise and another implementation.

FOREIGN is `dissononce` (Python) or `flynn` (Go). For each handshake of a plan one program is the initiator and one the
responder, joined by pipes; then they take turns to send a packet, whose header is associated data. In the middle of the
packets both replace their keys by Noise's Rekey(). Each handshake is played in both roles. Exits with 77 if the other
implementation is not installed.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
PATTERNS = ["NNpsk0", "NK", "IK", "IKpsk2"]
CIPHERS = ["AESGCM", "ChaChaPoly"]
HANDSHAKES_PER_NAME = 13  # 104 in all
PACKETS, PACKETS_SHORT = 1_000, 10
SKIPPED = 77


def plan():
    """A line for each handshake: pattern, cipher, static secrets, ephemeral secrets, shared secret, prologue, packets."""
    for pattern in PATTERNS:
        for cipher in CIPHERS:
            for number in range(HANDSHAKES_PER_NAME):
                keys = [hashlib.sha256(f"{pattern} {cipher} {number} {what}".encode()).hexdigest()
                        for what in ("initiator", "responder", "initiator e", "responder e", "psk", "prologue")]
                yield " ".join([pattern, cipher, *keys, str(PACKETS if number == 0 else PACKETS_SHORT)])


def foreign_command(name, build):
    """How to start the other implementation, or None and why not."""
    if name == "dissononce":
        # Debian's own Python: only that one has Debian's packages.
        python = "/usr/bin/python3"
        if subprocess.run([python, "-c", "import dissononce"], capture_output=True).returncode != 0:
            return None, "install python3-dissononce"
        return [python, str(HERE / "dissononce_peer.py")], ""
    sources = pathlib.Path("/usr/share/gocode")
    if shutil.which("go") is None or not (sources / "src/github.com/flynn/noise").exists():
        return None, "install golang-go and golang-github-flynn-noise-dev"
    program = build / "flynn_peer"
    environment = os.environ | {"GO111MODULE": "off", "GOPATH": str(sources), "GOCACHE": str(build / "go-cache"),
                                "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", program, HERE / "flynn_peer.go"], check=True, env=environment)
    return [str(program)], ""


def play(initiator, responder, plan_file):
    to_initiator, to_responder = os.pipe(), os.pipe()
    first = subprocess.Popen([*initiator, "initiator", plan_file], stdin=to_initiator[0], stdout=to_responder[1])
    second = subprocess.Popen([*responder, "responder", plan_file], stdin=to_responder[0], stdout=to_initiator[1])
    for end in (*to_initiator, *to_responder):
        os.close(end)
    return first.wait() == 0 and second.wait() == 0


def main():
    ours, name = [sys.argv[1]], sys.argv[2]
    build = pathlib.Path(sys.argv[3]).absolute()
    build.mkdir(exist_ok=True)
    foreign, missing = foreign_command(name, build)
    if foreign is None:
        print(f"skipped: {missing}")
        return SKIPPED
    failed = []
    with tempfile.NamedTemporaryFile("w") as plan_file:
        lines = list(plan())
        plan_file.write("\n".join(lines) + "\n")
        plan_file.flush()
        for role, initiator, responder in (("initiator", ours, foreign), ("responder", foreign, ours)):
            passed = play(initiator, responder, plan_file.name)
            print(f"ours as {role}, {name} as the other: {len(lines)} handshakes {'passed' if passed else 'FAILED'}")
            failed += [] if passed else [role]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
