"""Takes messages of a durable consumer of a stream, and acknowledges them: nats-py.

usage: consume.py URL STREAM CONSUMER COUNT

Makes the consumer when there is none; ends when there is nothing more, or after COUNT messages.
"""
import asyncio, sys
import nats
from nats.errors import TimeoutError
from nats.js.api import AckPolicy, ConsumerConfig


async def main():
    client = await nats.connect(sys.argv[1], connect_timeout=60)
    stream = client.jetstream(timeout=60)
    config = ConsumerConfig(durable_name=sys.argv[3], ack_policy=AckPolicy.EXPLICIT)
    await stream.add_consumer(sys.argv[2], config)
    reader = await stream.pull_subscribe_bind(sys.argv[3], stream=sys.argv[2])
    left = int(sys.argv[4])
    while left > 0 and (await stream.consumer_info(sys.argv[2], sys.argv[3])).num_pending > 0:
        for message in await reader.fetch(min(left, 100), timeout=60):
            await message.ack_sync(timeout=60)
            left -= 1
    await client.close()


asyncio.run(main())
