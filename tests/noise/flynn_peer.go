// flynn_peer ROLE PLAN: plays the handshakes of the plan (check.py) over stdin and stdout with github.com/flynn/noise.
// A message on a pipe is its length (2 bytes, little-endian) and its bytes.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/flynn/noise"
	"golang.org/x/crypto/curve25519"
)

var in = bufio.NewReader(os.Stdin)

func check(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "flynn: %s: %v\n", what, err)
		os.Exit(1)
	}
}

func receive() []byte {
	var size [2]byte
	_, err := io.ReadFull(in, size[:])
	check(err, "receive")
	message := make([]byte, binary.LittleEndian.Uint16(size[:]))
	_, err = io.ReadFull(in, message)
	check(err, "receive")
	return message
}

func send(message []byte) {
	framed := binary.LittleEndian.AppendUint16(nil, uint16(len(message)))
	_, err := os.Stdout.Write(append(framed, message...))
	check(err, "send")
}

func expect(got, wanted []byte, what string) {
	if !bytes.Equal(got, wanted) {
		check(fmt.Errorf("%d bytes that differ", len(got)), what)
	}
}

func textOf(number int) []byte {
	text := make([]byte, number%1400)
	for i := range text {
		text[i] = byte((number%251 + i) % 251)
	}
	return text
}

func headerOf(number int) []byte {
	return binary.LittleEndian.AppendUint64([]byte("header of "), uint64(number))
}

func unhex(text string) []byte {
	out, err := hex.DecodeString(text)
	check(err, "plan")
	return out
}

func pairOf(secret []byte) noise.DHKey {
	public, err := curve25519.X25519(secret, curve25519.Basepoint)
	check(err, "key pair")
	return noise.DHKey{Private: secret, Public: public}
}

func start(fields []string, initiator bool) *noise.HandshakeState {
	cipher := noise.CipherAESGCM
	if fields[1] == "ChaChaPoly" {
		cipher = noise.CipherChaChaPoly
	}
	pair := [2]noise.DHKey{pairOf(unhex(fields[2])), pairOf(unhex(fields[3]))}
	config := noise.Config{
		CipherSuite: noise.NewCipherSuite(noise.DH25519, cipher, noise.HashSHA256),
		Pattern:     noise.HandshakeIK,
		Initiator:   initiator,
		Prologue:    unhex(fields[7]),
	}
	switch fields[0] {
	case "NNpsk0":
		config.Pattern = noise.HandshakeNN
		config.PresharedKey = unhex(fields[6])
	case "NK":
		config.Pattern = noise.HandshakeNK
	case "IKpsk2":
		config.PresharedKey = unhex(fields[6])
		config.PresharedKeyPlacement = 2
	}
	if fields[0] != "NNpsk0" {
		if initiator {
			config.PeerStatic = pair[1].Public
		} else {
			config.StaticKeypair = pair[1]
		}
	}
	if initiator && strings.HasPrefix(fields[0], "IK") {
		config.StaticKeypair = pair[0]
	}
	state, err := noise.NewHandshakeState(config)
	check(err, "start")
	return state
}

// handshake returns the cipher states for sending and for receiving.
func handshake(state *noise.HandshakeState, initiator bool) (*noise.CipherState, *noise.CipherState) {
	fromInitiator, fromResponder := []byte("hello from the initiator"), []byte("hello from the responder")
	if initiator {
		message, _, _, err := state.WriteMessage(nil, fromInitiator)
		check(err, "first message")
		send(message)
		payload, first, second, err := state.ReadMessage(nil, receive())
		check(err, "second message")
		expect(payload, fromResponder, "payload of the second message")
		return first, second
	}
	payload, _, _, err := state.ReadMessage(nil, receive())
	check(err, "first message")
	expect(payload, fromInitiator, "payload of the first message")
	message, first, second, err := state.WriteMessage(nil, fromResponder)
	check(err, "second message")
	send(message)
	return second, first
}

func sendPacket(sender *noise.CipherState, number int) {
	message, err := sender.Encrypt(nil, headerOf(number), textOf(number))
	check(err, "packet")
	send(message)
}

func exchange(sender, receiver *noise.CipherState, initiator bool, packets int) {
	for number := 0; number < packets; number++ {
		if number == packets/2 {
			sender.Rekey()
			receiver.Rekey()
		}
		if initiator {
			sendPacket(sender, number)
		}
		text, err := receiver.Decrypt(nil, headerOf(number), receive())
		check(err, "packet "+strconv.Itoa(number))
		expect(text, textOf(number), "packet "+strconv.Itoa(number))
		if !initiator {
			sendPacket(sender, number)
		}
	}
}

func main() {
	initiator := os.Args[1] == "initiator"
	plan, err := os.ReadFile(os.Args[2])
	check(err, "plan")
	for _, line := range strings.Split(strings.TrimSpace(string(plan)), "\n") {
		fields := strings.Fields(line)
		packets, err := strconv.Atoi(fields[8])
		check(err, "plan")
		sender, receiver := handshake(start(fields, initiator), initiator)
		exchange(sender, receiver, initiator, packets)
	}
}
