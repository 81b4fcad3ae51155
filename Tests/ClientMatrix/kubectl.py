"""Everyday use of kubectl, as an administrator: kubectl.py KUBECTL KUBECONFIG"""
import json, os, re, subprocess, sys, tempfile

from cases import agent, end, told, until

KUBECTL, CONFIG = sys.argv[1], sys.argv[2]
HOME = tempfile.mkdtemp(dir=os.path.dirname(os.path.abspath(CONFIG)))  # kubectl keeps what it discovered there
ENVIRONMENT = {"HOME": HOME, "KUBECONFIG": CONFIG, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "EDITOR": "sed -i s/blue/green/"}


def run(*words, stdin=None, seconds=180, environment=None):
    return subprocess.run(
        [KUBECTL, *words], input=stdin, capture_output=True, text=True, timeout=seconds,
        env={**ENVIRONMENT, **(environment or {})})


VERSION = int(re.search(r'"minor": *"(\d+)', run("version", "--client", "-o", "json").stdout).group(1))


def check(name, *words, code=0, needs=(), lacks=(), stdin=None, since=0, seconds=180):
    """One command: its code, and what its output says."""
    if VERSION < since:
        return
    try:
        result = run(*words, stdin=stdin, seconds=seconds)
    except subprocess.TimeoutExpired as problem:
        return told(name, f"no end within {seconds} s: {problem.stdout} {problem.stderr}")
    text = result.stdout + result.stderr
    if result.returncode not in (code if isinstance(code, tuple) else (code,)):
        return told(name, f"exit {result.returncode}, not {code}: {text}")
    for need in (needs,) if isinstance(needs, str) else needs:
        if not re.search(need, text, re.S | re.M):
            return told(name, f"no {need!r} in: {text}")
    for lack in (lacks,) if isinstance(lacks, str) else lacks:
        if re.search(lack, text, re.S | re.M):
            return told(name, f"{lack!r} in: {text}")
    told(name)


def shows(name, *words, line):
    """A command that goes on: until it has shown a line."""
    path = f"{HOME}/shown"
    with open(path, "w") as shown:
        process = subprocess.Popen([KUBECTL, *words], stdout=shown, stderr=subprocess.STDOUT, env=ENVIRONMENT)

    def text():
        with open(path) as shown:
            return shown.read()
    try:
        until(name, lambda: re.search(line, text(), re.M) or process.poll() is not None)
        told(name, None if re.search(line, text(), re.M) else f"no {line!r} in: {text()}")
    except TimeoutError as problem:
        told(name, f"{problem}: {text()}")
    finally:
        process.kill()
        process.wait()


def write(name, *objects):
    path = f"{HOME}/{name}"
    with open(path, "w") as file:
        json.dump({"apiVersion": "v1", "kind": "List", "items": list(objects)} if len(objects) > 1 else objects[0], file)
    return path


TALKS = "echo first line; echo second line >&2; exec sleep 1000"
ONE = agent("one", TALKS)
ONE["metadata"]["annotations"] = {"colour": "blue"}
FILE = write("one.json", ONE)
GREEN = write("green.json", {**ONE, "metadata": {**ONE["metadata"], "annotations": {"colour": "green"}}})

check("version", "version", "-o", "json", needs="serverVersion")
check("api-versions", "api-versions", needs=(r"^agentos.dev/v1$", r"^v1$"))
check("api-resources", "api-resources", needs=(r"^agents +ag +agentos.dev/v1 +true +Agent", "configmaps", "secrets"))
check("api-resources by verb", "api-resources", "--verbs=list,watch", "-o", "name", needs=r"^agents.agentos.dev$")
check("config view", "config", "view", "--minify", needs="server:")
check("create namespace", "create", "namespace", "m1", needs="namespace/m1 created")
check("create namespace again", "create", "namespace", "m1", code=1, needs="AlreadyExists")
check("config set-context", "config", "set-context", "--current", "--namespace=m1", needs="modified")
check("get namespaces", "get", "ns", needs=("NAME +STATUS +AGE", "default +Active", "m1 +Active"))

