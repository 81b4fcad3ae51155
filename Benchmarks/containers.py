"""Starts of containers beside the bare tools in the same run: containerd with runc and with gVisor, and gVisor alone.

The bare sequence is what the driver asks of containerd, made by a small client of this file: Prepare, Containers/Create,
Tasks/Create, Tasks/Start, with the very specification that the driver wrote. Everything alternates; medians count.
"""
import concurrent.futures, json, os, pathlib, shutil, socket, statistics, subprocess, sys, tarfile, tempfile, threading, time

import h2.config, h2.connection, h2.events, h2.settings

ROUNDS = 20
CROWD = 50
IDLE = 100
ROOT = pathlib.Path(__file__).resolve().parent.parent
SHELL = "echo up; trap 'exit 0' TERM; while :; do sleep 1; done"


# ---- protobuf and gRPC, as little as is needed -----------------------------------------------------------------

def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def parts(message):
    """The length-delimited fields of a message."""
    at, found = 0, []
    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(message):
        tag = number()
        if tag & 7 == 2:
            size = number()
            found.append((tag >> 3, message[at:at + size]))
            at += size
        else:
            number()
    return found


class Channel:
    """One connection, one call at a time."""

    def __init__(self, path, namespace):
        self.namespace = namespace
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.http.initiate_connection()
        self.socket.sendall(self.http.data_to_send())

    def call(self, method, body):
        stream = self.http.get_next_available_stream_id()
        self.http.send_headers(stream, [
            (":method", "POST"), (":scheme", "http"), (":path", f"/containerd.services.{method}"), (":authority", "localhost"),
            ("content-type", "application/grpc"), ("te", "trailers"), ("containerd-namespace", self.namespace)])
        self.http.send_data(stream, b"\0" + len(body).to_bytes(4, "big") + body, end_stream=True)
        self.socket.sendall(self.http.data_to_send())
        answer, status = b"", None
        while True:
            for event in self.http.receive_data(self.socket.recv(65536)):
                if isinstance(event, h2.events.DataReceived) and event.stream_id == stream:
                    answer += event.data
                    self.http.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, (h2.events.TrailersReceived, h2.events.ResponseReceived)) and event.stream_id == stream:
                    status = dict(event.headers).get("grpc-status", status)
                    message = dict(event.headers).get("grpc-message", "")
                elif isinstance(event, h2.events.StreamEnded) and event.stream_id == stream:
                    self.socket.sendall(self.http.data_to_send())
                    if status != "0":
                        raise RuntimeError(f"{method}: {status} {message}")
                    return answer[5:]
            self.socket.sendall(self.http.data_to_send())


# ---- what is compared ------------------------------------------------------------------------------------------

