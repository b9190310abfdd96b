"""Packets into and out of a router by packet sockets at the far ends of its links."""
import select
import socket
import time

from scapy.all import IP, IPv6, Ether, raw
from scapy.utils import checksum

ETH_P_ALL = 3
PACKET_OUTGOING = 4
ENDS_MAC = '02:00:00:00:00:02'
PATIENCE_SECONDS = 5
ICMPV6 = 58
NEIGHBOUR_DISCOVERY = range(133, 138)


def packet_socket(interface):
    """In the namespace that the process is in."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.bind((interface, ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    return sock


def exchange(packets, entry, mac, exit):
    """Sends `packets` (bytes) from `entry` to the router's end of that link. Returns what leaves for each, in order;
    throws when the router keeps one."""
    for packet in packets:
        ethertype = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
        entry.send(raw(Ether(dst=mac, src=ENDS_MAC, type=ethertype)) + one_more_hop(packet))
    return [receive(exit) for _ in packets]


def one_more_hop(packet):
    """The packet as it was before the router decremented its time to live."""
    before = bytearray(packet)
    if before[0] >> 4 == 6:
        before[7] += 1
        return bytes(before)
    before[8] += 1
    header = 4 * (before[0] & 15)
    before[10:12] = bytes(2)
    before[10:12] = checksum(bytes(before[:header])).to_bytes(2, 'big')
    return bytes(before)


def receive(sock):
    """The next IP packet that left, without the kernel's own neighbour discovery."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        ready, _, _ = select.select([sock], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise RuntimeError(f'the router let no packet out within {PATIENCE_SECONDS} s')
        frame, (_, _, kind, *_) = sock.recvfrom(65536)
        if kind != PACKET_OUTGOING and not is_of_the_link(frame):
            return without_padding(frame[14:])


def is_of_the_link(frame):
    """Not IP, or neighbour discovery, or from or to an address that only has a meaning on the link (fe80::/10,
    ff02::/16)."""
    if frame[12:14] != b'\x86\xdd':
        return frame[12:14] != b'\x08\x00'
    is_discovery = frame[20] == ICMPV6 and frame[54] in NEIGHBOUR_DISCOVERY
    return is_discovery or frame[22:24] == b'\xfe\x80' or frame[38:40] == b'\xff\x02'


def without_padding(packet):
    length = IP(packet).len if packet[0] >> 4 == 4 else 40 + IPv6(packet).plen
    return packet[:length]