# Apply, in both ways
check("apply", "apply", "-f", FILE, needs="agent.agentos.dev/one created")
check("apply again", "apply", "-f", FILE, needs="agent.agentos.dev/one unchanged")
check("diff of nothing", "diff", "-f", FILE, code=0)
check("diff", "diff", "-f", GREEN, code=1, needs=(r"^-.*blue", r"^\+.*green"))
check("apply --dry-run=server", "apply", "-f", GREEN, "--dry-run=server", needs=r"configured \(server dry run\)")
check("apply --dry-run=client", "apply", "-f", GREEN, "--dry-run=client", needs=r"configured \(dry run\)")
check("dry runs change nothing", "get", "ag", "one", "-o", "jsonpath={.metadata.annotations.colour}", needs="^blue$")
check("apply of a change", "apply", "-f", GREEN, needs="agent.agentos.dev/one configured")
check("apply from standard input", "apply", "-f", "-", stdin=json.dumps(agent("two")), needs="two created")
check("view-last-applied", "apply", "view-last-applied", "-f", FILE, needs="green")
check("apply --server-side conflicts", "apply", "--server-side", "--field-manager=other", "-f", FILE, code=1,
      needs=("conflict", "colour"))
check("apply --server-side --force-conflicts", "apply", "--server-side", "--field-manager=other", "--force-conflicts",
      "-f", FILE, needs="one serverside-applied")
check("apply --server-side of a new one", "apply", "--server-side", "-f", write("three.json", agent("three")),
      needs="three serverside-applied")
check("diff --server-side", "diff", "--server-side", "--force-conflicts", "-f", GREEN, code=1, needs="green")
check("from client-side to server-side", "apply", "--server-side", "--force-conflicts", "-f", GREEN, needs="one serverside-applied")
typo = agent("typo")
typo["spec"]["replica"] = 2
check("an unknown field", "apply", "-f", write("typo.json", typo), code=1, needs="replica")

# Create, replace, edit, patch
check("create", "create", "-f", write("four.json", agent("four")), needs="agent.agentos.dev/four created")
check("create again", "create", "-f", f"{HOME}/four.json", code=1, needs="AlreadyExists")
generated = agent("x")
generated["metadata"] = {"generateName": "g-"}
check("create with generateName", "create", "-f", write("generated.json", generated), needs=r"agent.agentos.dev/g-[a-z0-9]{5} created")
check("create configmap", "create", "configmap", "settings", "--from-literal=a=1", "--from-literal=b=2", needs="settings created")
check("create secret", "create", "secret", "generic", "keys", "--from-literal=token=hunter2", needs="keys created")
check("create serviceaccount", "create", "serviceaccount", "robot", needs="robot created")
check("create role", "create", "role", "reader", "--verb=get,list,watch", "--resource=agents.agentos.dev", needs="reader created")
check("create rolebinding", "create", "rolebinding", "robot-reads", "--role=reader", "--serviceaccount=m1:robot", needs="robot-reads created")
check("create clusterrole", "create", "clusterrole", "watcher", "--verb=get", "--non-resource-url=/metrics", needs="watcher created")
check("create clusterrolebinding", "create", "clusterrolebinding", "jane-watches", "--clusterrole=watcher", "--user=jane", needs="created")
check("create token", "create", "token", "robot", needs=r"^\S{20,}$", since=24)
check("create --dry-run=client", "create", "configmap", "c", "--from-literal=a=1", "--dry-run=client", "-o", "yaml", needs="kind: ConfigMap")
check("create --dry-run=server", "create", "configmap", "c", "--from-literal=a=1", "--dry-run=server", needs="server dry run")
check("which creates nothing", "get", "configmap", "c", code=1, needs="NotFound")
check("replace", "replace", "-f", FILE, needs="one replaced")
check("replace of nothing", "replace", "-f", write("none.json", agent("none")), code=1, needs="NotFound")
check("edit", "edit", "agent", "one", needs="one edited")
check("edit was kept", "get", "ag", "one", "-o", "jsonpath={.metadata.annotations.colour}", needs="^green$")
check("edit without a change", "edit", "agent", "one", needs="Edit cancelled|no changes")
check("patch --type=merge", "patch", "ag", "one", "--type=merge", "-p", '{"metadata":{"labels":{"team":"a"}}}', needs="one patched")
check("patch of nothing", "patch", "ag", "one", "--type=merge", "-p", '{"metadata":{"labels":{"team":"a"}}}', needs="no change")
check("patch --type=json", "patch", "ag", "one", "--type=json", "-p",
      '[{"op":"test","path":"/metadata/labels/team","value":"a"},{"op":"replace","path":"/metadata/labels/team","value":"b"}]', needs="one patched")
