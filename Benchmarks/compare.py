"""Two builds of the program side by side: what has become slower or larger?

usage: Benchmarks/compare.py DIRECTORY-OF-THE-OLD DIRECTORY-OF-THE-NEW [ROUNDS]

Each directory holds agentos-apply and agentos-supervise as `scripts/build` makes them. The two take turns, the first one of
a round changes; medians over the rounds are shown, and their ratio.
"""
import http.client, json, os, pathlib, signal, socket, statistics, subprocess, sys, time

import agents

RESTARTS = 60
READS = 40


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Build(agents.Ours):
    def __init__(self, programs):
        super().__init__()
        self.socket = self.environment["AGENTOS_SOCKET"] = f"{self.directory}/api"
        self.program = f"{programs}/agentos-apply"

    def command(self, *words, check=True):
        return subprocess.run(
            [self.program, *words], env=self.environment, check=check, capture_output=True, text=True).stdout


def timed(body, times=1):
    """The median of the milliseconds that something takes."""
    found = []
    for _ in range(times):
        start = time.monotonic()
        body()
        found.append((time.monotonic() - start) * 1000)
    return statistics.median(found)


def restarts(world):
    """Milliseconds from the SIGKILL of an agent to the first act of its next run."""
    mark = ["sh", "-c", "date +%s%N >> starts; exec sleep 98765"]
    world.command("-f", world.manifest(1, mark, ", backoff: {initialSeconds: 0, resetAfterSeconds: 0}"), "--wait")
    agents.wait_for(1)
    home = os.readlink(f"/proc/{agents.sleepers()[0]}/cwd")
    found = []
    for number in range(RESTARTS):
        [pid] = agents.sleepers()
        killed = time.time_ns()
        os.kill(pid, signal.SIGKILL)
        while len(lines := pathlib.Path(f"{home}/starts").read_text().split()) != number + 2:
            time.sleep(0.001)
        found.append((int(lines[-1]) - killed) / 1e6)
        agents.wait_for(1)
        time.sleep(0.1)
    world.command("delete", "agents", "--all", "--grace-period", "1")
    agents.wait_for(0)
    return statistics.median(found)


def measure(programs):
    world = Build(programs)
    result = {}
    try:
        world.command("daemon", "start")
        result["restart after a crash, ms"] = restarts(world)
        path = world.manifest(agents.COUNT)
        names = [f"agent-{index}" for index in range(agents.COUNT)]
        start = time.monotonic()
        before = agents.cpu_seconds(world.pid())
        world.command("-f", path)
        world.command("wait", "--for", "Ready", "agent", *names)
        result[f"{agents.COUNT} agents until Ready, s"] = time.monotonic() - start
        result["… processor time of the daemon, s"] = agents.cpu_seconds(world.pid()) - before
        agents.wait_for(agents.COUNT)
        result["apply of the same again, ms"] = timed(lambda: world.command("-f", path), 3)
        result["status, ms"] = timed(lambda: world.command("status"), 5)
        result["get of one agent, ms"] = timed(lambda: world.command("get", "agent", "agent-7"), READS)
        result["version, ms"] = timed(lambda: world.command("version"), READS)
        connection = Unix(world.socket)

        def get(path):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, (path, answer.status)

        base = "/apis/agentos.dev/v1/namespaces/default/agents"
        result["list over one connection, ms"] = timed(lambda: get(base), READS)
        result["get over one connection, ms"] = timed(lambda: get(f"{base}/agent-7"), READS * 10)
        result["resident memory of the daemon, MiB"] = agents.rss_mib(world.pid())
        before = agents.cpu_seconds(world.pid())
        time.sleep(agents.IDLE)
        result["idle processor time, % of a core"] = (agents.cpu_seconds(world.pid()) - before) / agents.IDLE * 100
        result["memory per supervisor, KiB"] = agents.pss_kib("agentos-superv")[0]
        start = time.monotonic()
        world.command("delete", "agents", "--all")
        result[f"{agents.COUNT} agents deleted, s"] = time.monotonic() - start
        agents.wait_for(0)
    finally:
        world.close()
    return result


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    builds = {"old": sys.argv[1], "new": sys.argv[2]}
    for directory in builds.values():
        if not os.access(f"{directory}/agentos-apply", os.X_OK):
            sys.exit(f"there is no agentos-apply in {directory}")
    rounds = int(sys.argv[3]) if len(sys.argv) == 4 else 3
    found = {"old": [], "new": []}
    for number in range(rounds):
        for name in ("old", "new") if number % 2 == 0 else ("new", "old"):
            found[name].append(measure(builds[name]))
    print("| measured | old | new | ratio |\n|---|---|---|---|")
    for key in found["old"][0]:
        old, new = (statistics.median(one[key] for one in found[name]) for name in ("old", "new"))
        print(f"| {key} | {old:.2f} | {new:.2f} | {new / old if old else 1:.2f} |")


if __name__ == "__main__":
    main()
