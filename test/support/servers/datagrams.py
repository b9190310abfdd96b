"""
UDP with or without the don't-fragment flag, which Node cannot set.

    datagrams.py serve PORT
    datagrams.py ask whole|cuttable ADDRESS PORT FROM SEND ANSWER
    datagrams.py burst ADDRESS PORT FROM SEND COUNT

asks with SEND bytes for ANSWER bytes, every 200 ms until they come. With the flag (whole, and the server always) both ends
send less as soon as they know that the path takes less. Prints {"sent", "arrived", "answered"}: bytes of the last question
as sent and as it came to the server, and of the answer. `burst` leaves it to a device to make COUNT questions of SEND bytes
of one, and prints how many of them were answered.
"""
import errno
import json
import select
import socket
import sys
import time

AGAIN_SECONDS = 0.2
PATIENCE_SECONDS = 30
UDP_HEADER = 8
# linux/in.h, linux/in6.h: IP_MTU_DISCOVER, IP_MTU; and the IP header's length.
OPTIONS = {
    socket.AF_INET: (socket.IPPROTO_IP, 10, 14, 20),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 23, 24, 40),
}
# IP_PMTUDISC_DO, IP_PMTUDISC_DONT.
FLAGS = {"whole": 2, "cuttable": 0}
# linux/udp.h
UDP_SEGMENT = 103


def open_socket(family, flag):
    level, discover, _, _ = OPTIONS[family]
    opened = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    opened.setsockopt(level, discover, FLAGS[flag])
    return opened


def room_to(peer, family):
    """Payload that a datagram to the peer has room for, as far as this host knows."""
    level, _, mtu, header = OPTIONS[family]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(peer)
        return probe.getsockopt(level, mtu) - header - UDP_HEADER


def send_whole(sender, payload, peer):
    """As much of it as fits; returns how much."""
    try:
        return sender.sendto(payload, peer)
    except OSError as error:
        if error.errno != errno.EMSGSIZE:
            raise
        return sender.sendto(payload[: room_to(peer, sender.family)], peer)


def serve(port):
    sockets = []
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        sockets.append(open_socket(family, "whole"))
        sockets[-1].bind((address, port))
    print("ready", flush=True)
    while True:
        for readable in select.select(sockets, [], [])[0]:
            question, peer = readable.recvfrom(65536)
            send_whole(readable, str(len(question)).encode().ljust(int(question)), peer)


def ask(flag, address, port, source, send, answer):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    asking = open_socket(family, flag)
    asking.bind((source, 0))
    asking.settimeout(AGAIN_SECONDS)
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        sent = send_whole(asking, str(answer).encode().ljust(send), (address, port))
        try:
            answered = asking.recv(65536)
            print(json.dumps({"sent": sent, "arrived": int(answered), "answered": len(answered)}))
            return
        except TimeoutError:
            pass
    sys.exit("no answer")


def burst(address, port, source, send, count):
    asking = open_socket(socket.AF_INET6 if ":" in address else socket.AF_INET, "whole")
    asking.bind((source, 0))
    asking.settimeout(PATIENCE_SECONDS)
    asking.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, send)
    asking.sendto(b"1".ljust(send) * count, (address, port))
    answers = [asking.recv(65536) for _ in range(count)]
    print(sum(answer == str(send).encode() for answer in answers))


command, *words = sys.argv[1:]
if command == "serve":
    serve(int(words[0]))
elif command == "ask":
    ask(*words[:2], int(words[2]), words[3], int(words[4]), int(words[5]))
else:
    burst(words[0], int(words[1]), words[2], int(words[3]), int(words[4]))
