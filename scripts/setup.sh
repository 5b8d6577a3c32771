# Sourced by the other scripts: installs packages and configures builds. Expects Debian 12.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

build_packages=(g++ meson ninja-build pkg-config liburing-dev libseccomp-dev libmimalloc-dev libcli11-dev
                libfmt-dev nlohmann-json3-dev libdeflate-dev libpcap-dev prometheus-cpp-dev
                libssl-dev libsodium-dev libipsec-mb-dev)
test_packages=(git libgtest-dev libbenchmark-dev python3 iproute2 binutils clang-19 clang-tidy-19 clang-format-19
               lld-19 libclang-rt-19-dev dnsmasq-base chromium libopenmpi-dev openmpi-bin cmake libboost-dev
               mandoc mypy tshark zsh debhelper dh-python dpkg-dev golang-go golang-github-flynn-noise-dev
               python3-dissononce)
# Servers that tests start for themselves and measure. Installing them starts system services unless a policy forbids
# that, as in container images. Without such a policy they are not installed, and their tests are skipped.
[ ! -x /usr/sbin/policy-rc.d ] || test_packages+=(memcached chrony snmpd libcoap3-bin rsyslog kamailio)
bench_packages=(libbenchmark-dev libenet-dev libzmq3-dev python3 sockperf iperf3 dnsperf dnsmasq-base)

# need PACKAGE...: installs the missing packages and lists them. Takes milliseconds when none is missing.
need() {
    local missing=() package
    local installed
    # dpkg-query fails when it does not know a package: that one is missing.
    installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' "$@" 2>/dev/null || true) "
    for package in "$@"; do
        case $installed in *" installed:$package "*) ;; *) missing+=("$package") ;; esac
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "installing: ${missing[*]}" >&2
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    {
        "${as_root[@]}" apt-get update -qq &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get install -qq -y --no-install-recommends "${missing[@]}"
    } >&2 || { echo "could not install: ${missing[*]}" >&2; return 1; }
}

# configure DIR [MESON OPTION...]: sets up a build, again when compiler or options have changed. ninja does the rest.
configure() {
    local dir=$1
    shift
    local wanted="${CXX:-} $*"
    if [ -f "$dir/build.ninja" ] && [ "$(cat "$dir.options" 2>/dev/null)" = "$wanted" ]; then return 0; fi
    rm -rf "$dir"
    meson setup "$dir" "$root" "$@" >"$dir.log" 2>&1 || { cat "$dir.log" >&2; return 1; }
    echo "$wanted" >"$dir.options"
}

mkdir -p "$root/build"