check("patch whose test fails", "patch", "ag", "one", "--type=json", "-p", '[{"op":"test","path":"/metadata/labels/team","value":"z"}]', code=1)
check("strategic patch of an agent", "patch", "ag", "one", "-p", '{"metadata":{"labels":{"team":"c"}}}', code=1, needs="415|UnsupportedMediaType|media type")
check("strategic patch of a core kind", "patch", "configmap", "settings", "-p", '{"data":{"a":"3"}}', needs="settings patched")
check("patch with a value out of range", "patch", "ag", "one", "--type=merge", "-p", '{"spec":{"replicas":-1}}', code=1, needs="replicas")
check("label", "label", "ag", "one", "tier=gold", needs="one labeled")
check("label again", "label", "ag", "one", "tier=silver", code=1, needs="already has a value")
check("label --overwrite", "label", "ag", "one", "tier=silver", "--overwrite", needs="one (labeled|unlabeled)")
check("label --all", "label", "ag", "--all", "seen=yes", needs=("one labeled", "two labeled"))
check("label removed", "label", "ag", "one", "tier-", needs="one (labeled|unlabeled)")
check("annotate", "annotate", "ag", "one", "note=a note", needs="one annotated")
check("scale", "scale", "ag", "two", "--replicas=2", needs="two scaled")
check("scale --current-replicas", "scale", "ag", "two", "--current-replicas=2", "--replicas=1", needs="two scaled")
check("scale of another number", "scale", "ag", "two", "--current-replicas=5", "--replicas=1", code=1, needs="5")
check("set nothing away", "get", "ag", "two", "-o", "jsonpath={.spec.replicas}", needs="^1$")

# Wait
check("wait for a condition", "wait", "--for=condition=Ready", "agent/one", "agent/two", "--timeout=120s", needs=("one condition met", "two condition met"))
check("wait --all", "wait", "--for=condition=Ready", "agents", "--all", "--timeout=120s", needs="three condition met")
check("wait -l", "wait", "--for=condition=Ready", "ag", "-l", "app=one", "--timeout=120s", needs="one condition met")
check("wait for a path", "wait", "--for=jsonpath={.status.phase}=Ready", "ag/one", "--timeout=120s", needs="one condition met", since=23)
check("wait for what does not come", "wait", "--for=condition=Nothing", "ag/one", "--timeout=1s", code=1, needs="timed out|deadline exceeded")
check("wait for a missing one", "wait", "--for=condition=Ready", "ag/nobody", "--timeout=60s", code=1, needs="not ?found")

