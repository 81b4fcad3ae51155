"""What the scripts of the clients share: cases that are run one after another and told one by one.

Each case prints one line: `ok NAME` or `failed NAME: why`. The last line counts them: a script that ends early is seen.
"""
import sys, time, traceback

ran, failed = 0, 0


def told(name, problem=None):
    global ran, failed
    ran += 1
    if problem is None:
        print(f"ok {name}", flush=True)
    else:
        failed += 1
        print(f"failed {name}: {' '.join(str(problem).split())[:700]}", flush=True)


def case(body):
    """Runs a function at once, under its own name."""
    try:
        body()
    except Exception as problem:
        where = traceback.extract_tb(problem.__traceback__)
        line = next((frame.lineno for frame in reversed(where) if frame.filename == sys.argv[0]), 0)
        told(body.__name__, f"line {line}: {type(problem).__name__}: {problem}")
    else:
        told(body.__name__)
    return body


def until(what, condition, seconds=120):
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.05)
    return found


def end():
    print(f"{ran} cases, {failed} failed", flush=True)


def agent(name, script="exec sleep 1000", **spec):
    return {
        "apiVersion": "agentos.dev/v1",
        "kind": "Agent",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"command": ["sh", "-c", script], "terminationGracePeriodSeconds": 2, **spec},
    }
