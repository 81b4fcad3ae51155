"""The Python client `kr8s`, as an administrator: kr8s_client.py KUBECONFIG"""
import sys, threading, time

import kr8s
from cases import agent, case, end, until
from kr8s.objects import APIObject, ConfigMap, Deployment, Namespace, Pod, Secret, new_class

api = kr8s.api(kubeconfig=sys.argv[1])
N = "m3"
Agent = new_class(kind="Agent", version="agentos.dev/v1", namespaced=True, plural="agents", scalable=True)


def make(name, script="exec sleep 1000", **spec):
    body = agent(name, script, **spec)
    body["metadata"]["namespace"] = N
    return Agent(body, api=api)


@case
def version():
    assert api.version()["major"] == "1"


@case
def namespace():
    Namespace({"metadata": {"name": N}}, api=api).create()
    assert N in [one.name for one in api.get("namespaces")]


@case
def discovery():
    assert any(one["name"] == "agents" for one in api.api_resources())


@case
def create():
    made = make("one", "echo first line; exec sleep 1000")
    made.create()
    assert made.exists() and made.metadata.uid


@case
def wait():
    make("one").wait("condition=Ready", timeout=120)


@case
def get():
    [found] = list(api.get("agents.agentos.dev", "one", namespace=N))
    assert found.name == "one"
    assert Agent.get("one", namespace=N, api=api).status.observedGeneration >= 1


@case
def get_missing():
    try:
        Agent.get("nobody", namespace=N, api=api, timeout=1)
    except kr8s.NotFoundError:
        return
    raise AssertionError("found")


@case
def select():
    make("two").create()
    names = [one.name for one in api.get(Agent, namespace=N, label_selector={"app": "two"})]
    assert names == ["two"], names
    names = [one.name for one in api.get(Agent, namespace=N, field_selector="metadata.name=one")]
    assert names == ["one"], names
    assert {one.name for one in api.get(Agent, namespace=kr8s.ALL)} >= {"one", "two"}


@case
def patch():
    one = Agent.get("one", namespace=N, api=api)
    one.patch({"metadata": {"labels": {"team": "a"}}})
    assert one.labels["team"] == "a"
    one.patch([{"op": "replace", "path": "/metadata/labels/team", "value": "b"}], type="json")
    assert one.labels["team"] == "b"


@case
def label_and_annotate():
    one = Agent.get("one", namespace=N, api=api)
    one.label(tier="gold")
    one.annotate({"note": "x"})
    one.refresh()
    assert one.labels["tier"] == "gold" and one.annotations["note"] == "x"


@case
def scale():
    two = Agent.get("two", namespace=N, api=api)
    two.scale(2)
    assert two.replicas == 2


@case
def watch():
    seen = []

    def change():
        time.sleep(0.5)
        make("seen").create()

    threading.Thread(target=change).start()
    for kind, one in api.watch(Agent, namespace=N, field_selector="metadata.name=seen"):
        seen.append((kind, one.name))
        break
    assert seen == [("ADDED", "seen")], seen


@case
def pods():
    [pod] = [one for one in api.get("pods", namespace=N) if one.name == "one-0"]
    assert pod.ready()
    assert pod.status.phase == "Running"


@case
def logs():
    pod = Pod.get("one-0", namespace=N, api=api)
    until("the line is there", lambda: "first line" in list(pod.logs()))


@case
def execute():
    done = Pod.get("one-0", namespace=N, api=api).exec(["echo", "there"])
    assert done.stdout.strip() == b"there" and done.returncode == 0


@case
def deployment():
    assert Deployment.get("one", namespace=N, api=api).status.readyReplicas == 1


@case
def config_map_and_secret():
    one = ConfigMap({"metadata": {"name": "c", "namespace": N}, "data": {"a": "b"}}, api=api)
    one.create()
    one.patch({"data": {"c": "d"}})
    assert ConfigMap.get("c", namespace=N, api=api).data == {"a": "b", "c": "d"}
    Secret({"metadata": {"name": "s", "namespace": N}, "stringData": {"k": "v"}}, api=api).create()
    assert Secret.get("s", namespace=N, api=api).data == {"k": "dg=="}


@case
def create_or_apply():
    body = agent("one")
    body["metadata"]["namespace"] = N
    body["metadata"]["annotations"] = {"applied": "yes"}
    again = Agent(body, api=api)
    if hasattr(again, "apply"):
        again.apply(server_side=True, force_conflicts=True)
        assert Agent.get("one", namespace=N, api=api).annotations["applied"] == "yes"


@case
def whoami():
    assert api.whoami()


@case
def delete():
    one = Agent.get("one", namespace=N, api=api)
    one.delete()
    one.wait("delete", timeout=120)
    assert not one.exists()


@case
def delete_namespace():
    home = Namespace.get(N, api=api)
    home.delete()
    until("it is gone", lambda: not home.exists())


end()
