#!/usr/bin/python3
"""A case's packets through a running onehop: wire.py FOLDER OUT CLIENT HOST CONTAINER sends FOLDER/in.pcap, requests from
the client's namespace and answers from the container's, and writes to OUT what arrives at the other. Namespaces are
named by a process in them, interfaces are test/support/lab.ts's. Needs root."""
import ctypes
import json
import os
import subprocess
import sys
from itertools import groupby

sys.dont_write_bytecode = True

from frames import exchange, packet_socket  # noqa: E402
from scapy.utils import RawPcapReader  # noqa: E402
from transcript import LINKTYPE_RAW, write_pcap  # noqa: E402

CLONE_NEWNET = 0x40000000
AT_ONCE = 64


def socket_in(pid, interface):
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f'/proc/{pid}/ns/net') as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f'setns /proc/{pid}/ns/net')
    return packet_socket(interface)


def macs_of(pid):
    links = subprocess.check_output(['nsenter', '--target', pid, '--net', 'ip', '-json', 'link'])
    return {link['ifname']: link.get('address') for link in json.loads(links)}


def batches(folder):
    """(whether they are requests, packets) in the case's order."""
    with open(os.path.join(folder, 'verdicts.jsonl')) as lines:
        directions = [json.loads(line)['verdict'] == 'forward' for line in lines]
    packets = [packet for packet, _ in RawPcapReader(os.path.join(folder, 'in.pcap'))]
    for are_requests, group in groupby(zip(directions, packets, strict=True), key=lambda step: step[0]):
        group = [packet for _, packet in group]
        for at in range(0, len(group), AT_ONCE):
            yield are_requests, group[at:at + AT_ONCE]


def main(folder, out, client_pid, host_pid, container_pid):
    macs = macs_of(host_pid)
    client, container = socket_in(client_pid, 'eth0'), socket_in(container_pid, 'eth0')
    left = []
    for are_requests, packets in batches(folder):
        way = (client, macs['up0'], container) if are_requests else (container, macs['br0'], client)
        left += exchange(packets, *way)
    write_pcap(out, [(0, packet) for packet in left], LINKTYPE_RAW)


main(*sys.argv[1:])
