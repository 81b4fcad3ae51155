"""kubectl as a person with one Role in one namespace: reader.py KUBECTL KUBECONFIG-OF-AN-ADMINISTRATOR"""
import json, os, re, subprocess, sys, tempfile

from cases import agent, end, told, until

KUBECTL, ADMIN = sys.argv[1], sys.argv[2]
HOME = tempfile.mkdtemp(dir=os.path.dirname(os.path.abspath(ADMIN)))
WORLD = {**os.environ, "HOME": HOME, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
N = "m6"


def run(config, *words, stdin=None):
    return subprocess.run(
        [KUBECTL, *words], input=stdin, capture_output=True, text=True, timeout=180, env={**WORLD, "KUBECONFIG": config})


def prepare(*words, stdin=None):
    done = run(ADMIN, *words, stdin=stdin)
    if done.returncode:
        told("prepare " + " ".join(words[:3]), done.stderr)


def kubeconfig():
    """The administrator's, with a token of the account in place of the certificate."""
    made = run(ADMIN, "create", "--raw", f"/api/v1/namespaces/{N}/serviceaccounts/robot/token", "-f", "-",
               stdin='{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":3600}}')
    token = json.loads(made.stdout)["status"]["token"]
    config = json.loads(run(ADMIN, "config", "view", "--raw", "-o", "json").stdout)
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    config["contexts"][0]["context"]["namespace"] = N
    path = f"{HOME}/reader.json"
    with open(path, "w") as file:
        json.dump(config, file)
    return path


prepare("create", "namespace", N)
prepare("apply", "-n", N, "-f", "-", stdin=json.dumps(agent("one", "echo first line; exec sleep 1000")))
prepare("create", "configmap", "-n", N, "settings", "--from-literal=a=1")
prepare("create", "secret", "generic", "-n", N, "keys", "--from-literal=token=hunter2")
prepare("create", "serviceaccount", "-n", N, "robot")
prepare("create", "role", "-n", N, "reader", "--verb=get,list,watch", "--resource=agents.agentos.dev,pods,pods/log,events")
prepare("create", "rolebinding", "-n", N, "robot-reads", "--role=reader", f"--serviceaccount={N}:robot")
prepare("wait", "-n", N, "--for=condition=Ready", "agent/one", "--timeout=120s")
READER = kubeconfig()
until("its line is there", lambda: "first line" in run(ADMIN, "logs", "-n", N, "one-0").stdout)


def check(name, *words, code=0, needs=(), lacks=(), stdin=None):
    done = run(READER, *words, stdin=stdin)
    text = done.stdout + done.stderr
    if done.returncode != code:
        return told(name, f"exit {done.returncode}, not {code}: {text}")
    for need in (needs,) if isinstance(needs, str) else needs:
        if not re.search(need, text, re.S | re.M):
            return told(name, f"no {need!r} in: {text}")
    for lack in (lacks,) if isinstance(lacks, str) else lacks:
        if re.search(lack, text, re.S | re.M):
            return told(name, f"{lack!r} in: {text}")
    told(name)


WHO = f'User "system:serviceaccount:{N}:robot" cannot'
check("version", "version", needs="(?i)server")
check("api-resources", "api-resources", needs="agents")
check("get", "get", "agents", needs="one")
check("get -o yaml", "get", "agent", "one", "-o", "yaml", needs="kind: Agent")
check("describe", "describe", "agent", "one", needs="Name: +one")
check("get pods", "get", "pods", needs="one-0")
check("logs", "logs", "one-0", needs="first line")
check("explain", "explain", "agents", needs="spec")
check("wait", "wait", "--for=condition=Ready", "agent/one", "--timeout=120s", needs="condition met")
check("can-i yes", "auth", "can-i", "list", "agents.agentos.dev", needs="^yes")
check("can-i no", "auth", "can-i", "delete", "agents.agentos.dev", code=1, needs="^no")
check("can-i --list", "auth", "can-i", "--list", needs="agents.agentos.dev", lacks=r"^\*\.\*")
for name, words in {
    "get -A": ["get", "agents", "-A"],
    "get in another namespace": ["get", "agents", "-n", "default"],
    "get secrets": ["get", "secrets"],
    "get one secret": ["get", "secret", "keys", "-o", "yaml"],
    "get configmaps": ["get", "configmaps"],
    "get nodes or namespaces": ["get", "namespaces"],
    "delete": ["delete", "agent", "one", "--wait=false"],
    "label": ["label", "agent", "one", "a=b"],
    "scale": ["scale", "agent", "one", "--replicas=3"],
    "exec": ["exec", "one-0", "--", "true"],
    "create": ["create", "-f", "-"],
    "create namespace": ["create", "namespace", "mine"],
    "create configmap": ["create", "configmap", "mine", "--from-literal=a=1"],
    "create role": ["create", "role", "mine", "--verb=delete", "--resource=agents.agentos.dev"],
    "create rolebinding": ["create", "rolebinding", "mine", "--clusterrole=cluster-admin", "--user=me"],
    "raw metrics": ["get", "--raw", "/metrics"],
}.items():
    check(f"refused: {name}", *words, code=1, needs=("(?i)forbidden", WHO), lacks="hunter2|aHVudGVyMg",
          stdin=json.dumps(agent("two")) if "-" in words else None)
left = run(ADMIN, "get", "agents", "-n", N, "-o", "name").stdout.split()
told("nothing was changed", None if left == ["agent.agentos.dev/one"] else left)
end()
