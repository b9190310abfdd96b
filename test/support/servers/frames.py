#!/usr/bin/env python3
"""frames.py KIND INTERFACE MAC DESTINATION4 DESTINATION6 SOURCE4 SOURCE6 SECONDS: sends frames of a kind to a MAC as fast as one
process can, IPv4 and IPv6 by turns, and prints {"sent": …, "seconds": …}. They are made before the first one leaves.

    syn        TCP SYNs to port 80, each from another made-up source
    udp        datagrams to port 5201, where nobody listens, likewise
    fragments  of such datagrams: firsts without a rest, rests without a first, and pairs that overlap
    icmp       echo requests, and errors about answers that nobody has sent
    garbage    64 bytes that are no packet, or whose headers lie about version, length or protocol
    source     datagrams of SOURCE4 and SOURCE6 to port 5201
"""
import json
import random
import socket
import struct
import sys
import time
from ipaddress import ip_address

KIND, INTERFACE, MAC = sys.argv[1:4]
DESTINATIONS = {4: ip_address(sys.argv[4]).packed, 6: ip_address(sys.argv[5]).packed}
SOURCES = {4: ip_address(sys.argv[6]).packed, 6: ip_address(sys.argv[7]).packed}
SECONDS = float(sys.argv[8])
MADE = 8_192
ETHERTYPES = {4: 0x0800, 6: 0x86DD}
TCP, UDP, FRAGMENT = 6, 17, 44
ICMP = {4: 1, 6: 58}


def made_up(family):
    """Of 10.128.0.0/9 and 2001:db8:bad::/48."""
    if family == 4:
        return struct.pack('!I', 0x0A800000 | chance.getrandbits(23))
    return bytes.fromhex('20010db80bad') + chance.randbytes(10)


def folded(data):
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(family, protocol, source, payload, flags=0):
    """`flags`: IPv4's flags and offset."""
    if family == 6:
        return struct.pack('!IHBB', 6 << 28, len(payload), protocol, 64) + source + DESTINATIONS[6] + payload
    fields = [0x45, 0, 20 + len(payload), chance.getrandbits(16), flags, 64, protocol, 0]
    header = struct.pack('!BBHHHBBH', *fields) + source + DESTINATIONS[4]
    return header[:10] + struct.pack('!H', folded(header)) + header[12:] + payload


def summed(family, protocol, source, segment, at):
    """With its checksum, which lies at `at`; of even length."""
    pseudo = source + DESTINATIONS[family] + struct.pack('!HH', protocol, len(segment))
    if (family, protocol) == (4, ICMP[4]):
        pseudo = b''
    return segment[:at] + struct.pack('!H', folded(pseudo + segment)) + segment[at + 2:]


def syn(family):
    source = made_up(family)
    segment = struct.pack('!HHIIBBHHH', chance.randrange(1024, 65536), 80, chance.getrandbits(32), 0, 0x50, 2, 64240, 0, 0)
    return [ip(family, TCP, source, summed(family, TCP, source, segment, 16))]


def datagram(family, source, port, payload):
    segment = struct.pack('!HHHH', chance.randrange(1024, 65536), port, 8 + len(payload), 0) + payload
    return summed(family, UDP, source, segment, 6)


def udp(family):
    source = made_up(family)
    return [ip(family, UDP, source, datagram(family, source, 5201, bytes(18)))]


def fragment(family, source, identification, offset, is_last, payload):
    if family == 4:
        return ip(4, UDP, source, payload, (0 if is_last else 0x2000) | offset // 8)
    header = struct.pack('!BBHI', UDP, 0, offset | (0 if is_last else 1), identification)
    return ip(6, FRAGMENT, source, header + payload)


def fragments(family):
    source, identification = made_up(family), chance.getrandbits(32)
    whole = datagram(family, source, 5201, bytes(64))
    first = fragment(family, source, identification, 0, False, whole[:48])
    rest = fragment(family, source, identification, 48, True, whole[48:])
    over = fragment(family, source, identification, 24, True, whole[24:])
    return chance.choice([[first], [rest], [first, over], [over, first]])


def icmp(family):
    source, protocol = made_up(family), ICMP[family]
    if chance.random() < 0.5:
        message = struct.pack('!BBHHH', 8 if family == 4 else 128, 0, 0, 1, 1) + bytes(56)
    else:
        # About an answer of port 80 to somebody else.
        quoted = ip(family, TCP, DESTINATIONS[family], struct.pack('!HHI', 80, 40000, chance.getrandbits(32)))
        client = made_up(family)
        end = 20 if family == 4 else 40
        quoted = quoted[:end - len(client)] + client + quoted[end:]
        message = struct.pack('!BBHI', 3 if family == 4 else 1, 3 if family == 4 else 4, 0, 0) + quoted
    return [ip(family, protocol, source, summed(family, protocol, source, message, 2))]


def garbage(family):
    source, kind = made_up(family), chance.randrange(4)
    if kind == 0:
        return [chance.randbytes(50)]
    if kind == 1:  # a header of TCP that ends beyond the packet, or begins too early
        return [ip(family, TCP, source, chance.randbytes(12) + bytes([chance.choice([0xF0, 0x10])]) + chance.randbytes(7))]
    if kind == 2:  # a datagram that says to be longer, or is cut
        return [ip(family, UDP, source, struct.pack('!HHHH', 1, 53, 4000, 0)[:chance.choice([4, 8])])]
    return [ip(family, chance.choice([0, 43, 51, 60, 99, 132, 135, 255]), source, chance.randbytes(24))]


def source(family):
    return [ip(family, UDP, SOURCES[family], datagram(family, SOURCES[family], 5201, bytes(18)))]


chance = random.Random(7)
make = {'syn': syn, 'udp': udp, 'fragments': fragments, 'icmp': icmp, 'garbage': garbage, 'source': source}[KIND]
ends = bytes.fromhex(MAC.replace(':', '')) + bytes(6)
packets = [(family, packet) for number in range(MADE) for family in [4 if number % 2 else 6] for packet in make(family)]
frames = [ends + struct.pack('!H', ETHERTYPES[family]) + packet for family, packet in packets]
sending = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sending.bind((INTERFACE, 0))
print('made', flush=True)
sent, start = 0, time.monotonic()
while time.monotonic() < start + SECONDS:
    at = sent % len(frames)
    for frame in frames[at:at + 256]:
        try:
            sending.send(frame)
        except OSError:  # no room in the device's queue
            pass
        sent += 1
print(json.dumps({'sent': sent, 'seconds': time.monotonic() - start}), flush=True)
