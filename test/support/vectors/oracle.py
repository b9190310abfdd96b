#!/usr/bin/python3
"""Random packets through the kernel's NAT: oracle.py SEED FLOWS FOLDER writes a case (test/vectors) whose requests and
answers are made up from SEED and whose expected packets are what the router (kernel.py) let out. Needs root.

Random are: family, protocol, ports, client, payload and its length, class, identification, DF, time to live, IPv4 and
TCP options, sequence numbers, and whether the transport checksum is right, wrong or, in UDP over IPv4, absent. Flags
follow one another as connection tracking wants them, or it would not translate."""
import random
import sys
from contextlib import closing
from ipaddress import ip_address

sys.dont_write_bytecode = True

from config import Container, Service  # noqa: E402
from kernel import Router  # noqa: E402
from packets import V4, V6, End  # noqa: E402
from scapy.all import TCP, UDP, raw  # noqa: E402
from scapy.layers.inet import IPOption_EOL, IPOption_NOP  # noqa: E402
from transcript import Transcript  # noqa: E402

AT_ONCE = 64
RULES = [(TCP, 80, 8080), (TCP, 443, 443), (UDP, 53, 5353), (UDP, 4433, 4433)]
NAMES = {TCP: 'tcp', UDP: 'udp'}
NUMBERS = {TCP: 6, UDP: 17}

# A flow's first packet, its answer and what may follow: opened by a SYN, or picked up in the middle.
STORIES = [(('S', 'SEC'), ('SA', 'SAE'), ('A', 'PA')), (('A', 'PA'), ('A', 'PA', 'FA'), ('A', 'PA', 'FA', 'R', 'RA'))]
FIRST, ANSWER, NEXT = range(3)


class Flow:
    """One client's, to one rule of the service in one family."""

    def __init__(self, number, chance):
        self.family = chance.choice((V4, V6))
        self.layer, public, target = chance.choice(RULES)
        self.front = End('web', self.family.public, public)
        self.to = self.family.web(1, target)
        self.client = made_up_client(self.family, number, chance)
        self.port = chance.randrange(1, 65536)
        self.story = chance.choice(STORIES)

    def packet(self, part, chance):
        """A request for its public end, or an answer from its container's."""
        is_request = part != ANSWER
        ends = (self.client, self.front.address) if is_request else (self.to.address, self.client)
        ports = (self.port, self.front.port) if is_request else (self.to.port, self.port)
        fields = dict(zip(('sport', 'dport'), ports))
        if self.layer is TCP:
            fields |= tcp_fields(chance.choice(self.story[part]), chance)
        checksum = made_up_checksum(self, chance)
        if checksum is not None:
            fields['chksum'] = checksum
        payload = chance.randbytes(chance.choice((0, 1, chance.randrange(64), chance.randrange(1100))))
        return raw(self.family.ip(*ends, **ip_fields(self.family, chance)) / self.layer(**fields) / payload)


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
        return chance.choice((1, 0xFFFF, chance.randrange(1, 0x10000)))
    return 0 if luck < 0.2 and flow.layer is UDP and flow.family.version == 4 else None


class Conversation:
    """Sends packets through the router and writes down what came of them."""

    def __init__(self, router):
        self.router = router
        self.transcript = Transcript(None)

    def tell(self, flows, chance):
        """A request of each, answers to half of them, and another request of every second one answered. Few flows at a
        time: connection tracking forgets an unanswered datagram after 30 s."""
        answered = chance.sample(flows, len(flows) // 2)
        self.send(flows, FIRST, chance, 'forward', 'chosen')
        self.send(answered, ANSWER, chance, 'reply', 'endpoint')
        self.send(chance.sample(answered, len(flows) // 4), NEXT, chance, 'forward', 'known')

    def send(self, flows, part, chance, *verdict):
        router = self.router
        way = (router.container, 'container', router.client) if part == ANSWER else (router.client, 'client', router.container)
        packets = [flow.packet(part, chance) for flow in flows]
        for flow, packet, output in zip(flows, packets, router.send(packets, *way), strict=True):
            self.transcript.step(packet, output, *verdict, 'web', 'web-1', flow.client)


def main(seed, count, folder):
    chance = random.Random(seed)
    flows = [Flow(number, chance) for number in range(int(count))]
    with closing(Router()) as router:
        router.start_case()
        for family in (V4, V6):
            for layer, public, target in RULES:
                router.translate(End('web', family.public, public), family.web(1, target), NUMBERS[layer])
        talk = Conversation(router)
        for at in range(0, len(flows), AT_ONCE):
            talk.tell(flows[at:at + AT_ONCE], chance)
    ports = [f'{public}/{NAMES[layer]}->{target}' for layer, public, target in RULES]
    container = Container('web-1', V4.containers[0], V6.containers[0])
    talk.transcript.configure(Service('web', [V4.public, V6.public], ports, [container]), table={'probation': 1 << 20})
    talk.transcript.write(folder, f'Random packets of seed {seed}.\n')


main(*sys.argv[1:])
