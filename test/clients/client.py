"""The behaviour test of stock clients, with python-socketio: client.py URL polling|websocket|default

Makes the checks of checks.ts, by the same names, and prints [{"check": NAME, "error": TEXT or null}].
"""

import asyncio
import json
import sys
import traceback

import socketio

WAIT = 5
BYTES = bytes([0, 1, 0x7F, 0x80, 0xFF, 0x1E, 0x0A])

url, transport = sys.argv[1:3]
opened = []


async def connect(namespace="/", auth=None):
    client = socketio.AsyncClient(reconnection_delay=0.05, reconnection_delay_max=0.1)
    opened.append(client)
    transports = None if transport == "default" else [transport]
    await client.connect(url, transports=transports, namespaces=[namespace], auth=auth, wait_timeout=WAIT)
    return client


async def call(client, event, *args, namespace=None):
    """A tuple is several arguments to the package, everything else is one."""
    return await client.call(event, args, namespace=namespace, timeout=WAIT)


async def until(condition, what):
    deadline = asyncio.get_running_loop().time() + WAIT
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return
        assert asyncio.get_running_loop().time() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.02)


async def connects():
    client = await connect()
    wanted = "polling" if transport == "polling" else "websocket"

    async def is_there():
        return client.transport() == wanted and (await call(client, "whoami"))["transport"] == wanted

    await until(is_there, f"the transport {wanted}")


async def binary_both_ways():
    client = await connect()
    echoed = await call(client, "echo", {"deep": [BYTES]})
    assert echoed == {"deep": [BYTES]}, echoed
    client.on("bytes", lambda value: value[::-1])
    answer = await call(client, "ask", "bytes", BYTES, WAIT * 1000)
    assert answer == BYTES[::-1], answer


async def acknowledgements_both_ways():
    client = await connect()
    assert await call(client, "echo", "grüße 🐚") == "grüße 🐚"
    client.on("double", lambda value: 2 * value)
    assert await call(client, "ask", "double", 21, WAIT * 1000) == 42


async def timeouts_both_ways():
    client = await connect()
    try:
        await client.call("never", timeout=0.1)
        raise AssertionError("a call that nobody answers came back")
    except socketio.exceptions.TimeoutError:
        pass

    async def slow(_value):
        await asyncio.sleep(0.5)

    client.on("slow", slow)
    assert await call(client, "ask", "slow", 1, 100) == "timeout"
    assert await call(client, "echo", "still here") == "still here"


async def rooms():
    one = await connect()
    worker = (await call(one, "whoami"))["worker"]
    for _ in range(20):
        two = await connect()
        if (await call(two, "whoami"))["worker"] != worker:
            break
    else:
        raise AssertionError("20 sessions on one of two workers")
    room = f"room of Python over {transport}"
    heard = [[], []]
    one.on("said", lambda _room, message: heard[0].append(message))
    two.on("said", lambda _room, message: heard[1].append(message))
    for client in (one, two):
        assert await call(client, "join", room) is True
    await call(one, "say", room, "first")
    await until(lambda: heard == [["first"], ["first"]], "the first message")
    await call(two, "leave", room)
    await call(one, "say", room, "second")
    await call(two, "say", room, "third")
    await until(lambda: sorted(heard[0]) == ["first", "second", "third"], "what follows")
    assert await call(two, "echo", 1) == 1
    assert heard[1] == ["first"], heard[1]


async def namespaces():
    client = await connect("/vip", {"token": "gold"})
    assert await call(client, "echo", 7, namespace="/vip") == {"vip": 7}
    try:
        await connect("/vip", {"token": "tin"})
        raise AssertionError("the namespace let everybody in")
    except socketio.exceptions.ConnectionError:
        pass


async def comes_back():
    client = await connect()
    before = client.get_sid()
    lost = asyncio.Event()
    client.on("disconnect", lambda *_reason: lost.set())
    await client.emit("cut")
    await asyncio.wait_for(lost.wait(), WAIT)
    await until(lambda: client.connected and client.get_sid() not in (None, before), "the client to come back")
    assert await call(client, "echo", "back") == "back"


CHECKS = {
    "connects": connects,
    "binary both ways": binary_both_ways,
    "acknowledgements both ways": acknowledgements_both_ways,
    "timeouts of acknowledgements both ways": timeouts_both_ways,
    "rooms across the workers": rooms,
    "namespaces": namespaces,
    "comes back when its connection is cut": comes_back,
}


async def main():
    results = []
    for name, check in CHECKS.items():
        error = None
        try:
            await check()
        except Exception:
            error = traceback.format_exc()
        finally:
            for client in opened:
                await client.shutdown()
            opened.clear()
        results.append({"check": name, "error": error})
    print(json.dumps(results))


asyncio.run(main())
