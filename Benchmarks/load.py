"""How many requests are answered in a second, and how long each takes: over the socket and over TLS, side by side.

usage: Benchmarks/load.py [REQUESTS]

The client is load.c, which keeps its connections. Nothing of Kubernetes' own server is here to compare with; the two columns are.
"""
import base64, json, os, pathlib, subprocess, sys, tempfile, time

REQUESTS = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
ROUNDS = 3
CONNECTIONS = 8
AGENTS = "/apis/agentos.dev/v1/namespaces/default/agents"
AGENT = {"apiVersion": "agentos.dev/v1", "kind": "Agent", "metadata": {"name": "NAME-%n"},
         "spec": {"command": ["sleep", "1000"], "suspend": True}}
HERE = pathlib.Path(__file__).parent


def build(directory):
    program = f"{directory}/load"
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-o", program, str(HERE / "load.c"), "-lssl", "-lcrypto"], check=True)
    return program


def credentials(directory, environment):
    """The address of the listener, as load.c takes it, from the kubeconfig of an administrator."""
    text = subprocess.run(
        ["agentos-apply", "kubeconfig", "--user", "load", "--group", "system:masters"],
        env=environment, check=True, capture_output=True, text=True).stdout
    words = dict(line.strip().split(": ", 1) for line in text.splitlines() if ": " in line)
    files = []
    for name in ["client-certificate-data", "client-key-data", "certificate-authority-data"]:
        path = f"{directory}/{name}"
        pathlib.Path(path).write_bytes(base64.b64decode(words[name].strip('"')))
        files.append(path)
    return ",".join(files + [words["server"].strip('"').rsplit(":", 1)[1]])


def main():
    with tempfile.TemporaryDirectory(prefix="agentos-bench.") as directory:
        program = build(directory)
        environment = {**os.environ, "AGENTOS_STATE_DIR": f"{directory}/state", "HOME": directory}
        subprocess.run(
            ["agentos-apply", "daemon", "start", "--listen", "127.0.0.1:0"], env=environment, check=True, capture_output=True)
        pid = int("".join(c for c in open(f"{directory}/state/lock").read() if c.isdigit()))
        addresses = {"socket": f"{directory}/state/agentos.sock", "TLS": credentials(directory, environment)}

        def ask(way, connections, method, target, body=None):
            words = [program, addresses[way], str(connections), str(REQUESTS), method, target]
            if body:
                words += ["application/json", json.dumps(body)]
            result = subprocess.run(words, capture_output=True, text=True)
            if result.returncode:
                raise SystemExit(f"{method} {target} over {way}: {result.stdout}{result.stderr}")
            return json.loads(result.stdout)

        def named(name):
            return json.loads(json.dumps(AGENT).replace("NAME", name))

        rounds = {}
        try:
            for round in range(ROUNDS):
                # The first of a round changes: neither finds the store smaller each time.
                for way in list(addresses)[:: 1 if round % 2 else -1]:
                    name = f"{way.lower()}-{round}"
                    found = {
                        f"create, {CONNECTIONS} connections": ask(way, CONNECTIONS, "POST", AGENTS, named(name)),
                        f"get, {CONNECTIONS} connections": ask(way, CONNECTIONS, "GET", f"{AGENTS}/{name}-%n"),
                        "get, 32 connections": ask(way, 32, "GET", f"{AGENTS}/{name}-%n"),
                        "get, one connection": ask(way, 1, "GET", f"{AGENTS}/{name}-%n"),
                    }
                    for what, measured in found.items():
                        rounds.setdefault(what, {}).setdefault(way, []).append(measured)
            print("| " + " | ".join(["", *(f"{way}: a second, median, p99 of each" for way in addresses), "TLS / socket"]) + " |")
            print("|---|---|---|---|")
            for what, ways in rounds.items():
                best = {way: sorted(ways[way], key=lambda one: one["per_second"])[ROUNDS // 2] for way in addresses}
                cells = [
                    f'{one["per_second"]:,.0f}, {one["median_ms"]:.2f} ms, {one["p99_ms"]:.2f} ms' for one in best.values()]
                print(f'| {what} | {" | ".join(cells)} | {best["TLS"]["per_second"] / best["socket"]["per_second"]:.2f} |')
        finally:
            os.kill(pid, 15)
            while os.path.exists(f"/proc/{pid}"):
                time.sleep(0.05)


main()
