"""Delivery of the real daemon to NATS JetStream: how late events come, what a million that wait cost, and what pruning costs.

usage: Benchmarks/delivery.py [WAITING [SECONDS]]

Asked: at 1,000 events a second 95 of 100 come within 20 ms; with 1,000,000 events waiting for a sink that is away a start takes at
most 2 s and 20 MiB, and all come in order; a commit never waits for the pruning of old records. Needs nats-py (scripts/get-clients).
"""
import asyncio, http.client, json, os, pathlib, queue, socket, statistics, subprocess, sys, tempfile, threading, time

WAITING = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 20
RATE, WRITERS, OBJECTS = 1000, 16, 100
ROOT = pathlib.Path(__file__).parent.parent
PATH = "/api/v1/namespaces/default/configmaps"


def run(*words):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def again_with_clients():
    """The same program with the Python that has NATS' client."""
    try:
        import nats
    except ImportError:
        python = os.environ.get("AGENTOS_TEST_CLIENTS") or run("scripts/get-clients")
        os.execv(python, [python, "-B", *sys.argv])


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class World:
    def __init__(self, directory):
        self.directory, self.port = directory, free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.environment = {**os.environ, "AGENTOS_STATE_DIR": f"{directory}/state", "HOME": directory}
        self.program = os.environ.get("AGENTOS_TEST_NATS_SERVER") or run(
            "scripts/get-program", "bookworm", "nats-server", "/usr/sbin/nats-server")
        self.server = None
        sink = {"name": "events", "nats": {"servers": [self.url], "streamBytes": "8Gi"}}
        pathlib.Path(f"{directory}/daemon.yaml").write_text(json.dumps({"sinks": [sink]}))

    def serve(self):
        with open(f"{self.directory}/nats", "w") as log:
            self.server = subprocess.Popen([self.program, "-js", "-sd", f"{self.directory}/store", "-a", "127.0.0.1", "-p",
                                            str(self.port)], stdout=log, stderr=log)
        while "Server is ready" not in pathlib.Path(f"{self.directory}/nats").read_text():
            time.sleep(0.02)

    def away(self):
        self.server.kill()
        self.server.wait()

    def daemon(self, verb):
        more = ["--config", f"{self.directory}/daemon.yaml"] if verb == "start" else []
        begun = time.monotonic()
        subprocess.run(["agentos-apply", "daemon", verb, *more], env=self.environment, check=True, capture_output=True)
        return time.monotonic() - begun

    def resident(self):
        pid = "".join(c for c in open(f"{self.directory}/state/lock").read() if c.isdigit())
        status = open(f"/proc/{pid}/status").read()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def sink(self):
        text = subprocess.run(["agentos-apply", "outbox", "sinks", "-o", "json"], env=self.environment, check=True,
                              capture_output=True, text=True).stdout
        return next(item for item in json.loads(text)["items"] if item["name"] == "events")

    def write(self, count, rate=None):
        """So many changes of a hundred ConfigMaps, each one event; the times of the answers in milliseconds."""
        left, times, begun = queue.SimpleQueue(), [], time.monotonic()
        for number in range(count):
            left.put(number)

        def work():
            connection = Unix(f"{self.directory}/state/agentos.sock")
            while True:
                try:
                    number = left.get_nowait()
                except queue.Empty:
                    return
                if rate:
                    time.sleep(max(0, begun + number / rate - time.monotonic()))
                name = f"c{number % OBJECTS}"
                body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": str(number)}}
                started = time.monotonic()
                connection.request("PATCH", f"{PATH}/{name}?fieldManager=bench&force=true", json.dumps(body),
                                   {"Content-Type": "application/apply-patch+yaml"})
                response = connection.getresponse()
                text = response.read()
                times.append((time.monotonic() - started) * 1000)
                if response.status >= 300:
                    raise SystemExit(f"{response.status}: {text[:300]}")

        threads = [threading.Thread(target=work) for _ in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return times, time.monotonic() - begun


async def watch(url, lags, sequences, stop):
    """Reads the stream from its begin, until told and nothing more comes."""
    import nats
    client = await nats.connect(url)
    stream = client.jetstream()

    async def take(message):
        event = json.loads(message.data)["data"]
        now, then = time.time(), event["occurred_at"].replace("Z", "+00:00")
        lags.append((now - __import__("datetime").datetime.fromisoformat(then).timestamp()) * 1000)
        sequences.setdefault(event["object"]["uid"], []).append(event["sequence"])

    await stream.subscribe("agentos.*.*.>", stream="AGENTOS", cb=take, ordered_consumer=True)
    while not stop.is_set():
        await asyncio.sleep(0.1)
    before = -1
    while before != len(lags):
        before = len(lags)
        await asyncio.sleep(1)
    await client.close()


def watching(world):
    lags, sequences, stop = [], {}, threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(watch(world.url, lags, sequences, stop)))
    thread.start()
    return lags, sequences, stop, thread


def ordered(sequences):
    return all(numbers == list(range(numbers[0], numbers[0] + len(numbers))) for numbers in sequences.values())


def main():
    again_with_clients()
    with tempfile.TemporaryDirectory(prefix="agentos-bench.") as directory:
        world = World(directory)
        world.serve()
        try:
            world.daemon("start")
            world.write(OBJECTS)
            lags, sequences, stop, thread = watching(world)
            time.sleep(2)
            lags.clear()
            _, took = world.write(RATE * SECONDS, RATE)
            stop.set()
            thread.join()
            percentiles = statistics.quantiles(lags, n=100)
            print("| events a second | of | p50 ms | p95 ms | largest ms | in order |\n|---|---|---|---|---|---|")
            print(f"| {len(lags) / took:,.0f} | {len(lags):,} | {percentiles[49]:.1f} | {percentiles[94]:.1f} | {max(lags):.0f} | "
                  f"{'yes' if ordered(sequences) else 'NO'} |\n")

            world.daemon("stop")
            empty_start = world.daemon("start")
            empty = world.resident()
            world.away()
            times, _ = world.write(WAITING)
            world.daemon("stop")
            start = world.daemon("start")
            full, waits = world.resident(), world.sink()
            world.serve()
            begun = time.monotonic()
            while world.sink()["lagEvents"] > 0:
                time.sleep(0.2)
            drained = time.monotonic() - begun
            lags, sequences, stop, thread = watching(world)
            stop.set()
            thread.join()
            print("| waiting events | start s (none waiting) | memory MiB (none) | drained a second | in order |\n|---|---|---|---|---|")
            print(f"| {waits['lagEvents']:,} | {start:.2f} ({empty_start:.2f}) | {full:.1f} ({empty:.1f}) | "
                  f"{waits['lagEvents'] / max(drained, 0.001):,.0f} | {'yes' if ordered(sequences) else 'NO'} |\n")
            cuts = statistics.quantiles(times, n=1000)
            print("| writes while old records are pruned | p50 ms | p99.9 ms | longest ms |\n|---|---|---|---|")
            print(f"| {len(times):,} | {cuts[499]:.1f} | {cuts[998]:.1f} | {max(times):.1f} |")
        finally:
            subprocess.run(["agentos-apply", "daemon", "stop"], env=world.environment, capture_output=True)
            world.away()


main()