class Bench:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="agentos-bench.")
        os.chmod(self.directory, 0o755)
        self.namespace = f"bench-{os.getpid()}"
        self.socket = f"{self.directory}/c.sock"
        self.runsc = subprocess.run([ROOT / "scripts/get-program", "trixie", "runsc", "/usr/bin/runsc"], check=True, capture_output=True, text=True).stdout.strip()
        self.archive = f"{self.directory}/image.tar"
        subprocess.run(["/usr/bin/python3", ROOT / "scripts/make-image", self.archive], check=True, stdout=subprocess.DEVNULL)
        self.processes = []

    def containerd(self):
        d = self.directory
        pathlib.Path(f"{d}/config.toml").write_text(f'''version = 2
root = "{d}/root"
state = "{d}/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{self.socket}"
[ttrpc]
  address = "{self.socket}.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "{d}/opt"
''')
        log = open(f"{d}/containerd.log", "w")
        self.processes.append(subprocess.Popen(["containerd", "-c", f"{d}/config.toml"], stdout=log, stderr=log))
        for _ in range(200):
            if self.ctr("version", check=False).returncode == 0:
                break
            time.sleep(0.05)
        self.ctr("images", "import", self.archive)

    def ctr(self, *words, check=True):
        return subprocess.run(["ctr", "-a", self.socket, "-n", self.namespace, *words], check=check, capture_output=True, text=True)

    def daemon(self, name, socket):
        self.state = f"{self.directory}/{name}"
        self.environment = {
            **os.environ, "AGENTOS_STATE_DIR": self.state, "AGENTOS_CONTAINERD_SOCKET": socket,
            "AGENTOS_CONTAINERD_NAMESPACE": self.namespace, "AGENTOS_RUNSC": self.runsc, "AGENTOS_HOST_PATH": self.directory}
        self.apply_command("daemon", "start")

    def apply_command(self, *words, check=True):
        return subprocess.run(["agentos-apply", *words], env=self.environment, check=check, capture_output=True, text=True).stdout

    def apply(self, driver, replicas=1, name="bench", quiet=0.0):
        path = f"{self.directory}/agent.yaml"
        pathlib.Path(path).write_text(
            f"apiVersion: agentos.dev/v1\nkind: Agent\nmetadata: {{name: {name}}}\nspec:\n  driver: {driver}\n"
            f"  imageArchive: {self.archive}\n  replicas: {replicas}\n  command: [sh, -c, {json.dumps(SHELL)}]\n")
        self.apply_command("-f", path)
        time.sleep(quiet)  # nothing else runs while it starts
        for _ in range(6000):
            status = json.loads(self.apply_command("get", "agent", name, "-o", "json"))["status"]
            if status["readyReplicas"] == replicas:
                return status
            time.sleep(0.01)
        sys.exit(f"{driver}: not ready: {status}")

    def delete(self, name="bench"):
        self.apply_command("delete", "agent", name, "--grace-period", "0")

    @staticmethod
    def ms(text):
        return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) * 1000 + int(text[20:23])

    def events(self):
        return [json.loads(line) for line in self.apply_command("events", "-o", "json").splitlines()]

    def ours(self, driver):
        """Milliseconds from the committed intent to the sight of the running instance, as the events say."""
        self.apply(driver, quiet=0.4)
        times = {event["event_type"]: event["occurred_at"] for event in self.events()[-8:]}
        self.delete()
        return self.ms(times["run.started"]) - self.ms(times["run.starting"])

    def template(self, driver):
        """The specification that the driver writes, and the snapshot below it."""
        run = self.apply(driver)["runs"][0]["id"]
        info = json.loads(self.ctr("containers", "info", run).stdout)
        snapshots = self.ctr("snapshots", "ls").stdout.splitlines()
        parent = next(line.split()[1] for line in snapshots if line.startswith(run))
        self.delete()
        spec = info["Spec"]
        # The homes of an agent that is gone.
        spec["mounts"] = [mount for mount in spec["mounts"] if mount["type"] != "bind"]
        spec["process"]["cwd"] = "/"
        return spec, parent, info["Runtime"]

    def bare(self, channel, name, template):
        spec, parent, runtime = template
        spec = json.dumps({**spec, "linux": {**spec["linux"], "cgroupsPath": f"/bench-{os.getpid()}/{name}"}})
        started = time.monotonic()
        options = b""
        if program := runtime.get("Options"):
            options = field(2, field(1, program["type_url"]) + field(2, bytes.fromhex(program["hex"])))
        mounts = parts(channel.call("snapshots.v1.Snapshots/Prepare", field(1, "overlayfs") + field(2, name) + field(3, parent)
                                    + field(4, field(1, "containerd.io/gc.root") + field(2, "bench"))))
        channel.call("containers.v1.Containers/Create", field(1, field(1, name) + field(
            4, field(1, "io.containerd.runc.v2") + options) + field(
            5, field(1, "types.containerd.io/opencontainers/runtime-spec/1/Spec") + field(2, spec))
            + field(6, "overlayfs") + field(7, name)))
        channel.call("tasks.v1.Tasks/Create", field(1, name) + b"".join(field(3, mount) for _, mount in mounts))
        channel.call("tasks.v1.Tasks/Start", field(1, name))
        took = (time.monotonic() - started) * 1000
        return took

    def remove(self, name):
        self.ctr("tasks", "delete", "--force", name)
        self.ctr("containers", "delete", name)
        self.ctr("snapshots", "rm", name, check=False)

    def ctr_run(self, name):
        started = time.monotonic()
        self.ctr("run", "-d", "localhost/busybox:latest", name, "sh", "-c", SHELL)
        took = (time.monotonic() - started) * 1000
        self.remove(name)
        return took

    def bare_runsc(self, index, rootfs, template):
        bundle = f"{self.directory}/bundle-{index}"
        os.makedirs(bundle)
        spec = json.loads(json.dumps(template[0]))
        spec["root"]["path"] = rootfs
        spec["linux"].pop("cgroupsPath", None)
        pathlib.Path(f"{bundle}/config.json").write_text(json.dumps(spec))
        words = [self.runsc, "--platform=ptrace", "--network=none", "--ignore-cgroups", f"--root={self.directory}/runsc",
                 f"--overlay2=root:dir={bundle}"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = time.monotonic()
        subprocess.run([*words, "create", "--bundle", bundle, f"bare-{index:04}"], check=True, **quiet)
        subprocess.run([*words, "start", f"bare-{index:04}"], check=True, **quiet)
        took = (time.monotonic() - started) * 1000
        subprocess.run([*words, "delete", "--force", f"bare-{index:04}"], **quiet)
        shutil.rmtree(bundle)
        return took

    def crowd(self, template, label):
        """Starts made by eight clients at a time."""
        channels = threading.local()
        def one(index):
            if not hasattr(channels, "channel"):
                channels.channel = Channel(self.socket, self.namespace)
            self.bare(channels.channel, f"{label}-{index:03}", template)
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(one, range(CROWD)))
        took = time.monotonic() - started
        for index in range(CROWD):
            self.remove(f"{label}-{index:03}")
        return CROWD / took

    def ctr_crowd(self):
        def one(index):
            self.ctr("run", "-d", "localhost/busybox:latest", f"tool-{index:03}", "sh", "-c", SHELL)
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(one, range(CROWD)))
        took = time.monotonic() - started
        for index in range(CROWD):
            self.remove(f"tool-{index:03}")
        return CROWD / took

    def our_crowd(self, driver):
        self.apply(driver, CROWD, "crowd", quiet=6)
        ours = [event for event in self.events() if event["object"]["name"] == "crowd"]
        uid = ours[-1]["object"]["uid"]
        times = [self.ms(event["occurred_at"]) for event in ours if event["object"]["uid"] == uid and (
            event["event_type"] in ("agent.created", "run.ready"))]
        self.delete("crowd")
        return CROWD * 1000 / (times[-1] - times[0])

    def rss_kib(self):
        pid = pathlib.Path(f"{self.state}/lock").read_text().strip()
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])

    def stop(self):
        self.apply_command("daemon", "stop", check=False)

    def close(self):
        self.stop()
        for task in self.ctr("tasks", "ls", "-q", check=False).stdout.split():
            self.ctr("tasks", "delete", "--force", task, check=False)
        for process in self.processes:
            process.terminate()
            process.wait()
        for mount in reversed(pathlib.Path("/proc/self/mounts").read_text().splitlines()):
            place = mount.split()[1]
            if place.startswith(self.directory):
                subprocess.run(["umount", "-l", place])
        shutil.rmtree(self.directory, ignore_errors=True)


