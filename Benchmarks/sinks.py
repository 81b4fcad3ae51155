"""How many events a second the sink of NATS has acknowledged, beside libnats alone in the same run.

usage: Benchmarks/sinks.py [EVENTS]

One server on this machine, JetStream on disk. libnats alone (nats.c) publishes messages of the same size to one subject, as many at
once as the sink; the sink makes CloudEvents of events, and keeps the order of each object. Asked: 20,000 a second, and half of
what libnats alone reaches.
"""
import json, os, pathlib, shutil, socket, subprocess, sys, tempfile, time

EVENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
OBJECTS = [1000, 100, 10, 1]
BYTES, ENVELOPE, WINDOW, ROUNDS = 500, 360, 512, 3
HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent


def run(*words):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def programs(directory):
    server = os.environ.get("AGENTOS_TEST_NATS_SERVER") or run("scripts/get-program", "bookworm", "nats-server", "/usr/sbin/nats-server")
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-o", f"{directory}/alone", HERE / "nats.c", "-lnats"], check=True)
    sink = os.environ.get("SINK_RATE")
    if not sink:
        subprocess.run(["swift", "build", "-c", "release", "--static-swift-stdlib", "--scratch-path", ".build/static",
                        "--product", "sink-rate"], check=True, cwd=ROOT, stdout=sys.stderr)
        sink = ROOT / ".build/static/release/sink-rate"
    return server, sink


def main():
    with tempfile.TemporaryDirectory(prefix="agentos-bench.") as directory:
        server, sink = programs(directory)
        port = free_port()
        url = f"nats://127.0.0.1:{port}"
        with open(f"{directory}/log", "w") as log:
            running = subprocess.Popen([server, "-js", "-sd", f"{directory}/store", "-a", "127.0.0.1", "-p", str(port)],
                                       stdout=log, stderr=log)
        try:
            for _ in range(500):
                if "Server is ready" in pathlib.Path(f"{directory}/log").read_text():
                    break
                time.sleep(0.02)
            run(sink, url, 1, 1, BYTES)  # makes the stream
            rates = {}
            for _ in range(ROUNDS):
                alone = run(f"{directory}/alone", url, "AGENTOS", "agentos.bench.run.started", EVENTS, BYTES + ENVELOPE, WINDOW)
                rates.setdefault("libnats alone", []).append((float(alone), None))
                for objects in OBJECTS:
                    count = EVENTS if objects >= 100 else EVENTS // 10
                    found = json.loads(run(sink, url, count, objects, BYTES))
                    rates.setdefault(f"the sink, {objects} objects", []).append((found["perSecond"], found["batchP95Ms"]))
        finally:
            running.kill()
            running.wait()
        version = run(server, "--version").split()[-1]
        print(f"nats-server {version}, {EVENTS} events of {BYTES + ENVELOPE} bytes, the middle of {ROUNDS} rounds")
        print("| who | acknowledged a second | of libnats alone | 1,000 events, p95 |\n|---|---|---|---|")
        base = sorted(rates["libnats alone"])[ROUNDS // 2][0]
        for name, found in rates.items():
            rate, p95 = sorted(found, key=lambda pair: pair[0])[ROUNDS // 2]
            print(f"| {name} | {rate:,.0f} | {rate / base:.0%} | {'' if p95 is None else f'{p95} ms'} |")


main()
