"""A case: a config and packets in order, each with its verdict and the packet that must leave."""
import json
import os

from config import config_yaml
from scapy.all import raw
from scapy.utils import RawPcapWriter

START = 1_700_000_000
LINKTYPE_ETHERNET = 1
LINKTYPE_RAW = 101

CASES = []


def case(name, families, kernel=False):
    """Registers a function of (transcript, family) as a case. Its doc comment says what it shows and by which source.
    `kernel`: only requests and answers, and the kernel's NAT makes the same bytes of them."""
    def register(function):
        for family in families:
            full = f'{name}-v{family.version}' if len(families) > 1 else name
            CASES.append((full, function, family, kernel))
        return function
    return register


class Transcript:
    """Steps whose expected packets are built by scapy from fields, apart from the packets that go in."""

    def __init__(self, family):
        self.family = family
        self.linktype = LINKTYPE_RAW
        self.micros = START * 1_000_000
        self.captured = []
        self.leaving = []
        self.verdicts = []

    def configure(self, *services, **settings):
        self.services = services
        self.settings = settings

    def later(self, seconds):
        self.micros += seconds * 1_000_000

    def step(self, packet, output, verdict, reason, service=None, container=None, source=None):
        self.captured.append((self.micros, raw(packet)))
        if output is not None:
            self.leaving.append((self.micros, raw(output)))
        line = {'n': len(self.captured), 'verdict': verdict, 'reason': reason, 'service': service,
                'container': container, 'source': source}
        self.verdicts.append({name: value for name, value in line.items() if value is not None})
        self.micros += 1000

    def forward(self, build, reason='known', front=None, to=None, source=None, wrap=raw):
        """A request: `build` makes it for the end it goes to, once for the public one and once for the container.
        `wrap` puts the former into the frame it was captured in."""
        front, to = front or self.family.http, to or self.family.web(1)
        self.step(wrap(build(front)), build(to), 'forward', reason, front.name, to.name, source or self.family.client)

    def reply(self, build, reason='endpoint', front=None, to=None, source=None):
        """A container's answer: `build` makes it for the end it comes from."""
        front, to = front or self.family.http, to or self.family.web(1)
        self.step(build(to), build(front), 'reply', reason, front.name, to.name, source or self.family.client)

    def call(self, build, caller, alias, reason='known', front=None, to=None, source=None):
        """A request from a local source: `build` makes it for an end and whom it comes from there, the caller itself or
        its alias."""
        front, to = front or self.family.http, to or self.family.web(1)
        self.step(build(front, caller), build(to, alias), 'forward', reason, front.name, to.name, source or caller)

    def call_back(self, build, caller, alias, reason='endpoint', front=None, to=None, source=None):
        """The answer to it."""
        front, to = front or self.family.http, to or self.family.web(1)
        self.step(build(to, alias), build(front, caller), 'reply', reason, front.name, to.name, source or caller)

    def forward_pieces(self, build, reason='known', front=None, to=None, source=None):
        """A request in fragments, the first one first: `build` makes all of them for the end they go to."""
        front, to = front or self.family.http, to or self.family.web(1)
        self.pieces('forward', reason, build(front), build(to), front, to, source)

    def reply_pieces(self, build, reason='endpoint', front=None, to=None, source=None):
        """An answer in fragments."""
        front, to = front or self.family.http, to or self.family.web(1)
        self.pieces('reply', reason, build(to), build(front), front, to, source)

    def pieces(self, verdict, reason, packets, outputs, front, to, source):
        for number, (packet, output) in enumerate(zip(packets, outputs, strict=True)):
            self.step(packet, output, verdict, 'fragment' if number else reason, front.name, to.name,
                      source or self.family.client)

    def answer(self, packet, answer, reason, service=None):
        self.step(packet, answer, 'answer', reason, service, source=packet.src)

    def passes(self, packet, reason):
        self.step(packet, packet, 'pass', reason, source=packet.src)

    def drop(self, packet, reason, service=None):
        """Of a public address or a container."""
        self.step(packet, None, 'drop', reason, service, source=packet.src)

    def malformed(self, packet, reason):
        """Names no source."""
        self.step(packet, None, 'drop', reason)

    def write(self, folder, about):
        os.makedirs(folder)
        write_text(folder, 'about.md', about)
        write_text(folder, 'config.yaml', config_yaml(self.services, self.settings))
        write_text(folder, 'verdicts.jsonl', ''.join(compact(line) + '\n' for line in self.verdicts))
        write_pcap(os.path.join(folder, 'in.pcap'), self.captured, self.linktype)
        write_pcap(os.path.join(folder, 'out.pcap'), self.leaving, LINKTYPE_RAW)


def compact(line):
    return json.dumps(line, separators=(',', ':'))


def write_text(folder, name, text):
    with open(os.path.join(folder, name), 'w') as file:
        file.write(text)


def write_pcap(path, packets, linktype):
    writer = RawPcapWriter(path, linktype=linktype, endianness='<', sync=True)
    writer.write_header(None)
    for micros, packet in packets:
        writer._write_packet(packet, sec=micros // 1_000_000, usec=micros % 1_000_000)
    writer.close()
