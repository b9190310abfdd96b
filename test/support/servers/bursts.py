"""
UDP datagrams in bursts.

    bursts.py serve 4|6 PORT
    bursts.py ask ADDRESS PORT FROM

`ask` sends from three sockets by turns what BURST says of each, prints `sent`, waits until as much has come back to each,
and prints {"sent", "back"}: for each socket the payloads, as hexadecimal digits, in their order. What the third socket sends
may be fragmented where the family has a flag for that, so each of its datagrams has an identification. `serve` prints `all`
when everything has come, sends it back when it gets a line, and then prints `back`.
"""
import json
import socket
import sys

PATIENCE_SECONDS = 60
# linux/in.h
IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0
SOCKETS = 3
# Lengths: runs of equal ones; shorter ones, which end a run; longer ones, which cannot join it; one byte and none.
BURST = [100] * 12 + [40] + [100] * 6 + [1200] * 9 + [1] * 3 + [0] * 2 + [7] + [1001] * 4 + [3]
IN_A_ROW = 8


def payload(flow, number, length):
    return (f"{flow}:{number}:" * length)[:length].encode()


def open_socket(family):
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.settimeout(PATIENCE_SECONDS)
    return opened


def ask(address, port, source):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sockets = [open_socket(family) for _ in range(SOCKETS)]
    if family == socket.AF_INET:
        sockets[-1].setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    for opened in sockets:
        opened.bind((source, 0))
        opened.connect((address, port))
    sent = [[payload(flow, *item) for item in enumerate(BURST)] for flow in range(SOCKETS)]
    for start in range(0, len(BURST), IN_A_ROW):
        for flow, opened in enumerate(sockets):
            for datagram in sent[flow][start : start + IN_A_ROW]:
                opened.send(datagram)
    print("sent", flush=True)
    back = [[opened.recv(2048) for _ in BURST] for opened in sockets]
    print(json.dumps({"sent": hexadecimal(sent), "back": hexadecimal(back)}), flush=True)


def hexadecimal(flows):
    return [[datagram.hex() for datagram in flow] for flow in flows]


def serve(family, port):
    opened = open_socket(family)
    opened.bind(("", port))
    print("listening", flush=True)
    received = [opened.recvfrom(2048) for _ in range(SOCKETS * len(BURST))]
    print("all", flush=True)
    sys.stdin.readline()
    for datagram, peer in received:
        opened.sendto(datagram, peer)
    print("back", flush=True)


if sys.argv[1] == "serve":
    serve({"4": socket.AF_INET, "6": socket.AF_INET6}[sys.argv[2]], int(sys.argv[3]))
else:
    ask(sys.argv[2], int(sys.argv[3]), sys.argv[4])
