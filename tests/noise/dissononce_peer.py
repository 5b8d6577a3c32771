#!/usr/bin/env python3
"""dissononce_peer.py ROLE PLAN: plays the handshakes of the plan (check.py) over stdin and stdout with dissononce.

A message on a pipe is its length (2 bytes, little-endian) and its bytes. Exits with 1 and a line when something differs
from what is expected.
"""

import struct
import sys

from dissononce.cipher.aesgcm import AESGCMCipher
from dissononce.cipher.chachapoly import ChaChaPolyCipher
from dissononce.dh.x25519.x25519 import X25519DH
from dissononce.dh.x25519.private import PrivateKey
from dissononce.hash.sha256 import SHA256Hash
from dissononce.processing.handshakepatterns.interactive.IK import IKHandshakePattern
from dissononce.processing.handshakepatterns.interactive.NK import NKHandshakePattern
from dissononce.processing.handshakepatterns.interactive.NN import NNHandshakePattern
from dissononce.processing.impl.cipherstate import CipherState
from dissononce.processing.impl.handshakestate import HandshakeState
from dissononce.processing.impl.symmetricstate import SymmetricState
from dissononce.processing.modifiers.psk import PSKPatternModifier

PATTERNS = {"NNpsk0": lambda: PSKPatternModifier(0).modify(NNHandshakePattern()), "NK": NKHandshakePattern,
            "IK": IKHandshakePattern, "IKpsk2": lambda: PSKPatternModifier(2).modify(IKHandshakePattern())}
CIPHERS = {"AESGCM": AESGCMCipher, "ChaChaPoly": ChaChaPolyCipher}
TEXT = bytes(range(251)) * 8


def receive():
    size = sys.stdin.buffer.read(2)
    return sys.stdin.buffer.read(struct.unpack("<H", size)[0])


def send(message):
    sys.stdout.buffer.write(struct.pack("<H", len(message)) + message)
    sys.stdout.buffer.flush()


def text_of(number):
    return TEXT[number % 251:][:number % 1400]


def header_of(number):
    return b"header of " + struct.pack("<Q", number)


def expect(condition, what):
    if not condition:
        sys.exit(f"dissononce: {what}")


def start(pattern, cipher, initiator, secrets, psk, prologue):
    dh = X25519DH()
    pairs = [dh.generate_keypair(PrivateKey(secret)) for secret in secrets]
    state = HandshakeState(SymmetricState(CipherState(CIPHERS[cipher]()), SHA256Hash()), dh)
    own, other = (pairs[0], pairs[1]) if initiator else (pairs[1], pairs[0])
    known = pattern != "NNpsk0"
    anonymous = not known or (pattern == "NK" and initiator)
    state.initialize(PATTERNS[pattern](), initiator, prologue, s=None if anonymous else own,
                     rs=other.public if known and initiator else None, psks=[psk] if "psk" in pattern else None)
    return state


def handshake(state, initiator):
    """Returns the cipher states for sending and for receiving."""
    payload, out = bytearray(), bytearray()
    if initiator:
        state.write_message(b"hello from the initiator", out)
        send(bytes(out))
        ciphers = state.read_message(receive(), payload)
        expect(payload == b"hello from the responder", "payload of the second message")
        return ciphers
    state.read_message(receive(), payload)
    expect(payload == b"hello from the initiator", "payload of the first message")
    first, second = state.write_message(b"hello from the responder", out)
    send(bytes(out))
    return second, first


def rekey(cipher, number):
    # CipherState.rekey() takes the tag into the key, which the ciphers refuse, and resets n.
    cipher.initialize_key(cipher.cipher.rekey(cipher._key)[:32])
    cipher.set_nonce(number)


def exchange(sender, receiver, initiator, packets):
    for number in range(packets):
        if number == packets // 2:
            rekey(sender, number)
            rekey(receiver, number)
        if initiator:
            send(sender.encrypt_with_ad(header_of(number), text_of(number)))
        text = receiver.decrypt_with_ad(header_of(number), receive())
        expect(text == text_of(number), f"packet {number}")
        if not initiator:
            send(sender.encrypt_with_ad(header_of(number), text_of(number)))


def main():
    initiator = sys.argv[1] == "initiator"
    for line in open(sys.argv[2]):
        pattern, cipher, *keys, packets = line.split()
        initiator_secret, responder_secret, _, _, psk, prologue = (bytes.fromhex(key) for key in keys)
        state = start(pattern, cipher, initiator, (initiator_secret, responder_secret), psk, prologue)
        exchange(*handshake(state, initiator), initiator, int(packets))


if __name__ == "__main__":
    main()
