"""The Python client `kubernetes`, as an administrator: kubernetes_client.py KUBECONFIG

Longer than 400 lines: one case for each thing that this client can do, read one by one.
"""
import contextlib, datetime, socket, sys, threading, time, uuid

from cases import agent, case, end, until
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import portforward, stream

config.load_kube_config(sys.argv[1])
core, custom = client.CoreV1Api(), client.CustomObjectsApi()
G, V, P, N = "agentos.dev", "v1", "agents", "m2"
PLACE = dict(group=G, version=V, namespace=N, plural=P)


def fails(code, call, *words, **more):
    try:
        call(*words, **more)
    except ApiException as problem:
        assert problem.status == code, (problem.status, problem.body)
        return problem
    raise AssertionError(f"no {code}")


@case
def version_groups_and_resources():
    assert client.VersionApi().get_code().major == "1"
    names = {group.name for group in client.ApisApi().get_api_versions().groups}
    assert {"agentos.dev", "rbac.authorization.k8s.io", "apps", "coordination.k8s.io"} <= names, names
    kinds = {one.kind for one in core.get_api_resources().resources}
    assert {"Namespace", "Secret", "ConfigMap", "ServiceAccount", "Pod", "Event"} <= kinds, kinds


@case
def create_namespace():
    made = core.create_namespace({"metadata": {"name": N}})
    assert made.status.phase == "Active" and made.metadata.uid
    until("it is listed", lambda: N in [one.metadata.name for one in core.list_namespace().items])


@case
def create():
    made = custom.create_namespaced_custom_object(**PLACE, body=agent("one", "echo first line; exec sleep 1000"))
    assert made["metadata"]["generation"] == 1 and made["metadata"]["managedFields"]
    fails(409, custom.create_namespaced_custom_object, **PLACE, body=agent("one"))


@case
def create_with_a_typed_error():
    bad = agent("bad")
    bad["spec"]["replicas"] = -1
    problem = fails(422, custom.create_namespaced_custom_object, **PLACE, body=bad)
    assert "spec.replicas" in problem.body


@case
def create_dry_run():
    custom.create_namespaced_custom_object(**PLACE, body=agent("dry"), dry_run="All")
    fails(404, custom.get_namespaced_custom_object, **PLACE, name="dry")


@case
def generate_name():
    body = agent("x")
    body["metadata"] = {"generateName": "gen-"}
    made = custom.create_namespaced_custom_object(**PLACE, body=body)
    name = made["metadata"]["name"]
    assert name.startswith("gen-") and len(name) == 9
    custom.delete_namespaced_custom_object(**PLACE, name=name)


@case
def get_and_missing():
    assert custom.get_namespaced_custom_object(**PLACE, name="one")["kind"] == "Agent"
    fails(404, custom.get_namespaced_custom_object, **PLACE, name="nobody")


@case
def becomes_ready():
    def ready():
        found = custom.get_namespaced_custom_object(**PLACE, name="one").get("status", {})
        return any(c["type"] == "Ready" and c["status"] == "True" for c in found.get("conditions", []))
    until("one is Ready", ready)


@case
def lists():
    here = custom.list_namespaced_custom_object(**PLACE)
    assert here["kind"] == "AgentList" and int(here["metadata"]["resourceVersion"]) > 0
    everywhere = custom.list_cluster_custom_object(G, V, P)
    assert "one" in [one["metadata"]["name"] for one in everywhere["items"]]
    chosen = custom.list_namespaced_custom_object(**PLACE, label_selector="app=one")
    assert [one["metadata"]["name"] for one in chosen["items"]] == ["one"]
    assert custom.list_namespaced_custom_object(**PLACE, field_selector="metadata.name=zero")["items"] == []


