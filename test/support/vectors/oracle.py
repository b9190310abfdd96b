#!/usr/bin/python3
"""Random packets through the kernel's NAT: oracle.py SEED FLOWS FOLDER writes a case (test/vectors) whose requests and
answers are made up from SEED and whose expected packets are what the router (kernel.py) let out. Needs root.

Random are: family, protocol, ports, client, payload and its length, class, identification, DF, time to live, IPv4 and
TCP options, sequence numbers, whether the transport checksum is right, wrong or, in UDP over IPv4, absent, and ICMP
errors' kind, source and how much they quote. Flags follow one another as connection tracking wants them, or it would not
translate; and it sums up errors anew, so theirs are right."""
import random
import sys
from contextlib import closing
from ipaddress import ip_address

sys.dont_write_bytecode = True

from config import Container, Service  # noqa: E402
from kernel import Router  # noqa: E402
from packets import V4, V6, End  # noqa: E402
from scapy.all import (  # noqa: E402
    ICMP, TCP, UDP, ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6ParamProblem, ICMPv6TimeExceeded, Raw, raw)
from scapy.layers.inet import IPOption_EOL, IPOption_NOP  # noqa: E402
from transcript import Transcript  # noqa: E402

AT_ONCE = 64
# Of web-1; everything else of another address goes to web-2.
RULES = [(TCP, 80, 8080), (TCP, 443, 443), (UDP, 53, 5353), (UDP, 4433, 4433)]
NAMES = {TCP: 'tcp', UDP: 'udp'}
NUMBERS = {TCP: 6, UDP: 17}
# Echo, ESP, and a number for experiments (RFC 3692).
ECHO, OTHERS = 'echo', (50, 253)

# A flow's first packet, its answer and what may follow: opened by a SYN, or picked up in the middle.
STORIES = [(('S', 'SEC'), ('SA', 'SAE'), ('A', 'PA')), (('A', 'PA'), ('A', 'PA', 'FA'), ('A', 'PA', 'FA', 'R', 'RA'))]
FIRST, ANSWER, NEXT = range(3)


class Flow:
    """One client's, to a port of the service web or to the service every, in one family."""

    def __init__(self, number, chance):
        self.family = chance.choice((V4, V6))
        self.layer, public, target = chance.choice(RULES + [(ECHO, 0, 0), (chance.choice(OTHERS), 0, 0)])
        self.front, self.to = ends_of(self.family, public, target)
        self.client = made_up_client(self.family, number, chance)
        self.port = chance.randrange(1, 65536)
        self.story = chance.choice(STORIES)

    def packet(self, part, chance):
        """A request for its public end, or an answer from its container's."""
        is_request = part != ANSWER
        ends = (self.client, self.front.address) if is_request else (self.to.address, self.client)
        ip = self.family.ip(*ends, **ip_fields(self.family, chance))
        payload = chance.randbytes(chance.choice((0, 1, chance.randrange(64), chance.randrange(1100))))
        if self.layer in OTHERS:
            setattr(ip, 'proto' if self.family.version == 4 else 'nh', self.layer)
            return raw(ip / Raw(payload))
        return raw(ip / self.message(part, is_request, payload, chance))

    def message(self, part, is_request, payload, chance):
        checksum = made_up_checksum(self, chance)
        if self.layer is ECHO:
            echo = self.family.echo('request' if is_request else 'reply', payload)
            fields = {'id': self.port, 'seq': chance.getrandbits(16)}
            fields |= {'chksum' if self.family.version == 4 else 'cksum': checksum} if checksum is not None else {}
            for name, value in fields.items():
                setattr(echo, name, value)
            return echo
        ports = (self.port, self.front.port) if is_request else (self.to.port, self.port)
        fields = dict(zip(('sport', 'dport'), ports))
        if self.layer is TCP:
            fields |= tcp_fields(chance.choice(self.story[part]), chance)
        if checksum is not None:
            fields['chksum'] = checksum
        return self.layer(**fields) / payload

    def error(self, about, is_from_client, chance):
        """About a packet as it arrived, from the end that it went to or a router on the way there."""
        f, quoted = self.family, about
        receiver = self.front.address if is_from_client else self.client
        on_the_way = f.stranger if is_from_client else f.containers[2]
        source = chance.choice((self.client if is_from_client else self.to.address, on_the_way))
        header = 4 * (quoted[0] & 15) if f.version == 4 else 40
        # The kernel leaves TCP's checksum as it is in 18 or 19 bytes of a header.
        cut = chance.choice((len(quoted), header + chance.randrange(8, 18), header + chance.randrange(20, 64)))
        return raw(f.ip(source, receiver, **ip_fields(f, chance)) / icmp_error(f, chance) / Raw(quoted[:cut]))


def ends_of(family, public, target):
    if public:
        return End('web', family.public, public), family.web(1, target)
    return End('every', family.public2), family.web(2, 0)


