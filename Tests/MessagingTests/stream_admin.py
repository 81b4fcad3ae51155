"""What people do to a stream behind the back of who publishes to it: delete, purge, or make one.

usage: stream_admin.py URL STREAM delete|purge|make [CONFIGURATION]

CONFIGURATION is a JSON map of fields of a stream.
"""
import asyncio, json, sys
import nats
from nats.js.api import StreamConfig


async def main():
    client = await nats.connect(sys.argv[1], connect_timeout=60)
    stream, name = client.jetstream(timeout=60), sys.argv[2]
    if sys.argv[3] == "delete":
        await stream.delete_stream(name)
    elif sys.argv[3] == "purge":
        await stream.purge_stream(name)
    else:
        await stream.add_stream(StreamConfig(name=name, **json.loads(sys.argv[4])))
    await client.close()


asyncio.run(main())
