from ringpost import gtudp

with gtudp.ThreadedMessenger(("127.0.0.1", 0)) as alice, gtudp.ThreadedMessenger(("127.0.0.1", 0)) as bob:
    outcome = alice.send_and_wait(b"it arrives", bob.local, timeout=5)
    data, peer = bob.receive(timeout=5)
    print(data.decode(), outcome.name)