def icmp_error(family, chance):
    """Unreachable, too big, time exceeded, a problem with a parameter."""
    if family.version == 4:
        kind, code = chance.choice(((3, 1), (3, 3), (3, 4), (11, 0), (12, 0)))
        return ICMP(type=kind, code=code)
    return chance.choice((ICMPv6DestUnreach(code=4), ICMPv6PacketTooBig(mtu=1400), ICMPv6TimeExceeded(), ICMPv6ParamProblem()))


def made_up_client(family, number, chance):
    """A different one for each number: 198.19.x.y, or 64 random bits behind a prefix of its own."""
    if family.version == 4:
        return str(ip_address('198.19.0.0') + number)
    return str(ip_address('2001:db8:c::') + (number << 64) + chance.getrandbits(64))


def ip_fields(family, chance):
    fields = {'tos': chance.randrange(256), 'ttl': chance.randrange(2, 255)}
    if family.version == 6:
        return fields | {'fl': chance.getrandbits(20)}
    options = [IPOption_NOP()] * (4 * chance.randrange(10) + 3) + [IPOption_EOL()]
    return fields | {'id': chance.getrandbits(16), 'flags': chance.choice(('', 'DF')),
                     'options': options if chance.random() < 0.2 else []}


def tcp_fields(flags, chance):
    options = [('NOP', None)] * (4 * chance.randrange(7)) + [('Timestamp', (chance.getrandbits(32), chance.getrandbits(32)))]
    return {'flags': flags, 'seq': chance.getrandbits(32), 'ack': chance.getrandbits(32),
            'window': chance.getrandbits(16), 'options': options if chance.random() < 0.3 else []}


def made_up_checksum(flow, chance):
    """None: the right one."""
    luck = chance.random()
    if luck < 0.1:
        # Of echo, the kernel writes one zero as the other.
        return chance.choice((1, 1 if flow.layer is ECHO else 0xFFFF, chance.randrange(1, 0xFFFF)))
    return 0 if luck < 0.2 and flow.layer is UDP and flow.family.version == 4 else None


class Conversation:
    """Sends packets through the router and writes down what came of them."""

    def __init__(self, router):
        self.router = router
        self.transcript = Transcript(None)

    def tell(self, flows, chance):
        """A request of each, errors about some of them, answers to half of them, errors about some of those, and another
        request of every second one answered. Few flows at a time: connection tracking forgets an unanswered datagram
        after 30 s."""
        answered, count = chance.sample(flows, len(flows) // 2), len(flows) // 4
        requests = self.send(flows, FIRST, chance, 'forward', 'chosen')
        self.send_errors(requests, chance.sample(flows, count), chance, 'reply')
        answers = self.send(answered, ANSWER, chance, 'reply', 'endpoint')
        self.send_errors(answers, chance.sample(answered, count), chance, 'forward')
        self.send(chance.sample(answered, count), NEXT, chance, 'forward', 'known')

    def send(self, flows, part, chance, *verdict):
        """Returns what left, by flow."""
        packets = [flow.packet(part, chance) for flow in flows]
        return dict(zip(flows, self.step(flows, packets, *verdict), strict=True))

    def send_errors(self, departed, flows, chance, verdict):
        errors = [flow.error(departed[flow], verdict == 'forward', chance) for flow in flows]
        self.step(flows, errors, verdict, 'quoted')

    def step(self, flows, packets, verdict, reason):
        outputs = self.router.requests(packets) if verdict == 'forward' else self.router.replies(packets)
        for flow, packet, output in zip(flows, packets, outputs, strict=True):
            self.transcript.step(packet, output, verdict, reason, flow.front.name, flow.to.name, flow.client)
        return outputs


def main(seed, count, folder):
    chance = random.Random(seed)
    flows = [Flow(number, chance) for number in range(int(count))]
    with closing(Router()) as router:
        router.start_case()
        for family in (V4, V6):
            for layer, public, target in RULES:
                router.translate(*ends_of(family, public, target), NUMBERS[layer])
            router.translate(*ends_of(family, 0, 0), 0)
        talk = Conversation(router)
        for at in range(0, len(flows), AT_ONCE):
            talk.tell(flows[at:at + AT_ONCE], chance)
    ports = [f'{public}/{NAMES[layer]}->{target}' for layer, public, target in RULES]
    one, two = (Container(f'web-{n + 1}', V4.containers[n], V6.containers[n]) for n in (0, 1))
    services = (Service('web', [V4.public, V6.public], ports, [one]),
                Service('every', [V4.public2, V6.public2], 'all', [two]))
    talk.transcript.configure(*services, table={'probation': 1 << 20})
    talk.transcript.write(folder, f'Random packets of seed {seed}.\n')


main(*sys.argv[1:])
