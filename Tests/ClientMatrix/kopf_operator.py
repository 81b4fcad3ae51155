"""An operator on `kopf` that watches agents, as an administrator: kopf_operator.py KUBECONFIG"""
import asyncio, os, sys, threading, time

os.environ["KUBECONFIG"] = sys.argv[1]

import kopf
from cases import agent, case, end, until
from kubernetes import client, config

config.load_kube_config(sys.argv[1])
core, custom = client.CoreV1Api(), client.CustomObjectsApi()
N = "m5"
PLACE = dict(group="agentos.dev", version="v1", namespace=N, plural="agents")
called, ready, stop = {}, threading.Event(), threading.Event()


@kopf.on.startup()
def configure(settings, **_):
    settings.persistence.finalizer = "example.com/kopf"
    settings.posting.level = 20
    settings.execution.max_workers = 2


@kopf.on.create("agentos.dev", "v1", "agents")
def created(name, patch, body, **_):
    called["created"] = name
    patch.metadata.annotations["example.com/created"] = "yes"
    kopf.info(body, reason="Greeted", message="an operator has seen it")


@kopf.on.update("agentos.dev", "v1", "agents", field="metadata.labels")
def relabelled(name, new, **_):
    called["relabelled"] = dict(new or {})


@kopf.on.delete("agentos.dev", "v1", "agents")
def deleted(name, **_):
    called["deleted"] = name


@kopf.on.event("agentos.dev", "v1", "agents")
def seen(event, **_):
    called.setdefault("events", []).append(event["type"])


def operate():
    asyncio.run(kopf.operator(namespaces=[N], ready_flag=ready, stop_flag=stop, standalone=True))


core.create_namespace({"metadata": {"name": N}})
operator = threading.Thread(target=operate, daemon=True)
operator.start()


@case
def starts():
    assert ready.wait(120)


@case
def sees_a_creation():
    custom.create_namespaced_custom_object(**PLACE, body=agent("one"))
    until("the handler was called", lambda: called.get("created") == "one")


@case
def patches_the_object():
    def patched():
        found = custom.get_namespaced_custom_object(**PLACE, name="one")["metadata"]
        return found.get("annotations", {}).get("example.com/created") == "yes" and "example.com/kopf" in found["finalizers"]
    until("annotation and finalizer are there", patched)


@case
def posts_an_event():
    until("the event is listed", lambda: "Greeted" in [
        one.reason for one in core.list_namespaced_event(N, field_selector="involvedObject.name=one").items])


@case
def sees_a_change():
    custom.patch_namespaced_custom_object(
        **PLACE, name="one", body={"metadata": {"labels": {"team": "a"}}}, _content_type="application/merge-patch+json")
    until("the handler was called", lambda: called.get("relabelled", {}).get("team") == "a")


@case
def lets_a_deletion_go():
    custom.delete_namespaced_custom_object(**PLACE, name="one")
    until("the handler was called", lambda: called.get("deleted") == "one")
    until("it is gone", lambda: not custom.list_namespaced_custom_object(**PLACE)["items"])
    assert "DELETED" in called["events"], called


@case
def stops():
    stop.set()
    operator.join(120)
    assert not operator.is_alive()


core.delete_namespace(N)
end()
