"""A stock client in Python that waits for its server to come back: waiting_client.py URL polling|websocket

Prints {"event": "connect", "sid": …} and {"event": "disconnect", "reason": …} as they come, and after each connect {"event": "answer", "value": …}
when the server has acknowledged. Nothing in it reconnects but the package itself. It ends with its standard input.
"""

import asyncio
import json
import sys

import socketio

url, transport = sys.argv[1:3]
client = socketio.AsyncClient(reconnection_delay=0.1, reconnection_delay_max=0.3)


def tell(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


@client.event
async def connect():
    tell("connect", sid=client.get_sid())
    tell("answer", value=await client.call("echo", "python", timeout=5))


@client.event
async def disconnect(reason):
    tell("disconnect", reason=str(reason))


async def main():
    await client.connect(url, transports=[transport], wait_timeout=5)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await client.shutdown()


asyncio.run(main())
