#!/usr/bin/env python3
"""check.py ROOT BUILD: makes the Debian packages of a build, installs them, uses them, and removes them again. Where
lintian is installed it must find no fault.

They are installed in a copy of this host that exists in memory only: a file system over its root, mounted where no other
process sees it. Nothing is downloaded, so the packages must find what they depend on here.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
PATIENCE_S = 240
PACKAGES = ["ringpost", "libringpost0", "libringpost-dev", "python3-ringpost"]
# $1: where to mount, $2: the directory of the packages, $3: a script to run in the copy.
MOUNT = """
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root" || exit 77
mount --bind /dev "$1/root/dev"
mount -t proc proc "$1/root/proc"
mkdir -p "$1/root/packages"
cp "$2"/*.deb "$1/root/packages"
chroot "$1/root" bash -euc "$3"
# What a package has left behind; the character devices mark what was removed.
find "$1/upper" -name '*ringpost*' ! -type c ! -path "$1/upper/packages/*" ! -path "$1/upper/tmp/*"
"""
# Prints nothing if all is well.
USE = """
dpkg --install /packages/*.deb >/tmp/installed 2>&1 || { cat /tmp/installed; exit 1; }
dpkg --verify PACKAGES
cd /
version=$(/usr/bin/ringpost --version)
[[ $version == "ringpost VERSION"* ]] || echo "--version prints $version"
/usr/bin/ringpost load --self --rate 1k --duration 50ms --backend mmsg >/tmp/load 2>&1 || cat /tmp/load
env -u PYTHONPATH -u RINGPOST_LIBRARY /usr/bin/python3 -c 'import ringpost; assert ringpost.__file__.startswith("/usr/lib/python3")'
for unit in sink echo node; do
    [ -f /lib/systemd/system/ringpost-$unit.service ] || echo "no ringpost-$unit.service"
    [ ! -e /etc/systemd/system/multi-user.target.wants/ringpost-$unit.service ] || echo "ringpost-$unit is enabled"
done
[ -f /usr/share/man/man1/ringpost-load.1.gz ] || echo "no manual page"
dpkg --purge PACKAGES >/tmp/purged 2>&1 || { cat /tmp/purged; exit 1; }
""".replace("PACKAGES", " ".join(PACKAGES))


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def start_lintian(packages):
    """None if it is not installed."""
    if shutil.which("lintian") is None:
        print("lintian: not installed, so not run")
        return None
    # Of who builds them, and of the compression that this test leaves out.
    ignored = ["bogus-mail-host", "bogus-mail-host-in-debian-changelog", "root-in-contact",
               "uses-no-compression-for-control-tarball", "uses-no-compression-for-data-tarball"]
    return subprocess.Popen(["lintian", "--allow-root", "--fail-on", "error,warning", "--suppress-tags", ",".join(ignored),
                             *packages.glob("*.deb")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def main(root, build):
    missing = [name for name in ("dpkg-buildpackage", "dh", "dh_python3", "unshare") if shutil.which(name) is None]
    if missing:
        skip(f"{', '.join(missing)}: not installed")
    if os.geteuid() != 0:
        skip("only root may install packages")
    with tempfile.TemporaryDirectory(dir=build) as directory:
        packages, mounted = pathlib.Path(directory, "packages"), pathlib.Path(directory, "root")
        mounted.mkdir()
        # Compressing takes longer than all else.
        made = subprocess.run([root / "scripts" / "package", "--build", build, "--into", packages], capture_output=True,
                              text=True, timeout=PATIENCE_S, env=os.environ | {"DPKG_DEB_COMPRESSOR_TYPE": "none"})
        if "is configured for" in made.stderr:
            skip(made.stderr.strip())
        if made.returncode != 0:
            sys.exit(made.stderr)
        names = sorted(path.name.split("_")[0] for path in packages.glob("*.deb"))
        if names != sorted(PACKAGES):
            sys.exit(f"the packages are {names}")
        lintian = start_lintian(packages)
        version = next(packages.glob("ringpost_*")).name.split("_")[1]
        used = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--propagation=private", "bash", "-c", MOUNT, "bash",
                               mounted, packages, USE.replace("VERSION", version)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE_S)
        faults = lintian.communicate(timeout=PATIENCE_S)[0] if lintian else ""
    if lintian and lintian.returncode != 0:
        sys.exit(faults)
    if used.returncode == SKIPPED or "unshare failed" in used.stderr:
        skip(used.stderr.strip())
    print(used.stdout + used.stderr, end="")
    sys.exit(1 if used.returncode != 0 or used.stdout or used.stderr else 0)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
