"""The kernel's own NAT as the source of expected packets: a router in a network namespace of its own, whose nft
rules send what is for a public end to a container, and whose connection tracking sends the answers back.

    ends ── c0 ~ client ── [router] ── container ~ s0 ── ends

Both namespaces have no name and end with the process, however it ends. The kernel is asked to leave checksums
unverified (nf_conntrack_checksum), so that it translates wrong ones too.

Time to live: the router decrements it, as the host's kernel does on the way into the TUN; onehop sees the packet
after that. So a packet goes into the router with one more than the case says, and what leaves must have the
case's own. Every other field, the IPv4 identification too, the kernel forwards as it is, so bytes compare whole."""
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import time

from scapy.all import IP, IPv6, Ether, raw
from scapy.utils import checksum
from transcript import Transcript

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
PACKET_OUTGOING = 4
ENDS_MAC = '02:00:00:00:00:02'
PATIENCE_SECONDS = 5

ENDS_LINKS = """
link add c0 type veth peer name client netns {pid}
link add s0 type veth peer name container netns {pid}
link set c0 arp off
link set s0 arp off
"""
ENDS_SETTINGS = ['net.ipv6.conf.c0.disable_ipv6=1', 'net.ipv6.conf.s0.disable_ipv6=1']

ROUTER_LINKS = f"""
link set lo up
link set client up
link set container up
addr add 198.18.0.1/30 dev client
addr add 198.18.0.5/30 dev container
addr add fd00:c::1/64 dev client nodad
addr add fd00:5::1/64 dev container nodad
neigh add 198.18.0.2 lladdr {ENDS_MAC} dev client nud permanent
neigh add 198.18.0.6 lladdr {ENDS_MAC} dev container nud permanent
neigh add fd00:c::2 lladdr {ENDS_MAC} dev client nud permanent
neigh add fd00:5::2 lladdr {ENDS_MAC} dev container nud permanent
route add default via 198.18.0.2
route add default via fd00:c::2
route add 10.77.0.0/16 via 198.18.0.6
route add fd77::/64 via fd00:5::2
"""
ROUTER_NAT = """
table inet nat {
    chain zone { type filter hook prerouting priority raw; }
    chain prerouting { type nat hook prerouting priority dstnat; }
}
"""
ROUTER_SETTINGS = [
    'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1', 'net.netfilter.nf_conntrack_checksum=0',
    'net.netfilter.nf_conntrack_tcp_be_liberal=1',
    *(f'net.ipv4.conf.{interface}.rp_filter=0' for interface in ('all', 'client', 'container'))]

NFT_PROTOCOLS = {6: 'tcp', 17: 'udp'}


class Router:
    """Sends packets through a NAT router and catches what leaves. Needs root; one processor, which keeps order."""

    def __init__(self):
        self.zone = 0
        self.earlier_cpus = os.sched_getaffinity(0)
        os.sched_setaffinity(0, [min(self.earlier_cpus)])
        unshare_network()
        self.pid = fork_idle()
        run('ip', '-batch', '-', given=ENDS_LINKS.format(pid=self.pid))
        # They only carry frames: no ARP, neighbour discovery or listener report of their own.
        run('sysctl', '-qw', *ENDS_SETTINGS)
        run('ip', '-batch', '-', given='link set c0 up\nlink set s0 up\n')
        self.run('ip', '-batch', '-', given=ROUTER_LINKS)
        self.run('nft', '-f', '-', given=ROUTER_NAT)
        self.run('sysctl', '-qw', *ROUTER_SETTINGS)
        links = json.loads(self.run('ip', '-json', 'link'))
        self.macs = {link['ifname']: link['address'] for link in links}
        self.client, self.container = packet_socket('c0'), packet_socket('s0')

    def close(self):
        self.client.close()
        self.container.close()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.sched_setaffinity(0, self.earlier_cpus)

    def run(self, *command, given=''):
        return run('nsenter', '--target', str(self.pid), '--net', *command, given=given)

    def start_case(self):
        """Forgets every translation; flows so far stay behind in a connection tracking zone of their own."""
        self.zone += 1
        self.rules = set()
        self.run('nft', '-f', '-', given=f"""
            flush table inet nat
            add rule inet nat zone ct zone set {self.zone}""")

    def translate(self, front, to, protocol):
        """From now on what is for the public end `front` goes to the container's end `to`."""
        rule = dnat_rule(front, to, protocol)
        if rule not in self.rules:
            self.run('nft', 'add', 'rule', 'inet', 'nat', 'prerouting', *rule.split())
            self.rules.add(rule)

    def request(self, packet):
        return self.send([packet], self.client, 'client', self.container)[0]

    def reply(self, packet):
        return self.send([packet], self.container, 'container', self.client)[0]

    def send(self, packets, entry, entry_name, exit):
        """What leaves for each of `packets` (bytes), in order. Throws when the router keeps one."""
        for packet in packets:
            ethertype = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
            entry.send(raw(Ether(dst=self.macs[entry_name], src=ENDS_MAC, type=ethertype)) + one_more_hop(packet))
        return [receive(exit) for _ in packets]


