#!/usr/bin/env python3
"""Compares recovery::Cubic with RFC 9438, computed here a second time from the RFC's formulas.

    cubic_trace.py PATH_OF_cubic_trace

For each round-trip time and each window at which a packet is lost, plays slow start, four losses (one of them early, so
that fast convergence applies) and two gaps in which the application has nothing to send. Every window must agree within
1 % or one packet; the greatest error is printed.
"""

import subprocess
import sys

BETA, C = 0.7, 0.4  # RFC 9438, 4.6 and 5.1
ALPHA = 3 * (1 - BETA) / (1 + BETA)  # 4.3
NS = 1_000_000_000


class Reference:
    """State variables as named in RFC 9438, section 4.1.2; times in seconds, windows in segments."""

    def __init__(self):
        self.cwnd = 10.0  # RFC 9002, 7.2
        self.ssthresh = None
        self.w_max = self.cwnd_prior = 0.0
        self.k = self.w_est = 0.0
        self.idle = 0.0  # application-limited time of this epoch
        self.t_epoch = None
        self.recovery_until = -1.0  # packets sent until then belong to the last reduction
        self.last_ack = 0.0

    def loss(self, now, sent):
        if sent <= self.recovery_until:
            return
        self.recovery_until = now
        self.w_max = self.cwnd * (1 + BETA) / 2 if self.cwnd < self.w_max else self.cwnd  # 4.7
        self.cwnd_prior = self.cwnd
        self.ssthresh = self.cwnd = max(self.cwnd * BETA, 2)  # 4.6
        self.t_epoch = None

    def ack(self, now, sent, srtt, limited, segments):
        passed, self.last_ack = now - self.last_ack, now
        if sent <= self.recovery_until:
            return
        if limited:  # 5.8
            self.idle += passed
            return
        if self.ssthresh is None or self.cwnd < self.ssthresh:
            self.cwnd += segments
            return
        if self.t_epoch is None:
            self.t_epoch, self.idle = now, 0.0
            self.w_est = self.cwnd
            if self.cwnd >= self.w_max:
                self.w_max, self.k = self.cwnd, 0.0
            else:
                self.k = ((self.w_max - self.cwnd) / C) ** (1 / 3)  # figure 2
        t = now - self.t_epoch - self.idle
        w_cubic = lambda at: C * (at - self.k) ** 3 + self.w_max  # figure 1
        alpha = ALPHA if self.w_est < self.cwnd_prior else 1.0
        self.w_est += alpha * segments / self.cwnd  # figure 4
        if w_cubic(t) < self.w_est:
            self.cwnd = max(self.cwnd, self.w_est)  # 4.3
        else:
            target = min(max(w_cubic(t + srtt), self.cwnd), 1.5 * self.cwnd)  # 4.2
            self.cwnd += (target - self.cwnd) / self.cwnd * segments  # 4.4, 4.5


def play(rtt_ms, lost_at):
    """The events of one flow, with the window that the reference has after each."""
    reference = Reference()
    rtt = rtt_ms * 1_000_000
    now = 2 * rtt
    number = losses = rounds = quiet_rounds = 0
    # Where the next packet is lost: at the window itself, and once at nine tenths of it, before the plateau.
    marks = [lost_at, lost_at, 0.9 * lost_at, 0.95 * lost_at]
    events, windows = [], []

    def add(event):
        events.append(event)
        windows.append(reference.cwnd)

    while losses < len(marks) or quiet_rounds < 200:
        flight = int(reference.cwnd)
        batches = min(flight, 5 if rtt_ms == 10 else 40)
        limited = losses > 0 and (20 <= rounds % 2_000 < 20 + 3 * 200 // max(1, rtt_ms // 10))
        for i in range(batches):
            segments = flight * (i + 1) // batches - flight * i // batches
            at = now + rtt * i // batches
            number += segments
            reference.ack(at / NS, (at - rtt) / NS, rtt / NS, limited, segments)
            add(f"a {at} {at - rtt} {number} {rtt} {int(limited)} {segments}")
            if losses < len(marks) and reference.cwnd >= marks[losses] and at - rtt > reference.recovery_until * NS:
                reference.loss(at / NS, (at - 1) / NS)
                add(f"l {at} {at - 1}")
                losses += 1
                rounds = 0
        now += rtt
        rounds += 1
        if losses == len(marks):
            quiet_rounds += 1
        assert rounds < 100_000
    return events, windows


def main():
    program = sys.argv[1]
    worst, failed = (0.0, ""), 0
    for rtt_ms in (10, 50, 200):
        for lost_at in (100, 1_000, 10_000):
            events, windows = play(rtt_ms, lost_at)
            done = subprocess.run([program], input="\n".join(events) + "\n", capture_output=True, text=True, check=True)
            measured = [float(line) for line in done.stdout.split()]
            assert len(measured) == len(windows) > 500, (len(measured), len(windows))
            name = f"RTT {rtt_ms} ms, losses at {lost_at} packets, {len(windows)} windows"
            case = 0.0
            for event, expected, got in zip(events, windows, measured):
                error = abs(got - expected)
                case = max(case, error / expected)
                if error > 1 and error > expected / 100:
                    failed += 1
                    if failed < 10:
                        print(f"{name}: after `{event}`: {got:.2f}, expected {expected:.2f}")
            print(f"{name}: greatest error {100 * case:.4f} %")
            worst = max(worst, (case, name))
    print(f"greatest error {100 * worst[0]:.4f} %: {worst[1]}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
