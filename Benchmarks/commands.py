"""What commands cost as whole processes, as a person or a script starts them; beside the smallest process there is.

usage: Benchmarks/commands.py [AGENTS]
"""
import json, os, statistics, subprocess, sys, tempfile, time

AGENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
ROUNDS = 40


def main():
    with tempfile.TemporaryDirectory(prefix="agentos-bench.") as directory:
        environment = {**os.environ, "AGENTOS_STATE_DIR": f"{directory}/state", "HOME": directory}
        manifest = f"{directory}/agents.json"
        with open(manifest, "w") as out:
            for number in range(AGENTS):
                out.write("---\n" + json.dumps({
                    "apiVersion": "agentos.dev/v1", "kind": "Agent", "metadata": {"name": f"agent-{number}"},
                    "spec": {"command": ["sleep", "1000"], "suspend": True}}) + "\n")
        commands = [
            ("version", ["version"], 5), ("get of one agent", ["get", "agent", "agent-7"], 12),
            (f"status with {AGENTS:,} agents", ["status"], 60),
            (f"plan of {AGENTS:,} agents, nothing to do", ["plan", "-f", manifest], 300),
            (f"apply of {AGENTS:,} agents, nothing to do", ["apply", "-f", manifest], None),
        ]

        def run(words):
            start = time.monotonic()
            subprocess.run(words, env=environment, check=True, stdout=subprocess.DEVNULL)
            return (time.monotonic() - start) * 1000

        subprocess.run(["agentos-apply", "daemon", "start"], env=environment, check=True, capture_output=True)
        try:
            run(["agentos-apply", "apply", "-f", manifest])
            print("| measured | median | best | wanted |\n|---|---|---|---|")
            # All in turn, so that what else the machine does falls on each.
            times = {}
            for _ in range(ROUNDS):
                times.setdefault("true", []).append(run(["true"]))
                for name, words, _ in commands:
                    times.setdefault(name, []).append(run(["agentos-apply", *words]))
            print(f"| the program `true` | {statistics.median(times['true']):.1f} ms | {min(times['true']):.1f} ms |  |")
            for name, _, wanted in commands:
                limit = f"at most {wanted} ms" if wanted else ""
                print(f"| {name} | {statistics.median(times[name]):.1f} ms | {min(times[name]):.1f} ms | {limit} |")
        finally:
            subprocess.run(["agentos-apply", "daemon", "stop"], env=environment, capture_output=True)


main()
