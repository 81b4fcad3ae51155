"""What reading costs: a list of all agents, the time from a change until all who watch have it, and the memory of both.

usage: Benchmarks/reading.py [AGENTS [WATCHERS]]
"""
import json, os, selectors, socket, statistics, subprocess, sys, tempfile, time

AGENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
WATCHERS = int(sys.argv[2]) if len(sys.argv) > 2 else 100
ROUNDS = 20
CHANGES = 200
COLLECTION = "/apis/agentos.dev/v1/namespaces/default/agents"


class Client:
    """One connection that is kept: a request, and its answer as bytes."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.rest = b""

    def send(self, method, target, body=b"", kind="application/json"):
        head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + body)

    def head(self):
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.socket.recv(65536)
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        return head.decode()

    def ask(self, method, target, body=b"", kind="application/json"):
        self.send(method, target, body, kind)
        head = self.head()
        length = next(int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:"))
        parts, missing = [self.rest[:length]], length - len(self.rest)
        self.rest = self.rest[length:]
        while missing > 0:
            part = self.socket.recv(min(missing, 1 << 20))
            parts.append(part)
            missing -= len(part)
        return int(head.split()[1]), b"".join(parts)


def put(client, name, label):
    body = {"apiVersion": "agentos.dev/v1", "kind": "Agent", "metadata": {"name": name, "labels": {"round": label}},
            "spec": {"command": ["sleep", "1000"], "suspend": True}}
    status, answer = client.ask(
        "PATCH", f"{COLLECTION}/{name}?fieldManager=reading&force=true", json.dumps(body).encode(), "application/apply-patch+yaml")
    assert status in (200, 201), answer


def lists(client):
    found = []
    for _ in range(ROUNDS):
        start = time.monotonic()
        status, body = client.ask("GET", COLLECTION)
        found.append((time.monotonic() - start) * 1000)
        assert status == 200
    return found, len(body)


def changes(path, client, watchers):
    """Milliseconds from sending a change until the last watcher has its event."""
    waiting = selectors.DefaultSelector()
    for _ in range(watchers):
        watcher = Client(path)
        watcher.send("GET", f"{COLLECTION}?watch=true&resourceVersion={version(client)}")
        watcher.head()
        watcher.socket.setblocking(False)
        waiting.register(watcher.socket, selectors.EVENT_READ)
    found = []
    for number in range(CHANGES):
        mark = f'"round":"w{watchers}-{number}"'.encode()
        start = time.monotonic()
        put(client, f"agent-{number}", f"w{watchers}-{number}")
        seen, missing = {}, watchers
        while missing:
            for key, _ in waiting.select(5):
                before = seen.get(key.fd, b"")
                seen[key.fd] = before + key.fileobj.recv(1 << 20)
                missing -= mark in seen[key.fd] and mark not in before
        found.append((time.monotonic() - start) * 1000)
    for key in list(waiting.get_map().values()):
        key.fileobj.close()
    waiting.close()
    return sorted(found)


def version(client):
    return json.loads(client.ask("GET", f"{COLLECTION}?limit=1")[1])["metadata"]["resourceVersion"]


def resident(pid):
    line = next(line for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def row(what, value, wanted=""):
    print(f"| {what} | {value} | {wanted} |", flush=True)


def main():
    with tempfile.TemporaryDirectory() as directory:
        environment = os.environ | {"AGENTOS_STATE_DIR": directory, "HOME": directory}
        subprocess.run(["agentos-apply", "daemon", "start"], env=environment, check=True, capture_output=True)
        path = f"{directory}/agentos.sock"
        pid = int("".join(c for c in open(f"{directory}/lock").read() if c.isdigit()))
        try:
            client = Client(path)
            for number in range(AGENTS):
                put(client, f"agent-{number}", "first")
            print("| measured | value | wanted |\n|---|---|---|")
            row(f"resident memory of the daemon with {AGENTS:,} agents", f"{resident(pid):.1f} MiB", "at most 60 MiB")
            first = time.monotonic()
            client.ask("GET", COLLECTION)
            first = (time.monotonic() - first) * 1000
            found, size = lists(client)
            row(f"first list of all, {size / (1 << 20):.1f} MiB", f"{first:.0f} ms")
            row("list of all, median", f"{statistics.median(found):.1f} ms", "at most 30 ms")
            row("list of all, best", f"{min(found):.1f} ms")
            row("resident memory, all texts kept", f"{resident(pid):.1f} MiB")
            for watchers, wanted in [(1, 3), (WATCHERS, 8)]:
                found = changes(path, client, watchers)
                what = "change until its watcher has it" if watchers == 1 else f"change until {watchers} watchers have it"
                row(f"{what}, median", f"{statistics.median(found):.2f} ms")
                row(f"{what}, p95", f"{found[int(len(found) * 0.95) - 1]:.2f} ms", f"at most {wanted} ms")
        finally:
            os.kill(pid, 15)
            while os.path.exists(f"/proc/{pid}"):
                time.sleep(0.05)


main()