@case
def lists_in_pages():
    for index in range(5):
        core.create_namespaced_config_map(N, {"metadata": {"name": f"page-{index}"}, "data": {"a": "b"}})
    names, token = [], None
    while True:
        page = core.list_namespaced_config_map(N, limit=2, _continue=token)
        names += [one.metadata.name for one in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert [name for name in names if name.startswith("page-")] == [f"page-{index}" for index in range(5)], names


@case
def replace_with_its_version():
    live = custom.get_namespaced_custom_object(**PLACE, name="one")
    live["metadata"]["annotations"] = {"a": "1"}
    after = custom.replace_namespaced_custom_object(**PLACE, name="one", body=live)
    assert after["metadata"]["annotations"]["a"] == "1"
    live["metadata"]["annotations"] = {"a": "2"}
    problem = fails(409, custom.replace_namespaced_custom_object, **PLACE, name="one", body=live)
    assert "the object has been modified" in problem.body


@case
def patch_merge():
    after = custom.patch_namespaced_custom_object(
        **PLACE, name="one", body={"metadata": {"labels": {"team": "a"}}}, _content_type="application/merge-patch+json")
    assert after["metadata"]["labels"]["team"] == "a"
    again = custom.patch_namespaced_custom_object(
        **PLACE, name="one", body={"metadata": {"labels": {"team": "a"}}}, _content_type="application/merge-patch+json")
    assert again["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]


@case
def patch_json():
    operations = [{"op": "replace", "path": "/metadata/labels/team", "value": "b"}]
    after = custom.patch_namespaced_custom_object(**PLACE, name="one", body=operations, _content_type="application/json-patch+json")
    assert after["metadata"]["labels"]["team"] == "b"


@case
def patch_apply():
    body = {"apiVersion": "agentos.dev/v1", "kind": "Agent", "metadata": {"name": "one", "annotations": {"by": "python"}}}
    after = custom.patch_namespaced_custom_object(
        **PLACE, name="one", body=body, field_manager="python", force=True, _content_type="application/apply-patch+yaml")
    managers = {(one["manager"], one["operation"]) for one in after["metadata"]["managedFields"]}
    assert ("python", "Apply") in managers and any(operation == "Update" for _, operation in managers), managers


@case
def patch_of_a_config_map_is_strategic():
    after = core.patch_namespaced_config_map("page-0", N, {"data": {"c": "d"}})
    assert after.data == {"a": "b", "c": "d"}


@case
def scale():
    found = custom.get_namespaced_custom_object_scale(**PLACE, name="one")
    assert found["spec"]["replicas"] == 1
    custom.patch_namespaced_custom_object_scale(
        **PLACE, name="one", body={"spec": {"replicas": 2}}, _content_type="application/merge-patch+json")
    assert custom.get_namespaced_custom_object(**PLACE, name="one")["spec"]["replicas"] == 2
    until("two are ready", lambda: custom.get_namespaced_custom_object_scale(**PLACE, name="one")["status"]["replicas"] == 2)
    found = custom.get_namespaced_custom_object_scale(**PLACE, name="one")
    found["spec"]["replicas"] = 1
    del found["metadata"]["resourceVersion"]  # the replicas that start change the object meanwhile
    custom.replace_namespaced_custom_object_scale(**PLACE, name="one", body=found)


@case
def status_is_the_daemons():
    live = custom.get_namespaced_custom_object_status(**PLACE, name="one")
    assert live["status"]["observedGeneration"] >= 1
    live["status"]["phase"] = "Nonsense"
    live["spec"]["replicas"] = 7
    del live["metadata"]["resourceVersion"]  # the replica that stops changes the object meanwhile
    after = custom.replace_namespaced_custom_object_status(**PLACE, name="one", body=live)
    assert after["status"]["phase"] != "Nonsense" and after["spec"]["replicas"] == 1


@case
def watches():
    seen = []
    version = custom.list_namespaced_custom_object(**PLACE)["metadata"]["resourceVersion"]

    def change():
        time.sleep(0.3)
        custom.create_namespaced_custom_object(**PLACE, body=agent("seen"))
        custom.delete_namespaced_custom_object(**PLACE, name="seen", grace_period_seconds=0)

    thread = threading.Thread(target=change)
    thread.start()
    for event in watch.Watch().stream(
            custom.list_namespaced_custom_object, **PLACE, resource_version=version, timeout_seconds=120,
            field_selector="metadata.name=seen"):
        seen.append(event["type"])
        if event["type"] == "DELETED":
            break
    thread.join()
    assert seen[0] == "ADDED" and seen[-1] == "DELETED", seen


@case
def watch_of_an_old_version_is_expired():
    try:
        for _ in watch.Watch().stream(custom.list_namespaced_custom_object, **PLACE, resource_version="999999999", timeout_seconds=3):
            pass
    except ApiException as problem:
        assert problem.status == 410
        return
    raise AssertionError("no 410")


@case
def finalizers_hold():
    body = agent("held")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    custom.create_namespaced_custom_object(**PLACE, body=body)
    left = custom.delete_namespaced_custom_object(**PLACE, name="held")
    assert left["metadata"]["deletionTimestamp"]
    custom.patch_namespaced_custom_object(
        **PLACE, name="held", body={"metadata": {"finalizers": None}}, _content_type="application/merge-patch+json")

    def gone():
        try:
            custom.get_namespaced_custom_object(**PLACE, name="held")
        except ApiException as problem:
            return problem.status == 404
    until("it is gone", gone)


@case
def owners_take_their_dependents_along():
    owner = core.create_namespaced_config_map(N, {"metadata": {"name": "owner"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}
    core.create_namespaced_config_map(N, {"metadata": {"name": "owned", "ownerReferences": [reference]}})
    core.delete_namespaced_config_map("owner", N)

    def gone():
        return "owned" not in [one.metadata.name for one in core.list_namespaced_config_map(N).items]
    until("the dependent is gone", gone)


@case
def secrets():
    core.create_namespaced_secret(N, {"metadata": {"name": "s"}, "stringData": {"token": "hunter2"}})
    assert core.read_namespaced_secret("s", N).data == {"token": "aHVudGVyMg=="}
    core.patch_namespaced_secret("s", N, {"stringData": {"more": "x"}})
    assert set(core.read_namespaced_secret("s", N).data) == {"token", "more"}
    core.delete_namespaced_secret("s", N)


@case
def pods():
    [pod] = [one for one in core.list_namespaced_pod(N, label_selector="app=one").items if one.metadata.name == "one-0"]
    assert pod.status.phase == "Running" and pod.status.container_statuses[0].ready
    assert core.read_namespaced_pod("one-0", N).spec.containers[0].name


@case
def logs():
    until("the line is there", lambda: "first line" in core.read_namespaced_pod_log("one-0", N))
    assert core.read_namespaced_pod_log("one-0", N, tail_lines=1, timestamps=True).split(" ", 1)[1].startswith("first")
    followed = core.read_namespaced_pod_log("one-0", N, follow=True, _preload_content=False)
    assert b"first line" in next(followed.stream(64))
    followed.close()


@case
def execs():
    assert stream(core.connect_get_namespaced_pod_exec, "one-0", N, command=["echo", "there"], stdout=True).strip() == "there"
    peer = stream(
        core.connect_get_namespaced_pod_exec, "one-0", N, command=["sh", "-c", "read x; echo got $x; exit 3"],
        stdin=True, stdout=True, stderr=True, _preload_content=False)
    peer.write_stdin("word\n")
    peer.run_forever(timeout=120)
    assert "got word" in peer.read_stdout() and peer.returncode == 3
    peer.close()


@case
def ports():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    says = (
        "import socket; s = socket.create_server(('127.0.0.1', %d))\n"
        "while True:\n  c, _ = s.accept(); c.sendall(b'got ' + c.recv(100)); c.close()" % port)
    custom.create_namespaced_custom_object(**PLACE, body={
        **agent("listens"), "spec": {"command": ["python3", "-c", says], "terminationGracePeriodSeconds": 0}})
    until("it runs", lambda: core.read_namespaced_pod("listens-0", N).status.phase == "Running")

    def answer():
        peer = portforward(core.connect_get_namespaced_pod_portforward, "listens-0", N, ports=str(port))
        with contextlib.closing(peer.socket(port)) as connection:
            connection.settimeout(60)
            connection.sendall(b"hello")
            return connection.recv(100), peer.error(port)
    until("it answers", lambda: answer() == (b"got hello", None))
    custom.delete_namespaced_custom_object(**PLACE, name="listens")


@case
def deployments():
    found = client.AppsV1Api().read_namespaced_deployment_status("one", N)
    assert found.status.observed_generation and found.spec.replicas == 1


@case
def pod_metrics():
    until("there are metrics", lambda: custom.list_namespaced_custom_object("metrics.k8s.io", "v1beta1", N, "pods")["items"])


@case
def events():
    def about_one():
        return [one for one in core.list_namespaced_event(N, field_selector="involvedObject.name=one").items if one.reason]
    until("there are events", about_one)
    now = datetime.datetime.now(datetime.timezone.utc)
    made = core.create_namespaced_event(N, client.CoreV1Event(
        metadata=client.V1ObjectMeta(generate_name="note-"), type="Normal", reason="Noted", message="from a client",
        involved_object=client.V1ObjectReference(kind="Agent", name="one", namespace=N, api_version="agentos.dev/v1"),
        first_timestamp=now, last_timestamp=now, count=1, source=client.V1EventSource(component="test")))
    assert made.metadata.name.startswith("note-")
    assert "Noted" in [one.reason for one in about_one()]


@case
def leases():
    leases = client.CoordinationV1Api()
    now = datetime.datetime.now(datetime.timezone.utc)
    made = leases.create_namespaced_lease(N, client.V1Lease(
        metadata=client.V1ObjectMeta(name="lead"),
        spec=client.V1LeaseSpec(holder_identity="a", lease_duration_seconds=15, acquire_time=now, renew_time=now)))
    made.spec.holder_identity = "b"
    leases.replace_namespaced_lease("lead", N, made)
    fails(409, leases.replace_namespaced_lease, "lead", N, made)
    assert leases.read_namespaced_lease("lead", N).spec.holder_identity == "b"


@case
def leader_election():
    from kubernetes.leaderelection import electionconfig, leaderelection
    from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock
    led = threading.Event()
    chosen = electionconfig.Config(
        ConfigMapLock("election", N, str(uuid.uuid4())), lease_duration=17, renew_deadline=15, retry_period=5,
        onstarted_leading=led.set, onstopped_leading=None)
    threading.Thread(target=leaderelection.LeaderElection(chosen).run, daemon=True).start()
    assert led.wait(120)


@case
def access_reviews():
    api = client.AuthorizationV1Api()
    asked = {"spec": {"resourceAttributes": {"verb": "delete", "group": G, "resource": P, "namespace": N}}}
    assert api.create_self_subject_access_review(asked).status.allowed
    other = {"spec": {**asked["spec"], "user": "nobody-special"}}
    assert not api.create_subject_access_review(other).status.allowed
    assert client.AuthenticationV1Api().create_self_subject_review({}).status.user_info.username


@case
def access_rules_and_tokens():
    rbac = client.RbacAuthorizationV1Api()
    core.create_namespaced_service_account(N, {"metadata": {"name": "robot"}})
    rbac.create_namespaced_role(N, {
        "metadata": {"name": "reader"}, "rules": [{"apiGroups": [G], "resources": [P], "verbs": ["get", "list", "watch"]}]})
    rbac.create_namespaced_role_binding(N, {
        "metadata": {"name": "robot-reads"}, "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": N}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}})
    token = core.create_namespaced_service_account_token("robot", N, {"spec": {"expirationSeconds": 600}}).status.token
    settings = client.Configuration.get_default_copy()
    settings.cert_file = settings.key_file = None
    settings.api_key = {"authorization": f"Bearer {token}"}
    robot = client.CustomObjectsApi(client.ApiClient(settings))
    assert robot.list_namespaced_custom_object(**PLACE)["items"]
    problem = fails(403, robot.delete_namespaced_custom_object, **PLACE, name="one")
    assert 'cannot delete resource \\"agents\\"' in problem.body, problem.body
    fails(403, robot.list_cluster_custom_object, G, V, P)
    settings.api_key = {"authorization": "Bearer nonsense"}
    fails(401, client.CustomObjectsApi(client.ApiClient(settings)).list_namespaced_custom_object, **PLACE)
    core.delete_namespaced_service_account("robot", N)
    settings.api_key = {"authorization": f"Bearer {token}"}
    fails(401, client.CustomObjectsApi(client.ApiClient(settings)).list_namespaced_custom_object, **PLACE)


@case
def dynamic_client():
    found = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version="agentos.dev/v1", kind="Agent")
    assert found.get(name="one", namespace=N).metadata.name == "one"
    made = found.create(body=agent("dynamic"), namespace=N)
    assert made.metadata.uid
    found.server_side_apply(
        body={"apiVersion": "agentos.dev/v1", "kind": "Agent", "metadata": {"name": "dynamic", "labels": {"x": "y"}}},
        namespace=N, field_manager="dynamic")
    found.patch(name="dynamic", namespace=N, body={"metadata": {"labels": {"z": "1"}}}, content_type="application/merge-patch+json")
    found.delete(name="dynamic", namespace=N)


@case
def delete_with_preconditions():
    live = custom.get_namespaced_custom_object(**PLACE, name="one")
    fails(409, custom.delete_namespaced_custom_object, **PLACE, name="one",
          body=client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="00000000-0000-0000-0000-000000000000")))
    custom.delete_namespaced_custom_object(
        **PLACE, name="one", body=client.V1DeleteOptions(
            preconditions=client.V1Preconditions(uid=live["metadata"]["uid"]), propagation_policy="Background"))


@case
def delete_collection():
    core.delete_collection_namespaced_config_map(N, label_selector="none=such")
    assert core.list_namespaced_config_map(N).items
    core.delete_collection_namespaced_config_map(N)
    assert core.list_namespaced_config_map(N).items == []
    custom.delete_collection_namespaced_custom_object(**PLACE, grace_period_seconds=0)
    until("no agent is left", lambda: not custom.list_namespaced_custom_object(**PLACE)["items"])


@case
def delete_namespace():
    core.delete_namespace(N)
    until("it is gone", lambda: N not in [one.metadata.name for one in core.list_namespace().items])


end()
