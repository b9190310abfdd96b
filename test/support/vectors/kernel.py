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
import signal
import subprocess

from frames import ENDS_MAC, exchange, packet_socket
from scapy.all import raw
from transcript import Transcript

CLONE_NEWNET = 0x40000000
IPV6_FRAGMENT = 44

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
    chain postrouting { type nat hook postrouting priority srcnat; }
}
"""
ROUTER_SETTINGS = [
    'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1', 'net.netfilter.nf_conntrack_checksum=0',
    'net.netfilter.nf_conntrack_tcp_be_liberal=1',
    # A hairpin leaves where it came in, of which the router would tell who sent it.
    *(f'net.ipv4.conf.{interface}.{name}=0' for interface in ('all', 'client', 'container')
      for name in ('rp_filter', 'send_redirects'))]

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
        self.add_rule('prerouting', dnat_rule(front, to, protocol))

    def disguise(self, caller, alias):
        """From now on a caller on the containers' side is seen there under its alias."""
        family = 'ip6' if ':' in caller else 'ip'
        self.add_rule('postrouting', f'oifname container {family} saddr {caller} snat {family} to {alias}')

    def add_rule(self, chain, rule):
        if (chain, rule) not in self.rules:
            self.run('nft', 'add', 'rule', 'inet', 'nat', chain, *rule.split())
            self.rules.add((chain, rule))

    def request(self, packet):
        return self.requests([packet])[0]

    def reply(self, packet):
        return self.replies([packet])[0]

    def requests(self, packets):
        return exchange(packets, self.client, self.macs['client'], self.container)

    def replies(self, packets):
        return exchange(packets, self.container, self.macs['container'], self.client)

    def request_pieces(self, packets):
        return with_identification(self.requests(packets), packets[0])

    def reply_pieces(self, packets):
        return with_identification(self.replies(packets), packets[0])

    def hairpin(self, packet):
        """From containers to containers, either way."""
        return exchange([packet], self.container, self.macs['container'], self.container)[0]


def dnat_rule(front, to, protocol):
    family, of = ('ip6', to.address) if ':' in to.address else ('ip', to.address)
    if protocol not in NFT_PROTOCOLS:
        return f'{family} daddr {front.address} dnat {family} to {of}'
    end = f'[{of}]:{to.port}' if family == 'ip6' else f'{of}:{to.port}'
    return f'{family} daddr {front.address} {NFT_PROTOCOLS[protocol]} dport {front.port} dnat {family} to {end}'


def with_identification(fragments, sent):
    """Connection tracking puts fragments together and cuts them again, no larger than they came (frag_max_size). Over IPv6 it
    does so under an identification of its own (net/ipv6/ip6_output.c, ip6_fragment): here the one that was sent."""
    if sent[0] >> 4 == 4:
        return fragments
    assert {fragment[6] for fragment in fragments} == {IPV6_FRAGMENT}
    assert len({fragment[44:48] for fragment in fragments}) == 1
    return [fragment[:44] + sent[44:48] + fragment[48:] for fragment in fragments]


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

    def forward_pieces(self, build, reason='known', front=None, to=None, source=None):
        front, to = front or self.family.http, to or self.family.web(1)
        packets = [raw(packet) for packet in build(front)]
        self.router.translate(front, to, protocol_of(packets[0]))
        self.pieces('forward', reason, packets, self.router.request_pieces(packets), front, to, source)

    def reply_pieces(self, build, reason='endpoint', front=None, to=None, source=None):
        front, to = front or self.family.http, to or self.family.web(1)
        packets = [raw(packet) for packet in build(to)]
        self.pieces('reply', reason, packets, self.router.reply_pieces(packets), front, to, source)

    def call(self, build, caller, alias, reason='known', front=None, to=None, source=None):
        front, to = front or self.family.http, to or self.family.web(1)
        packet = build(front, caller)
        self.router.translate(front, to, protocol_of(raw(packet)))
        self.router.disguise(caller, alias)
        self.step(packet, self.router.hairpin(raw(packet)), 'forward', reason, front.name, to.name, source or caller)

    def call_back(self, build, caller, alias, reason='endpoint', front=None, to=None, source=None):
        front, to = front or self.family.http, to or self.family.web(1)
        packet = build(to, alias)
        self.step(packet, self.router.hairpin(raw(packet)), 'reply', reason, front.name, to.name, source or caller)


EXTENSION_HEADERS = (0, 43, IPV6_FRAGMENT, 60)


def protocol_of(packet):
    if packet[0] >> 4 == 4:
        return packet[9]
    protocol, at = packet[6], 40
    while protocol in EXTENSION_HEADERS:
        protocol, at = packet[at], at + 8 * (packet[at + 1] + 1)
    return protocol
