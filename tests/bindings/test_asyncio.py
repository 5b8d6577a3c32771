"""ringpost.aio: the descriptor of each object in asyncio's loop."""

import asyncio
import unittest

import support
from message_peer import Peer as MessagePeer

import ringpost
from ringpost import aio, confirmed, devices, gtudp

HOST = "127.0.0.1"
patience_s = support.patience_s


def soon(awaitable):
    return asyncio.wait_for(awaitable, patience_s)


class Asyncio(unittest.IsolatedAsyncioTestCase):
    async def test_gtudp(self):
        for backend in ("uring", "mmsg"):
            async with aio.Messenger((HOST, 0), backend=backend) as alice, \
                    aio.Messenger((HOST, 0), backend=backend) as bob:
                outcomes = asyncio.gather(*(alice.send(str(n).encode(), bob.local) for n in range(100)))
                got = sorted([int((await soon(bob.receive()))[0]) for _ in range(100)])
                self.assertEqual(got, list(range(100)))
                self.assertEqual(await soon(outcomes), [gtudp.Outcome.CONFIRMED] * 100)
                await alice.send_many([b"x"] * 10_000, bob.local)
                count = 0
                async for data, _ in bob:
                    count += data == b"x"
                    if count == 10_000:
                        break

    async def test_retransmissions_need_no_call(self):
        """The peer cannot receive at first: only the descriptor's timer can repeat the message."""
        with gtudp.Messenger((HOST, 0)) as gone:
            there = gone.local
        async with aio.Messenger((HOST, 0)) as alice:
            sending = asyncio.ensure_future(alice.send(b"again", there))
            while alice.handle.counters()["data_sent"] == 0:
                await asyncio.sleep(0)
            async with aio.Messenger(there) as bob:
                self.assertEqual((await soon(bob.receive()))[0], b"again")
                self.assertEqual(await soon(sending), gtudp.Outcome.CONFIRMED)

    async def test_cancelled(self):
        async with aio.Messenger((HOST, 0)) as alice, aio.Messenger((HOST, 0)) as bob:
            receiving = asyncio.ensure_future(bob.receive())
            await asyncio.sleep(0)
            receiving.cancel()
            self.assertEqual(await soon(alice.send(b"kept", bob.local)), gtudp.Outcome.CONFIRMED)
            self.assertEqual((await soon(bob.receive()))[0], b"kept")
        with self.assertRaises(ringpost.Closed):
            await bob.receive()

    async def test_close_ends_those_who_wait(self):
        async with aio.Messenger((HOST, 0)) as alice:
            receiving = asyncio.ensure_future(alice.receive())
            await asyncio.sleep(0)
        with self.assertRaises(ringpost.Closed):
            await soon(receiving)

    async def test_confirmed(self):
        with MessagePeer() as peer:
            async with aio.Confirmed((HOST, 0), (HOST, peer.port)) as messenger:
                peer.target = messenger.local
                answer = await soon(messenger.send("hello", timeout=patience_s))
                self.assertEqual(answer.outcome, confirmed.Outcome.CONFIRMED)
                sending = asyncio.get_running_loop().run_in_executor(None, peer.send, "back", patience_s)
                self.assertEqual((await soon(messenger.receive())).message, "back")
                self.assertTrue(await soon(sending))

    async def test_structs_and_beacon(self):
        async with aio.Structs({7: "<i"}, (HOST, 0)) as messenger:
            messenger.send(7, (5,), messenger.local)
            self.assertEqual((await soon(messenger.receive())).values, (5,))
        async with aio.Beacon((HOST, 0)) as listener:
            async with aio.Beacon((HOST, 0), [listener.local], rounds=1):
                self.assertIn("Nelson Mandela", (await soon(listener.receive())).quote)

    async def test_devices(self):
        async with aio.Node("sensor", interfaces=["lo"]) as sensor, \
                aio.Node("panel", interfaces=["lo"], listen=False) as panel:
            while (await soon(panel.receive())).change != devices.Change.CONNECTED:
                pass
            asking = asyncio.ensure_future(panel.ask("temperature", timeout=patience_s))
            question = await soon(sensor.next_question())
            self.assertTrue(sensor.answer(question, "21"))
            self.assertEqual(await soon(asking), {"sensor": (devices.Reply.ANSWERED, "21")})
            panel.send("done", "sensor")
            while (await soon(sensor.receive())).text != "done":
                pass
            waiting = asyncio.ensure_future(sensor.next_question())
            await asyncio.sleep(0)
        with self.assertRaises(ringpost.Closed):
            await soon(waiting)
        with self.assertRaises(ringpost.Closed):
            await sensor.next_question()
