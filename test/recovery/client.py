"""A client that knows nothing of recovery: client.py URL polling|websocket

Joins a room, hears a message in it, loses its connection, comes back as a new session, and hears again. Prints what it heard as JSON.
"""

import asyncio
import json
import sys

import socketio

WAIT = 5
url, transport = sys.argv[1:3]


async def until(condition, what):
    deadline = asyncio.get_running_loop().time() + WAIT
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.02)


async def main():
    client = socketio.AsyncClient(reconnection_delay=0.05, reconnection_delay_max=0.1)
    heard, ids = [], []
    client.on("connect", lambda: ids.append(client.get_sid()))
    client.on("said", lambda *args: heard.append(args))
    # Some handlers take what they know of, and whatever else there may be.
    client.on("bytes", lambda value, *_offset: value[::-1])
    await client.connect(url, transports=[transport], wait_timeout=WAIT)
    for message in ["first", "second"]:
        await until(lambda: client.connected, "the connection")
        await client.call("join", "room", timeout=WAIT)
        await client.call("say", ("room", message), timeout=WAIT)
        await until(lambda: heard and heard[-1][1] == message, f"the {message} message")
        if message == "first":
            await client.emit("cut")
            await until(lambda: len(ids) == 2, "the connection to come back")
    answer = await client.call("ask", ("bytes", b"\x00\x01", WAIT * 1000), timeout=WAIT)
    await client.disconnect()
    print(json.dumps({"heard": heard, "ids": ids, "answer": answer.hex()}))


asyncio.run(main())
