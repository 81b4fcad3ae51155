"""A thousand agents beside s6 and runit in the same run: time to start, memory, idle cost, restart after a crash.

Everything is repeated and alternated; ratios and medians count, single figures of a shared machine do not.
"""
import json, os, pathlib, shutil, signal, statistics, subprocess, sys, tempfile, time

COUNT = 1000
ROUNDS = 3
IDLE = 35  # seconds: one whole observation of everything falls into it
PROGRAM = ["sleep", "98765"]


def sleepers():
    """The programs under supervision that run now."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    if file.read() == b"sleep\0" + b"98765\0":
                        found.append(int(entry))
            except OSError:
                pass
    return found


def wait_for(count, seconds=120):
    limit = time.monotonic() + seconds
    while len(sleepers()) != count:
        if time.monotonic() > limit:
            sys.exit(f"only {len(sleepers())} of {count} programs run")
        time.sleep(0.02)


def pss_kib(name):
    """Proportional memory of the processes of one name: the mean, and how many."""
    sizes = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if pathlib.Path(f"/proc/{entry}/comm").read_text().strip() != name:
                    continue
                for line in pathlib.Path(f"/proc/{entry}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        sizes.append(int(line.split()[1]))
            except OSError:
                pass
    return (statistics.mean(sizes) if sizes else 0), len(sizes)


def groups():
    """The cgroups of runs on this machine."""
    found = subprocess.run(["find", "/sys/fs/cgroup", "-type", "d", "-path", "*agentos-*/*-00000-*"], capture_output=True, text=True)
    return set(found.stdout.split())


class Ours:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="agentos-bench.")
        os.chmod(self.directory, 0o755)
        self.environment = {**os.environ, "AGENTOS_STATE_DIR": f"{self.directory}/state"}

    def command(self, *words, check=True):
        return subprocess.run(["agentos-apply", *words], env=self.environment, check=check, capture_output=True, text=True).stdout

    def manifest(self, count, command=PROGRAM, more=""):
        path = f"{self.directory}/agents.yaml"
        with open(path, "w") as file:
            for index in range(count):
                file.write(
                    "apiVersion: agentos.dev/v1\nkind: Agent\n"
                    f"metadata: {{name: agent-{index}}}\nspec: {{command: {json.dumps(command)}{more}}}\n---\n")
        return path

    def pid(self):
        return int(pathlib.Path(f"{self.directory}/state/lock").read_text())

    def close(self):
        self.command("delete", "agents", "--all", "--grace-period", "1", check=False)
        self.command("daemon", "stop", check=False)
        shutil.rmtree(self.directory)


def start_ours(measure):
    world = Ours()
    before_groups = groups()
    try:
        path = world.manifest(COUNT)
        world.command("daemon", "start")
        start = time.monotonic()
        world.command("-f", path)
        world.command("wait", "--for", "Ready", "agent", *[f"agent-{index}" for index in range(COUNT)])
        measure["ours: all Ready, durably"].append(time.monotonic() - start)
        wait_for(COUNT)
        measure["rss"].append(rss_mib(world.pid()))
        measure["pss"].append(pss_kib("agentos-superv")[0])
        before = cpu_seconds(world.pid())
        time.sleep(IDLE)
        measure["idle"].append((cpu_seconds(world.pid()) - before) / IDLE * 100)
        start = time.monotonic()
        world.command("delete", "agents", "--all")
        measure["ours: all stopped and removed"].append(time.monotonic() - start)
        wait_for(0)
        # Homes and run directories go just after their objects.
        limit = time.monotonic() + 10
        while left := os.listdir(f"{world.directory}/state/runs") + os.listdir(f"{world.directory}/state/homes"):
            assert time.monotonic() < limit, left[:3]
            time.sleep(0.02)
        measure["ours: all traces gone"].append(time.monotonic() - start)
        assert groups() == before_groups, groups() - before_groups
    finally:
        world.close()


def services(directory, runit=False):
    for index in range(COUNT):
        service = f"{directory}/agent-{index}"
        os.makedirs(service)
        with open(f"{service}/run", "w") as file:
            file.write(f"#!/bin/sh\nexec {' '.join(PROGRAM)}\n")
        os.chmod(f"{service}/run", 0o755)


def start_s6(measure):
    directory = tempfile.mkdtemp(prefix="s6-bench.")
    services(directory)
    start = time.monotonic()
    process = subprocess.Popen(["s6-svscan", "-c", str(COUNT + 10), directory], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(COUNT)
    measure["s6-svscan: all run"].append(time.monotonic() - start)
    measure["pss s6"].append(pss_kib("s6-supervise")[0])
    process.send_signal(signal.SIGTERM)
    process.wait()
    subprocess.run(["pkill", "-x", "s6-supervise"])
    for pid in sleepers():
        os.kill(pid, signal.SIGKILL)
    wait_for(0)
    shutil.rmtree(directory, ignore_errors=True)


def measure_runit(measure):
    directory = tempfile.mkdtemp(prefix="runit-bench.")
    services(directory)
    process = subprocess.Popen(["runsvdir", directory], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_for(COUNT)
    measure["pss runit"].append(pss_kib("runsv")[0])
    process.send_signal(signal.SIGHUP)
    process.wait()
    for _ in range(50):
        for pid in sleepers():
            os.kill(pid, signal.SIGKILL)
        subprocess.run(["pkill", "-KILL", "-x", "runsv"])
        if not sleepers():
            break
    wait_for(0)
    shutil.rmtree(directory, ignore_errors=True)


def rss_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def restarts(measure, times=200):
    """From SIGKILL of an agent to the first act of the next run, with the whole way of events and commits between."""
    world = Ours()
    try:
        mark = ["sh", "-c", "date +%s%N >> starts; exec sleep 98765"]
        world.command("-f", world.manifest(1, mark, ", backoff: {initialSeconds: 0, resetAfterSeconds: 0}"), "--wait")
        wait_for(1)
        home = os.readlink(f"/proc/{sleepers()[0]}/cwd")
        for number in range(times):
            [pid] = sleepers()
            killed = time.time_ns()
            os.kill(pid, signal.SIGKILL)
            while True:
                lines = pathlib.Path(f"{home}/starts").read_text().split()
                if len(lines) == number + 2:
                    break
                time.sleep(0.001)
            measure["restart"].append((int(lines[-1]) - killed) / 1e6)
            wait_for(1)
            time.sleep(0.02)
    finally:
        world.close()


def main():
    if sleepers():
        sys.exit("programs of another run are still there")
    keys = ["ours: all Ready, durably", "ours: all stopped and removed", "ours: all traces gone", "s6-svscan: all run", "rss", "pss", "idle", "pss s6", "pss runit", "restart"]
    measure = {key: [] for key in keys}
    for _ in range(ROUNDS):
        start_s6(measure)
        start_ours(measure)
    measure_runit(measure)
    restarts(measure)

    def middle(key):
        return statistics.median(measure[key])

    ratio = statistics.median(a / b for a, b in zip(measure["ours: all Ready, durably"], measure["s6-svscan: all run"]))
    ordered = sorted(measure["restart"])
    p95 = ordered[int(len(ordered) * 0.95)]
    rows = [
        (f"{COUNT} agents, all Ready, durably", f"{middle('ours: all Ready, durably'):.2f} s", ""),
        (f"s6-svscan, the same {COUNT} programs run", f"{middle('s6-svscan: all run'):.2f} s", ""),
        ("ratio of the two, median of the pairs", f"{ratio:.2f}", "at most 1.5"),
        (f"{COUNT} agents stopped and removed", f"{middle('ours: all stopped and removed'):.2f} s", ""),
        ("… and no process, file or cgroup left", f"{middle('ours: all traces gone'):.2f} s", ""),
        ("resident memory of the daemon", f"{max(measure['rss']):.1f} MiB", "at most 60 MiB"),
        ("idle CPU of the daemon", f"{middle('idle'):.2f} % of a core", "at most 0.5 %"),
        ("proportional memory per supervisor", f"{middle('pss'):.0f} KiB", "at most runit's"),
        ("… of runit's runsv", f"{middle('pss runit'):.0f} KiB", ""),
        ("… of s6-supervise", f"{middle('pss s6'):.0f} KiB", ""),
        ("restart after a crash, backoff 0, median", f"{statistics.median(ordered):.1f} ms", ""),
        ("restart after a crash, backoff 0, p95", f"{p95:.1f} ms", "at most 20 ms"),
    ]
    print("| measured | value | wanted |\n|---|---|---|")
    for row in rows:
        print(f"| {row[0]} | {row[1]} | {row[2]} |")


if __name__ == "__main__":
    main()
