#!/usr/bin/env python3
"""install.py ROOT BUILD: installs a build below a directory of its own, and uses the library from outside the tree.

Every program of engine/examples, in C++, C and Python, is compiled against what is installed with the flags that
pkg-config prints, and run; one of each language also through CMake, statically, and by clang. The loader refuses a
library of another version.
"""

import concurrent.futures
import contextlib
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

EXAMPLE_LINES_MAX = 59
PATIENCE_S = 300
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]


class Installed:
    """A build, installed below `root`."""

    def __init__(self, build, root):
        self.root = root
        run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", root])
        self.lib = next(root.rglob("libringpost.so")).parent
        self.environment = os.environ | {
            "LD_LIBRARY_PATH": str(self.lib),
            "PKG_CONFIG_PATH": str(self.lib / "pkgconfig"),
            "PKG_CONFIG_SYSROOT_DIR": str(root),
        }

    def flags(self, *options):
        return run(["pkg-config", *options, "ringpost"], env=self.environment).split()


def run(command, **options):
    """What the command prints. Ends the test if it fails."""
    command = [str(each) for each in command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, **options)
    if done.returncode != 0:
        sys.exit(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def compile_program(installed, source, program, compiler=None, static=False):
    compiler, standard = ("gcc", "c99") if source.suffix == ".c" else (compiler or "g++", "c++23")
    flags = [*installed.flags("--cflags"), *installed.flags("--libs", *(["--static"] if static else []))]
    if static:  # the shared library, which the linker would prefer, is beside it
        flags = [str(installed.lib / "libringpost.a") if flag == "-lringpost" else flag for flag in flags]
    run([compiler, f"-std={standard}", *WARNINGS, source, "-o", program, *flags])


def compile_by_cmake(installed, source, directory):
    here = pathlib.Path(__file__).parent / "cmake"
    run(["cmake", "-S", here, "-B", directory, f"-DSOURCE={source}", f"-DLANGUAGE={'C' if source.suffix == '.c' else 'CXX'}",
         f"-Dringpost_DIR={installed.lib}/cmake/ringpost"])
    run(["cmake", "--build", directory, "--parallel", "2"])


def ask_responder(program, environment):
    """The DNS responder answers a query with 192.0.2.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        port = client.getsockname()[1] ^ 1  # free in this network
        responder = subprocess.Popen([program, str(port)], env=environment)
        try:
            client.settimeout(0.1)
            query = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + b"\x04name\x00" + struct.pack(">2H", 1, 1)
            give_up = time.monotonic() + PATIENCE_S
            while time.monotonic() < give_up:
                try:  # refused until it listens
                    client.sendto(query, ("127.0.0.1", port))
                    reply = client.recv(512)
                except (TimeoutError, ConnectionError):
                    continue
                if reply[:2] == query[:2] and reply.endswith(bytes([192, 0, 2, 1])):
                    return
                sys.exit(f"dns_responder answered {reply}")
            sys.exit("dns_responder does not answer")
        finally:
            responder.kill()
            responder.wait()


def run_python(installed, script):
    """With the package that was installed, which finds the library by its name."""
    package = next(installed.root.rglob("ringpost/py.typed")).parent.parent
    run(["/usr/bin/python3", "-I", "-c", f"import sys, runpy; sys.path.insert(0, {str(package)!r}); "
         f"import ringpost; assert ringpost.__file__.startswith({str(package)!r}); runpy.run_path({str(script)!r})"],
        env={name: value for name, value in installed.environment.items() if name != "RINGPOST_LIBRARY"})


@contextlib.contextmanager
def native_echo(installed, directory):
    """What the programs named hello connect to, from a directory with its key."""
    ringpost = next(path for path in installed.root.rglob("ringpost") if path.parent.name == "bin")
    key = directory / "cluster.psk"
    key.touch(0o600)
    key.write_text(run([ringpost, "key", "shared"]))
    server = subprocess.Popen([ringpost, "echo", "--transport", "native", "--psk", key, "--bind", "127.0.0.1", "--port",
                               "7000"], stderr=subprocess.PIPE, text=True)
    try:
        if "listening" not in server.stderr.readline():
            sys.exit("the echo of hello does not listen")
        yield
    finally:
        server.kill()
        server.wait()
        server.stderr.close()


def check_wrong_version(installed, program, directory):
    """A program finds a library of the same name without the version of its interface."""
    run(["gcc", "-shared", "-Wl,-soname,libringpost.so.0", "-o", directory / "libringpost.so.0", "-x", "c", os.devnull])
    done = subprocess.run([program], capture_output=True, text=True, timeout=PATIENCE_S,
                          env=installed.environment | {"LD_LIBRARY_PATH": str(directory)})
    if done.returncode == 0 or not re.search(r"RINGPOST_\d+\.\d+|undefined symbol", done.stderr):
        sys.exit(f"another version of the library: {done.returncode} {done.stderr}")


def check_dependencies(installed):
    """The library brings no allocator, and its headers no other headers."""
    needed = run(["readelf", "-d", installed.lib / "libringpost.so"])
    if "mimalloc" in needed:
        sys.exit("libringpost.so needs mimalloc")


def main():
    tree, build = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    scripts = sorted((tree / "engine" / "examples").glob("*.py"))
    examples = sorted((tree / "engine" / "examples").glob("*.c*"))
    for example in [*examples, *scripts]:
        if example.read_text().count("\n") > EXAMPLE_LINES_MAX:
            sys.exit(f"{example.name} has more than {EXAMPLE_LINES_MAX} lines")
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        installed = Installed(build, directory / "root")
        check_dependencies(installed)
        own_loop, in_c = tree / "engine" / "examples" / "own_loop.cpp", tree / "engine" / "examples" / "in_c.c"
        tasks = [lambda: compile_by_cmake(installed, own_loop, directory / "cmake"),
                 lambda: compile_by_cmake(installed, in_c, directory / "cmake_c"),
                 lambda: compile_program(installed, in_c, directory / "in_c_static", static=True),
                 lambda: compile_program(installed, own_loop, directory / "own_loop_static", static=True),
                 lambda: compile_program(installed, own_loop, directory / "own_loop_clang", compiler="clang++-19")]
        tasks += [lambda example=example: compile_program(installed, example, directory / example.stem)
                  for example in examples]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for task in [pool.submit(task) for task in tasks]:
                task.result()
        programs = [*(directory / example.stem for example in examples), directory / "own_loop_static",
                    directory / "own_loop_clang", directory / "in_c_static",
                    *(directory / cmake / kind for cmake in ("cmake", "cmake_c") for kind in ("shared", "static"))]
        os.chdir(directory)
        with native_echo(installed, directory):
            for program in programs:
                if program.name == "dns_responder":
                    ask_responder(program, installed.environment)
                else:
                    run([program], env=installed.environment)
            for script in scripts:
                run_python(installed, script)
        check_wrong_version(installed, directory / "own_loop", directory)
        print(f"{len(programs) + len(scripts)} programs compiled and run from the installed library")


if __name__ == "__main__":
    main()
