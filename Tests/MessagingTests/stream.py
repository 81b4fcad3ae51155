"""A reader of a stream that is not ours: nats-py.

usage: stream.py URL STREAM [CREDENTIALS]

Prints every message that the stream holds, none when there is no stream, one JSON map on a line: its number, subject, id, content type, and content.
"""
import asyncio, json, sys
import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError


async def main():
    client = await nats.connect(sys.argv[1], connect_timeout=60)
    stream = client.jetstream(timeout=60)
    try:
        info = await stream.stream_info(sys.argv[2])
    except NotFoundError:
        return await client.close()
    left = info.state.messages
    config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, ack_policy=AckPolicy.NONE)
    reader = await stream.pull_subscribe(">" if not left else info.config.subjects[0], stream=sys.argv[2], config=config)
    while left > 0:
        for message in await reader.fetch(min(left, 500), timeout=60):
            left -= 1
            print(json.dumps({
                "number": message.metadata.sequence.stream, "subject": message.subject,
                "id": message.headers["Nats-Msg-Id"], "type": message.headers["Content-Type"],
                "content": message.data.decode()}))
    await client.close()


asyncio.run(main())