# Get
check("get", "get", "agents", needs=("NAME", "READY", "AGE", "one +"))
check("get -o wide", "get", "ag", "-o", "wide", needs="one ")
check("get -o yaml", "get", "ag", "one", "-o", "yaml", needs=("kind: Agent", "resourceVersion:"))
check("get -o json", "get", "ag", "-o", "json", needs='"kind": "List"')
check("get -o name", "get", "ag", "-o", "name", needs="^agent.agentos.dev/one$")
check("get -o jsonpath", "get", "ag", "-o", "jsonpath={.items[*].metadata.name}", needs="one")
check("get -o custom-columns", "get", "ag", "-o", "custom-columns=N:.metadata.name,P:.status.phase", needs="one +Ready")
check("get -o go-template", "get", "ag", "one", "-o", "go-template={{.metadata.name}}", needs="^one$")
check("get -A", "get", "ag", "-A", needs=("NAMESPACE", "m1 +one"))
check("get -l", "get", "ag", "-l", "app in (one,two),app!=two", "-o", "name", needs="/one", lacks="/two")
check("get --field-selector", "get", "ag", "--field-selector", "metadata.name=one", "-o", "name", needs="/one", lacks="/two")
check("get --show-labels", "get", "ag", "--show-labels", needs="app=one")
check("get -L", "get", "ag", "-L", "app", needs="APP")
check("get --sort-by", "get", "ag", "--sort-by=.metadata.name", needs="four.*one.*three.*two")
check("get --chunk-size", "get", "ag", "--chunk-size=1", needs=("one", "two", "three"))
check("get of several kinds", "get", "ag,configmaps,secrets", needs=("agent.agentos.dev/one", "configmap/settings", "secret/keys"))
check("get all", "get", "all", needs="one ")
check("get of a missing one", "get", "ag", "nobody", code=1, needs="NotFound")
check("get of a missing one --ignore-not-found", "get", "ag", "nobody", "--ignore-not-found", code=0)
check("get of an unknown kind", "get", "unicorns", code=1, needs="resource type")
check("get --raw", "get", "--raw", "/apis/agentos.dev/v1/namespaces/m1/agents/one", needs='"kind":')
shows("get -w", "get", "ag", "one", "-w", line="^one ")
check("get secret", "get", "secret", "keys", "-o", "jsonpath={.data.token}", needs="^aHVudGVyMg==$")
check("get pods", "get", "pods", needs=("NAME +READY +STATUS +RESTARTS +AGE", r"one-0 +1/1 +Running"))
check("get pod -o wide", "get", "pod", "one-0", "-o", "wide", needs="NODE")
check("get deployments", "get", "deploy", needs=("one +1/1", "UP-TO-DATE"))
check("get events", "get", "events", needs=("REASON", "(?i)agent.*/one"))
check("get events by object", "get", "events", "--field-selector", "involvedObject.name=two", needs="(?i)agent.*/two", lacks="/one")
check("events --for", "events", "--for=agent/one", needs="(?i)agent.*/one", since=28)

# Describe, explain
check("describe", "describe", "ag", "one", needs=("Name: +one", "Kind: +Agent", "Events:"))
check("describe shows events", "describe", "ag", "one", lacks="Events: +<none>")
check("describe namespace", "describe", "ns", "m1", needs="Name: +m1")
check("describe secret", "describe", "secret", "keys", needs="token: +7 bytes")
check("describe configmap", "describe", "configmap", "settings", needs="settings")
check("describe pod", "describe", "pod", "one-0", needs=("Name: +one-0", "Status: +Running"))
check("describe role", "describe", "role", "reader", needs="agents.agentos.dev")
check("explain", "explain", "agents", needs=("(?i)kind: +Agent", "spec"))
check("explain of a field", "explain", "agents.spec.replicas", needs="(?i)replicas")
check("explain --recursive", "explain", "agents", "--recursive", needs="terminationGracePeriodSeconds")