def dnat_rule(front, to, protocol):
    family, of = ('ip6', to.address) if ':' in to.address else ('ip', to.address)
    if protocol not in NFT_PROTOCOLS:
        return f'{family} daddr {front.address} dnat {family} to {of}'
    end = f'[{of}]:{to.port}' if family == 'ip6' else f'{of}:{to.port}'
    return f'{family} daddr {front.address} {NFT_PROTOCOLS[protocol]} dport {front.port} dnat {family} to {end}'


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
    """Not IP, or from or to an address that only has a meaning on the link (fe80::/10, ff02::/16)."""
    if frame[12:14] == b'\x08\x00':
        return False
    return frame[12:14] != b'\x86\xdd' or frame[22:24] == b'\xfe\x80' or frame[38:40] == b'\xff\x02'


def without_padding(packet):
    length = IP(packet).len if packet[0] >> 4 == 4 else 40 + IPv6(packet).plen
    return packet[:length]


def unshare_network():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f'unshare(CLONE_NEWNET): {os.strerror(errno)} (need CAP_SYS_ADMIN)')


def fork_idle():
    """The process id of a child that holds a network namespace, and ends with this process."""
    ready, report = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        unshare_network()
        os.write(report, b'.')
        while os.getppid() == parent:
            signal.pause()
        os._exit(0)
    os.close(report)
    if os.read(ready, 1) == b'':
        raise RuntimeError('the router has no namespace')
    os.close(ready)
    return child


def packet_socket(interface):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.bind((interface, ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    return sock


def run(*command, given=''):
    result = subprocess.run(command, input=given, capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f'{" ".join(command)}: {result.stderr.strip()}')
    return result.stdout


class KernelTranscript(Transcript):
    """Steps whose expected packets are what a router let out."""

    def __init__(self, family, router):
        super().__init__(family)
        self.router = router
        router.start_case()

    def forward(self, build, reason='known', front=None, to=None, source=None, wrap=raw):
        front, to = front or self.family.http, to or self.family.web(1)
        packet = build(front)
        self.router.translate(front, to, protocol_of(raw(packet)))
        self.step(wrap(packet), self.router.request(raw(packet)), 'forward', reason, front.name, to.name,
                  source or self.family.client)

    def reply(self, build, reason='endpoint', front=None, to=None, source=None):
        front, to = front or self.family.http, to or self.family.web(1)
        packet = build(to)
        self.step(packet, self.router.reply(raw(packet)), 'reply', reason, front.name, to.name,
                  source or self.family.client)


EXTENSION_HEADERS = (0, 43, 60)


def protocol_of(packet):
    if packet[0] >> 4 == 4:
        return packet[9]
    protocol, at = packet[6], 40
    while protocol in EXTENSION_HEADERS:
        protocol, at = packet[at], at + 8 * (packet[at + 1] + 1)
    return protocol
