"""What deletions cost when the machine is busy: N agents are deleted on an idle machine, and again beside busy loops and
foreign processes. An ending may not cost the number of processes of the machine: at most five times the idle time.

    endings.py [N ...] [--loops N] [--foreign N]

Without numbers: 1000 and 5000 agents, six busy loops, 2000 foreign processes.
"""
import argparse, pathlib, subprocess, sys, time

from agents import Ours, sleepers, wait_for

FACTOR_MAX = 5
PROGRAM = ["sleep", "98765"]


class Load:
    """Busy loops, and processes that only are there, each in a session of its own."""

    def __init__(self, loops, foreign):
        self.children = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
        for _ in range(foreign):
            self.children.append(subprocess.Popen(["sleep", "86400"], start_new_session=True))

    def end(self):
        for child in self.children:
            child.kill()
        for child in self.children:
            child.wait()


def groups(ours):
    """The cgroups of this daemon's runs: they carry the id of its store."""
    store = pathlib.Path(f"{ours.directory}/state/store/committed").read_text().split()[1][:12]
    pattern = f"*/agentos-{store}/*-00000-*"
    return subprocess.run(["find", "/sys/fs/cgroup", "-type", "d", "-path", pattern], capture_output=True, text=True).stdout.split()


def deletion(ours, count, *more):
    """Seconds until all are deleted, and until nothing of them is on the machine any more."""
    ours.command("-f", ours.manifest(count, PROGRAM), "--wait", "--timeout", "1200s")
    wait_for(count, 1200)
    begin = time.monotonic()
    ours.command("delete", "agents", "--all", "--timeout", "1800s", *more)
    deleted = time.monotonic() - begin
    while sleepers() or groups(ours):
        time.sleep(0.05)
    return deleted, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("counts", nargs="*", type=int, default=[])
    parser.add_argument("--loops", type=int, default=6)
    parser.add_argument("--foreign", type=int, default=2000)
    options = parser.parse_args()
    if sleepers():
        sys.exit("agents of somebody else run on this machine")
    is_slow = False
    print(f"| agents | | idle | beside {options.loops} loops and {options.foreign} processes | factor |")
    print("|---|---|---|---|---|")
    for count in options.counts or [1000, 5000]:
        for name, more in [("asked to end", []), ("killed", ["--grace-period", "0"])]:
            ours = Ours()
            try:
                ours.command("daemon", "start")
                idle, _ = deletion(ours, count, *more)
                load = Load(options.loops, options.foreign)
                try:
                    busy, clean = deletion(ours, count, *more)
                finally:
                    load.end()
            finally:
                ours.close()
            is_slow |= busy > FACTOR_MAX * idle
            print(f"| {count} | {name} | {idle:.2f} s | {busy:.2f} s ({clean:.2f} s until nothing is left) | {busy / idle:.1f} |")
            sys.stdout.flush()
    if is_slow:
        sys.exit(f"more than {FACTOR_MAX} times the idle time")


if __name__ == "__main__":
    main()