def main():
    bench = Bench()
    rows = []
    def row(what, value, wanted=""):
        rows.append((what, value, wanted))
        print(f"{what}: {value}", file=sys.stderr)
    median = statistics.median
    try:
        bench.containerd()
        bench.daemon("state", bench.socket)
        channel = Channel(bench.socket, bench.namespace)
        begun = time.monotonic()
        for _ in range(100):
            channel.call("version.v1.Version/Version", b"")
        overhead = (time.monotonic() - begun) * 10
        for driver, runtime in (("containerd", "runc"), ("gvisor", "runsc")):
            spec, parent, info = bench.template(driver)
            if info.get("Options"):
                program = f"{bench.state}/runtimes/runsc-none"
                info = {"Options": {"type_url": "containerd.runc.v1.Options", "hex": field(6, program).hex()}}
            template = (spec, parent, info)
            ours, bare, ctr = [], [], []
            for index in range(ROUNDS):
                ours.append(bench.ours(driver))
                bare.append(bench.bare(channel, f"bare-{runtime}-{index:04}", template))
                bench.remove(f"bare-{runtime}-{index:04}")
                if runtime == "runc":
                    ctr.append(bench.ctr_run(f"ctr-{index:04}"))
            row(f"start through our driver {driver}, intent to sight", f"{median(ours):.0f} ms")
            row(f"… bare gRPC sequence with {runtime}", f"{median(bare):.0f} ms")
            row("… ratio of the two", f"{median(ours) / median(bare):.2f}", "at most 1.15")
            if ctr:
                row("… `ctr run -d` of the same image", f"{median(ctr):.0f} ms")
                row("… ratio of ours to it", f"{median(ours) / median(ctr):.2f}", "at most 1")
            pairs = [(bench.our_crowd(driver), bench.crowd(template, runtime)) for _ in range(3)]
            if runtime == "runc":
                tool = median([bench.ctr_crowd() for _ in range(3)])
                row(f"{CROWD} starts by `ctr run -d`, eight at a time", f"{tool:.1f} per s")
                row("… ratio of ours to it", f"{median([p[0] for p in pairs]) / tool:.2f}", "at least 1")
            row(f"{CROWD} starts, {driver}: ours, until all are Ready", f"{median([p[0] for p in pairs]):.1f} per s")
            row("… eight bare clients", f"{median([p[1] for p in pairs]):.1f} per s")
            row("… ratio of the two", f"{median([a / b for a, b in pairs]):.2f}", "at least 1")
        row("what a call costs the bare client itself", f"{overhead:.1f} ms")
        # A daemon that has not had more agents than these.
        bench.stop()
        bench.daemon("state", bench.socket)
        for index in range(20):
            bench.apply("containerd", 1, f"first-{index}")
        time.sleep(3)
        before = bench.rss_kib()
        for index in range(IDLE):
            bench.apply("containerd", 1, f"idle-{index}")
        time.sleep(5)
        row("resident memory of the daemon per idle container agent", f"{(bench.rss_kib() - before) / IDLE:.1f} KiB", "at most 20 KiB")
        bench.apply_command("delete", "agents", "--all", "--grace-period", "0")
        bench.stop()

        bench.daemon("alone", "/none")
        spec = template[0]
        bench.ours("gvisor")  # unpacks the image
        rootfs = next(pathlib.Path(f"{bench.state}/images").glob("*/rootfs"))
        ours, bare = [], []
        for index in range(ROUNDS):
            ours.append(bench.ours("gvisor"))
            bare.append(bench.bare_runsc(index, str(rootfs), (spec,)))
        row("start of gVisor without containerd, intent to sight", f"{median(ours):.0f} ms")
        row("… bare `runsc create` and `runsc start`", f"{median(bare):.0f} ms")
        row("… ratio of the two", f"{median(ours) / median(bare):.2f}", "at most 1.1")
    finally:
        bench.close()
    print("| measured | value | wanted |\n|---|---|---|")
    for what, value, wanted in rows:
        print(f"| {what} | {value} | {wanted} |")


main()
