"""A thousand process agents that are probed each second: what it costs the daemon, as a share of one core."""
import os, pathlib, socket, subprocess, sys, tempfile, threading, time

COUNT = 1000
WINDOW = 20  # seconds
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def serve():
    """One server that answers for all agents, in a process of its own; its cost is not the daemon's."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    port = listener.getsockname()[1]
    pid = os.fork()
    if pid == 0:
        while True:
            connection, _ = listener.accept()
            try:
                connection.setblocking(False)
                try:
                    if connection.recv(1024):
                        connection.send(RESPONSE)
                except BlockingIOError:
                    connection.settimeout(0.2)
                    try:
                        if connection.recv(1024):
                            connection.send(RESPONSE)
                    except OSError:
                        pass
                connection.close()
            except OSError:
                pass
    listener.close()
    return port, pid


def main():
    port, server = serve()
    rows = []
    for kind, probe in (("none", ""), ("tcpSocket", f"tcpSocket: {{port: {port}}}"), ("httpGet", f"httpGet: {{path: /, port: {port}}}")):
        directory = tempfile.mkdtemp(prefix="agentos-bench.")
        os.chmod(directory, 0o755)
        environment = {**os.environ, "AGENTOS_STATE_DIR": f"{directory}/state"}

        def command(*words):
            return subprocess.run(["agentos-apply", *words], env=environment, capture_output=True, text=True).stdout
        try:
            with open(f"{directory}/agents.yaml", "w") as file:
                for index in range(COUNT):
                    line = f"  readinessProbe: {{{probe}, periodSeconds: 1, timeoutSeconds: 5}}\n" if probe else ""
                    file.write(f"apiVersion: agentos.dev/v1\nkind: Agent\nmetadata: {{name: agent-{index}}}\nspec:\n"
                               f"  command: [sleep, '98765']\n{line}---\n")
            command("-f", f"{directory}/agents.yaml")
            limit = time.monotonic() + 120
            while command("status").count(" 1/1 ") != COUNT:
                if time.monotonic() > limit:
                    sys.exit(f"{kind}: not all are ready")
                time.sleep(0.5)
            time.sleep(3)
            pid = int(pathlib.Path(f"{directory}/state/lock").read_text())

            def ticks():
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                return int(fields[11]) + int(fields[12])
            first, begun = ticks(), time.monotonic()
            time.sleep(WINDOW)
            share = (ticks() - first) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - begun) * 100
            wanted = "at most 15 %" if probe else ""
            name = f"{COUNT} agents, {kind} probe each second" if probe else f"{COUNT} agents without probes"
            rows.append((f"CPU of the daemon, {name}", f"{share:.1f} % of a core", wanted))
        finally:
            command("delete", "agents", "--all", "--grace-period", "0")
            command("daemon", "stop")
            subprocess.run(["rm", "-rf", directory])
    os.kill(server, 9)
    print("| measured | value | wanted |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


main()
