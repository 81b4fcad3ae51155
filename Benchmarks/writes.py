"""What one write of a large object costs: a ConfigMap of 20,000 keys, written in every way, over one connection."""
import http.client, json, os, socket, statistics, subprocess, tempfile, time

KEYS = 20_000
ROUNDS = 15
PATH = "/api/v1/namespaces/default/configmaps"


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def main():
    directory = tempfile.mkdtemp(prefix="agentos-bench.")
    environment = {**os.environ, "AGENTOS_STATE_DIR": f"{directory}/state"}
    subprocess.run(["agentos-apply", "daemon", "start"], env=environment, check=True, capture_output=True)
    connection = Unix(f"{directory}/state/agentos.sock")

    def ask(method, path, body, kind="application/json"):
        started = time.monotonic()
        connection.request(method, path, json.dumps(body), {"Content-Type": kind})
        response = connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status} {text[:300]}")
        return (time.monotonic() - started) * 1000

    def data(round):
        return {f"key-{index}": f"v{round if index == 7 else index}" for index in range(KEYS)}

    def body(round):
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large"}, "data": data(round)}

    apply = "application/apply-patch+yaml"
    ways = {
        "apply of all keys, one changed": lambda r: ask("PATCH", f"{PATH}/large?fieldManager=bench", body(r), apply),
        "apply of all keys by another, forced": lambda r: ask(
            "PATCH", f"{PATH}/large?fieldManager=other&force=true", body(-r), apply),
        "apply that changes nothing": lambda r: ask(
            "PATCH", f"{PATH}/large?fieldManager=other&force=true", body(-ROUNDS + 1), apply),
        "merge patch of one key": lambda r: ask(
            "PATCH", f"{PATH}/large", {"data": {"key-7": f"m{r}"}}, "application/merge-patch+json"),
        "JSON patch of one key": lambda r: ask(
            "PATCH", f"{PATH}/large", [{"op": "replace", "path": "/data/key-7", "value": f"j{r}"}],
            "application/json-patch+json"),
        "strategic merge patch of one key": lambda r: ask(
            "PATCH", f"{PATH}/large", {"data": {"key-7": f"s{r}"}}, "application/strategic-merge-patch+json"),
        "PUT of all keys, one changed": lambda r: ask("PUT", f"{PATH}/large", body(1000 + r)),
    }
    try:
        print(f"| ConfigMap of {KEYS:,} keys | median ms | slowest ms |\n|---|---|---|")
        first = ask("POST", PATH, body(0))
        print(f"| POST | {first:.1f} | {first:.1f} |")
        for name, way in ways.items():
            times = [way(round) for round in range(ROUNDS)]
            print(f"| {name} | {statistics.median(times):.1f} | {max(times):.1f} |")
    finally:
        subprocess.run(["agentos-apply", "daemon", "stop"], env=environment, capture_output=True)
        subprocess.run(["rm", "-rf", directory])


main()
