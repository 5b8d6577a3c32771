import ringpost

with ringpost.connect("127.0.0.1:7000", psk="cluster.psk") as client:
    client.send(b"hello")
    for message in client.messages(timeout=1):
        print(message.data.decode())
    if not client.finish(timeout=2).delivered:
        raise SystemExit(1)
