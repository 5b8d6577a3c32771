"""gtUDP in a program that runs on asyncio."""

import asyncio

from ringpost import aio


async def main():
    async with aio.Messenger(("127.0.0.1", 0)) as alice, aio.Messenger(("127.0.0.1", 0)) as bob:
        outcomes = asyncio.gather(*(alice.send(f"message {i}".encode(), bob.local, timeout=5) for i in range(3)))
        for _ in range(3):
            data, peer = await bob.receive()
            print(data.decode())
        print(*(outcome.name for outcome in await outcomes))


asyncio.run(main())
