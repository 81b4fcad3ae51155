"""The Python client `lightkube`, as an administrator: lightkube_client.py KUBECONFIG"""
import sys, threading, time

from cases import agent, case, end, until
from lightkube import ApiError, Client, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Event, Namespace, Pod, Secret, ServiceAccount
from lightkube.types import CascadeType, PatchType

N = "m4"
client = Client(KubeConfig.from_file(sys.argv[1]).get(), namespace=N, field_manager="lightkube")
Agent = create_namespaced_resource("agentos.dev", "v1", "Agent", "agents", verbs=None)


def fails(code, call, *words, **more):
    try:
        call(*words, **more)
    except ApiError as problem:
        assert problem.status.code == code, problem.status
        return problem
    raise AssertionError(f"no {code}")


def names(kind, **more):
    return [one.metadata.name for one in client.list(kind, **more)]


@case
def create_namespace():
    client.create(Namespace(metadata=ObjectMeta(name=N)))
    assert N in names(Namespace)


@case
def create():
    made = client.create(Agent.from_dict(agent("one", "echo first line; exec sleep 1000")))
    assert made.metadata.generation == 1


@case
def create_twice():
    fails(409, client.create, Agent.from_dict(agent("one")))


@case
def get():
    assert client.get(Agent, "one").metadata.uid
    fails(404, client.get, Agent, "nobody")


@case
def wait():
    client.wait(Agent, "one", for_conditions=["Ready"])


@case
def lists():
    client.create(Agent.from_dict(agent("two")))
    assert names(Agent) == ["one", "two"]
    assert names(Agent, labels={"app": "two"}) == ["two"]
    assert names(Agent, fields={"metadata.name": "one"}) == ["one"]
    assert "one" in names(Agent, namespace="*")
    assert names(Agent, chunk_size=1) == ["one", "two"]


@case
def replace():
    body = client.get(Agent, "one").to_dict()
    body["metadata"]["annotations"] = {"a": "1"}
    client.replace(Agent.from_dict(body))
    fails(409, client.replace, Agent.from_dict(body))


@case
def patch_merge():
    after = client.patch(Agent, "one", {"metadata": {"labels": {"team": "a"}}}, patch_type=PatchType.MERGE)
    assert after.metadata.labels["team"] == "a"


@case
def patch_json():
    after = client.patch(
        Agent, "one", [{"op": "replace", "path": "/metadata/labels/team", "value": "b"}], patch_type=PatchType.JSON)
    assert after.metadata.labels["team"] == "b"


@case
def patch_strategic():
    client.create(ConfigMap(metadata=ObjectMeta(name="c"), data={"a": "b"}))
    assert client.patch(ConfigMap, "c", {"data": {"c": "d"}}).data == {"a": "b", "c": "d"}


@case
def apply():
    body = Agent.from_dict({
        "apiVersion": "agentos.dev/v1", "kind": "Agent", "metadata": {"name": "one", "annotations": {"by": "lightkube"}}})
    assert client.apply(body, force=True).metadata.annotations["by"] == "lightkube"


@case
def scale():
    found = client.get(Agent.Scale, "two")
    assert found.spec.replicas == 1
    found.spec.replicas = 2
    client.replace(found, "two")
    assert client.get(Agent, "two").spec["replicas"] == 2


@case
def status():
    assert client.get(Agent.Status, "one").status["observedGeneration"] >= 1


@case
def watch():
    def change():
        time.sleep(0.3)
        client.create(Agent.from_dict(agent("seen")))

    threading.Thread(target=change).start()
    for kind, one in client.watch(Agent, fields={"metadata.name": "seen"}):
        assert (kind, one.metadata.name) == ("ADDED", "seen")
        break


@case
def pods_and_logs():
    assert client.get(Pod, "one-0").status.phase == "Running"
    until("the line is there", lambda: "first line" in [line.strip() for line in client.log("one-0")])


@case
def deployment():
    assert client.get(Deployment, "one").status.readyReplicas == 1


@case
def secret():
    client.create(Secret(metadata=ObjectMeta(name="s"), stringData={"k": "v"}))
    assert client.get(Secret, "s").data == {"k": "dg=="}


@case
def service_account():
    client.create(ServiceAccount(metadata=ObjectMeta(name="robot")))
    assert "robot" in names(ServiceAccount)


@case
def events():
    assert any(one.involvedObject.name == "one" for one in client.list(Event))


@case
def delete():
    client.delete(Agent, "one", cascade=CascadeType.BACKGROUND)
    until("it is gone", lambda: "one" not in names(Agent))
    fails(404, client.delete, Agent, "one")


@case
def delete_collection():
    client.deletecollection(Agent)
    until("all are gone", lambda: not names(Agent))


@case
def delete_namespace():
    client.delete(Namespace, N)
    until("it is gone", lambda: N not in names(Namespace))


end()
