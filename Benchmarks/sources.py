"""A directory of a thousand agents that the daemon keeps true: how long an edit takes, a look at what has not changed, and
nothing at all."""
import http.client, json, os, pathlib, socket, statistics, subprocess, sys, tempfile, time

COUNT = 1000
EDITS = 60
IDLE = 35  # seconds: one whole look at everything falls into it


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def main():
    directory = tempfile.mkdtemp(prefix="agentos-bench.")
    os.chmod(directory, 0o755)
    fleet = f"{directory}/fleet"
    os.mkdir(fleet)
    environment = {**os.environ, "AGENTOS_STATE_DIR": f"{directory}/state", "AGENTOS_WATCH": fleet}
    rows = []

    def command(*words, check=True):
        return subprocess.run(["agentos-apply", *words], env=environment, check=check, capture_output=True, text=True).stdout

    def write(index, text):
        with open(f"{fleet}/.new", "w") as file:
            file.write(text)
        os.rename(f"{fleet}/.new", f"{fleet}/agent-{index:04}.yaml")

    def manifest(index, command, value="x"):
        return (f"apiVersion: agentos.dev/v1\nkind: Agent\nmetadata: {{name: agent-{index:04}}}\nspec:\n"
                f"  command: {json.dumps(command)}\n  env: [{{name: VALUE, value: {json.dumps(value)}}}]\n")

    def status():
        return json.loads(command("get", "source", "watch-fleet", "-o", "json"))["status"]

    def commits(connection):
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        return next(line for line in text.splitlines() if line.startswith("agentos_store_commits_total"))

    mark = f"{directory}/mark"
    pathlib.Path(mark).touch()
    os.chmod(mark, 0o666)
    speaks = ["sh", "-c", f"echo $VALUE $(date +%s%N) > {mark}; exec sleep 98765"]
    try:
        for index in range(COUNT):
            write(index, manifest(index, speaks if index == 500 else ["sleep", "98765"]))
        started = time.monotonic()
        command("daemon", "start")
        while status()["phase"] != "Ready":
            time.sleep(0.1)
            if time.monotonic() - started > 120:
                sys.exit(f"not ready: {status()}")
        rows.append((f"{COUNT} agents of a directory, from the daemon's start until all are Ready", f"{time.monotonic() - started:.1f} s", ""))
        time.sleep(3)
        delays = []
        for round in range(EDITS):
            begun = time.time_ns()
            write(500, manifest(500, speaks, f"edit-{round}"))
            while True:
                words = pathlib.Path(mark).read_text().split()
                if len(words) == 2 and words[0] == f"edit-{round}":
                    break
                time.sleep(0.002)
            delays.append((int(words[1]) - begun) / 1e6)
            time.sleep(0.3)
        rows.append(("edit of one file until the new process runs, median", f"{statistics.median(delays):.0f} ms", ""))
        rows.append(("… p95", f"{statistics.quantiles(delays, n=20)[18]:.0f} ms", "at most 150 ms"))
        connection = Unix(f"{directory}/state/agentos.sock")
        time.sleep(2)
        before = commits(connection)
        looks = []
        for _ in range(20):
            begun = time.monotonic()
            connection.request("POST", "/apis/agentos.dev/v1/namespaces/default/sources/watch-fleet/sync")
            connection.getresponse().read()
            looks.append((time.monotonic() - begun) * 1000)
        rows.append((f"sync of {COUNT} unchanged manifests, median", f"{statistics.median(looks):.1f} ms", "at most 100 ms"))
        rows.append(("… written by it", "nothing" if commits(connection) == before else "SOMETHING", "nothing"))
        pid = int(pathlib.Path(f"{directory}/state/lock").read_text())

        def ticks():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])
        time.sleep(2)
        first, begun = ticks(), time.monotonic()
        time.sleep(IDLE)
        share = (ticks() - first) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - begun) * 100
        rows.append((f"idle CPU of the daemon with {COUNT} agents and their directory", f"{share:.2f} % of a core", "about zero"))
    finally:
        for path in pathlib.Path(fleet).glob("*.yaml"):
            path.unlink()
        command("delete", "source", "watch-fleet", check=False)
        command("delete", "agents", "--all", "--grace-period", "0", check=False)
        command("daemon", "stop", check=False)
        subprocess.run(["rm", "-rf", directory])
    print("| measured | value | wanted |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


main()
