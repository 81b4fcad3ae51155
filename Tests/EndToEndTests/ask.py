"""Asks a daemon over NATS with a client that is not ours: nats-py.

usage: ask.py URL each                    each request of standard input, a JSON list, one after the other
       ask.py URL flood COUNT             the first of them so often, at once; prints how often each code came
       ask.py URL insist COUNT            the first of them with as many keys, each again and again until it is answered

A request is a map with subject, and request (JSON) or raw (text) or size (so many bytes), headers, publish (no answer is waited
for) and reply (where the answer goes instead). Prints a JSON map on a line for each answer.
"""
import asyncio, collections, json, sys
import nats
from nats.errors import Error, TimeoutError

TOLD = []


async def told(error):
    TOLD.append(str(error))


def content(ask):
    if "raw" in ask:
        return ask["raw"].encode()
    if "size" in ask:
        return b'{"path": "/version", "key": "' + b"x" * (ask["size"] - 31) + b'"}'
    return json.dumps(ask["request"]).encode()


async def one(client, ask, timeout=60):
    if "reply" in ask or ask.get("publish"):
        await client.publish(ask["subject"], content(ask), reply=ask.get("reply", ""), headers=ask.get("headers"))
        await client.flush()
        return {}
    answer = await client.request(ask["subject"], content(ask), timeout=timeout, headers=ask.get("headers"))
    headers = dict(answer.headers)
    return {"code": int(headers["Agentos-Code"]), "headers": headers, "body": json.loads(answer.data or b"null")}


async def insist(client, ask, key):
    ask = ask | {"headers": ask.get("headers", {}) | {"Idempotency-Key": key}}
    for tries in range(1, 1000):
        try:
            answer = await one(client, ask, timeout=2)
            # Too much at a time, or a daemon that is about to end.
            if answer["code"] not in (429, 503, 504):
                return answer | {"tries": tries}
        except (Error, OSError):
            pass
        await asyncio.sleep(0.05)
    raise SystemExit(f"{key} is never answered: {TOLD[-3:]}")


async def main():
    asks = json.load(sys.stdin)
    client = await nats.connect(
        sys.argv[1], connect_timeout=60, max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=told,
        pending_size=64 << 20)
    if sys.argv[2] == "each":
        for ask in asks:
            try:
                print(json.dumps(await one(client, ask)))
            except Error as error:
                print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
    elif sys.argv[2] == "flood":
        answers = await asyncio.gather(*(one(client, asks[0]) for _ in range(int(sys.argv[3]))))
        print(json.dumps(collections.Counter(str(answer["code"]) for answer in answers)))
    else:
        for answer in await asyncio.gather(*(insist(client, asks[0], f"key-{n}") for n in range(int(sys.argv[3])))):
            print(json.dumps(answer))
    await client.close()


asyncio.run(main())