# Logs, exec, cp, attach, top, rollout
until("its lines are there", lambda: "second line" in run("logs", "one-0").stdout)
check("logs", "logs", "one-0", needs=("first line", "second line"))
check("logs --tail", "logs", "one-0", "--tail=1", needs="second line", lacks="first line")
check("logs --timestamps", "logs", "one-0", "--timestamps", needs=r"^\d{4}-\d\d-\d\dT\S+ first line")
check("logs --since", "logs", "one-0", "--since=1h", needs="first line")
check("logs --limit-bytes", "logs", "one-0", "--limit-bytes=5", needs="^first", lacks="line")
check("logs -l", "logs", "-l", "app=one", needs="first line")
check("logs of a deployment", "logs", "deploy/one", needs="first line")
check("logs of a missing one", "logs", "nobody-0", code=1, needs="NotFound|not found")
check("logs --previous of a first run", "logs", "one-0", "--previous", code=1)
check("exec", "exec", "one-0", "--", "echo", "hello", needs="^hello$")
check("exec -i", "exec", "-i", "one-0", "--", "cat", stdin="through\n", needs="^through$")
check("exec of a code", "exec", "one-0", "--", "sh", "-c", "echo out; echo err >&2; exit 7", code=7, needs=("out", "err"))
check("exec of nothing", "exec", "one-0", "--", "/no/such/program", code=(1, 126, 127))
check("exec of much output", "exec", "one-0", "--", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x | tail -c 2000000; echo; echo end", needs="end$")
check("exec into a deployment", "exec", "deploy/one", "--", "echo", "there", needs="^there$")
check("cp out", "cp", "one-0:/etc/hostname", f"{HOME}/copied")
until("its use was seen", lambda: "one-0" in run("top", "pod").stdout)
check("top pod", "top", "pod", needs=("NAME", "one-0"))
check("rollout status", "rollout", "status", "deploy/one", "--timeout=120s", needs="successfully rolled out")
check("rollout history", "rollout", "history", "deploy/one", needs=("REVISION", "CHANGE-CAUSE"))
check("rollout restart", "rollout", "restart", "deploy/one", needs="restarted")
check("rollout status of a restart", "rollout", "status", "deploy/one", "--timeout=120s", needs="successfully rolled out")
check("rollout pause", "rollout", "pause", "deploy/one", needs="paused")
check("rollout restart while paused", "rollout", "restart", "deploy/one", code=1, needs="paused")
check("rollout resume", "rollout", "resume", "deploy/one", needs="resumed")
check("get replicasets", "get", "rs", needs="one-r")
check("rollout undo of a revision that is not there", "rollout", "undo", "deploy/one", "--to-revision=99", code=1)

# Access
check("auth can-i", "auth", "can-i", "delete", "agents.agentos.dev", needs="^yes$")
check("auth can-i --list", "auth", "can-i", "--list", needs=r"\*")
check("auth whoami", "auth", "whoami", needs="Username", since=27)
check("auth can-i as another", "auth", "can-i", "get", "agents", "--as=system:serviceaccount:m1:robot", code=(0, 1))

# Delete
check("delete --dry-run=server", "delete", "ag", "four", "--dry-run=server", needs="four")
check("deletes nothing", "get", "ag", "four", needs="four")
check("delete", "delete", "ag", "four", "--timeout=120s", needs="deleted")
check("delete of a missing one", "delete", "ag", "four", code=1, needs="NotFound")
check("delete --ignore-not-found", "delete", "ag", "four", "--ignore-not-found")
check("delete -f", "delete", "-f", f"{HOME}/three.json", "--timeout=120s", needs="three.* deleted")
check("delete --wait=false", "delete", "ag", "two", "--wait=false", needs="two.* deleted")
check("wait for a deletion", "wait", "--for=delete", "ag/two", "--timeout=120s", code=(0, 1))
check("create five", "create", "-f", write("five.json", agent("five"), agent("six"), agent("seven")), needs="seven created")
check("delete --now", "delete", "ag", "five", "--now", "--timeout=120s", needs="five.* deleted")
check("delete --grace-period=0 --force", "delete", "ag", "six", "--grace-period=0", "--force", "--timeout=120s", needs="six.* (force )?deleted")
check("delete --cascade=orphan", "delete", "ag", "seven", "--cascade=orphan", "--timeout=120s", needs="seven.* deleted")
check("delete -l", "delete", "ag", "-l", "app=one", "--timeout=120s", needs="one.* deleted")
check("delete --all", "delete", "ag", "--all", "--timeout=120s", needs="g-.* deleted")
check("delete of several kinds", "delete", "configmap/settings", "secret/keys", needs=("settings", "keys"))
check("nothing is left", "get", "ag", code=0, needs="No resources found")
check("delete namespace", "delete", "namespace", "m1", "--timeout=120s", needs="m1.* deleted")
check("the namespace is gone", "get", "ns", "m1", code=1, needs="NotFound")
check("delete clusterrole", "delete", "clusterrole/watcher", "clusterrolebinding/jane-watches", needs="watcher")
end()
