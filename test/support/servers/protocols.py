"""Protocols above IP that Node.js has no sockets for.

protocols.py serve: sends back what arrives over UDP-Lite (port 5000) and in packets of PROTOCOLS, on both families; its
first line of output says `ready`.
protocols.py ask SOURCE DESTINATION LENGTH: sends LENGTH bytes over each and prints how many came back unchanged, as
{"136": …, "47": …, …}; a protocol that is silent for TIMEOUT seconds is left out."""

import json
import selectors
import socket
import sys
import threading
import time

UDP_LITE, PORT = 136, 5000
# GRE, ESP, SCTP, and a number for experiments (RFC 3692). Their contents are only bytes here, as they are to onehop.
PROTOCOLS = (47, 50, 132, 253)
TIMEOUT, AGAIN = 30.0, 0.2
ROOM = 1 << 16


def open_socket(family: int, protocol: int) -> socket.socket:
    kind = socket.SOCK_DGRAM if protocol == UDP_LITE else socket.SOCK_RAW
    opened = socket.socket(family, kind, protocol)
    if (family, kind) == (socket.AF_INET6, socket.SOCK_DGRAM):
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return opened


def receive(opened: socket.socket) -> tuple[bytes, tuple]:
    """Without the header, which raw sockets of IPv4 alone show (raw(7))."""
    data, peer = opened.recvfrom(ROOM)
    is_raw4 = opened.family == socket.AF_INET and opened.type == socket.SOCK_RAW
    return (data[4 * (data[0] & 15):] if is_raw4 else data), peer


def serve() -> None:
    selector = selectors.DefaultSelector()
    for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for protocol in (UDP_LITE, *PROTOCOLS):
            opened = open_socket(family, protocol)
            opened.bind((any_address, PORT if protocol == UDP_LITE else 0))
            selector.register(opened, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            data, peer = receive(key.fileobj)
            key.fileobj.sendto(data, peer)


def ask(source: str, destination: str, length: int) -> None:
    answers: dict[int, int] = {}
    asking = [threading.Thread(target=ask_one, args=(source, destination, length, protocol, answers))
              for protocol in (UDP_LITE, *PROTOCOLS)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    print(json.dumps(answers))


def ask_one(source: str, destination: str, length: int, protocol: int, answers: dict[int, int]) -> None:
    sent = bytes((i * 7 + protocol) % 251 for i in range(length))
    with open_socket(socket.AF_INET6 if ":" in source else socket.AF_INET, protocol) as opened:
        opened.bind((source, 0))
        # From then on it takes nothing but the destination's packets.
        opened.connect((destination, PORT if protocol == UDP_LITE else 0))
        opened.settimeout(AGAIN)
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            try:
                opened.send(sent)
                answers[protocol] = length if receive(opened)[0] == sent else 0
                return
            except TimeoutError:
                pass


if sys.argv[1] == "serve":
    serve()
else:
    ask(sys.argv[2], sys.argv[3], int(sys.argv[4]))
