from packets import V4, V6, End, Family
from scapy.all import ESP, GRE, SCTP, Raw, SCTPChunkInit, SCTPChunkInitAck, raw
from scapy.utils import checksum
from sums import pseudo_header
from transcript import case

BOTH = (V4, V6)
UDP_LITE = 136


@case('all-tcp-udp', BOTH, kernel=True)
def tcp_udp(t, f: Family):
    """`ports: all` takes every port and maps none."""
    t.configure(f.service('all'))
    for number, port in enumerate((22, 8443)):
        ends = dict(front=End('web', f.public, port), to=f.web(1, port))
        t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'known' if number else 'chosen', **ends)
        t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2), **ends)
    ends = dict(front=End('web', f.public, 443), to=f.web(1, 443))
    t.forward(lambda to: f.udp_to(to, b'quic'), **ends)
    t.reply(lambda of: f.udp_from(of, b'quic too'), **ends)


def other_protocol(t, f, number, *payloads):
    """Requests and answers of a protocol by its number."""
    t.configure(f.service('all'))
    for turn, payload in enumerate(payloads):
        t.forward(lambda to: f.ip(f.client, to.address, proto=number) / payload, 'known' if turn else 'chosen')
        t.reply(lambda of: f.ip(of.address, f.client, proto=number) / payload)


@case('all-gre', BOTH, kernel=True)
def gre(t, f: Family):
    """GRE's checksum covers what it carries (RFC 2784 section 2.3): only the IP header changes."""
    inner = f.udp_to(f.http, b'inside')
    plain = GRE(proto=0x0800) / inner
    summed = GRE(proto=0x0800, chksum_present=1) / inner
    other_protocol(t, f, 47, plain, summed)


@case('all-esp', BOTH, kernel=True)
def esp(t, f: Family):
    """ESP depends on no address (RFC 4303): only the IP header changes."""
    other_protocol(t, f, 50, ESP(spi=0x1001, seq=1, data=b'sealed'), ESP(spi=0x1001, seq=2, data=b'odd'))


@case('all-sctp', BOTH, kernel=True)
def sctp(t, f: Family):
    """SCTP's CRC32c covers no pseudo header (RFC 9260 section 6.8): only the IP header changes. The kernel's NAT
    knows SCTP and leaves its CRC as it is too."""
    t.configure(f.service('all'))
    init = dict(a_rwnd=65536, n_out_streams=1, n_in_streams=1)
    t.forward(lambda to: f.ip(f.client, to.address) / SCTP(sport=40000, dport=5000, tag=0) /
              SCTPChunkInit(init_tag=7, init_tsn=100, **init), 'chosen')
    t.reply(lambda of: f.ip(of.address, f.client) / SCTP(sport=5000, dport=40000, tag=7) /
            SCTPChunkInitAck(init_tag=9, init_tsn=200, **init))


@case('all-unknown-protocol', BOTH, kernel=True)
def unknown(t, f: Family):
    """A protocol number for experiments (RFC 3692), with and without payload."""
    other_protocol(t, f, 253, Raw(b'experiment'), Raw(b''))


def udp_lite(f, src, dst, ports, payload, coverage, zero_as=0xFFFF):
    """RFC 3828 section 3.1: the checksum covers a pseudo header with the whole length and `coverage` bytes."""
    header = b''.join(port.to_bytes(2, 'big') for port in ports) + coverage.to_bytes(2, 'big') + bytes(2)
    datagram = bytearray(header + payload)
    packet = f.ip(src, dst, proto=UDP_LITE)
    covered = bytes(datagram[:coverage or len(datagram)])
    sum = checksum(pseudo_header(f, packet, UDP_LITE, len(datagram)) + covered) or zero_as
    datagram[6:8] = sum.to_bytes(2, 'big')
    return packet / Raw(bytes(datagram))


@case('all-udp-lite', BOTH)
def lite(t, f: Family):
    """UDP-Lite's checksum covers the pseudo header whatever part of the payload it covers (RFC 3828 section 3.1)."""
    t.configure(f.service('all'))
    for number, (payload, coverage) in enumerate(((b'all of it', 0), (b'the header', 8), (b'a part', 11))):
        t.forward(lambda to: udp_lite(f, f.client, to.address, (40000, 5000), payload, coverage),
                  'known' if number else 'chosen')
        t.reply(lambda of: udp_lite(f, of.address, f.client, (5000, 40000), payload, coverage))


@case('all-udp-lite-computed-zero', BOTH)
def lite_zero(t, f: Family):
    """A computed zero goes out as ffff for UDP-Lite too (RFC 3828 section 3.1): receivers drop a zero."""
    t.configure(f.service('all'))
    build = lambda to, payload, **fields: udp_lite(f, f.client, to.address, (40000, 5000), payload, 0, **fields)
    sum = raw(build(f.web(1), bytes(2)))[-4:-2]
    assert raw(build(f.web(1), sum, zero_as=0))[-4:-2] == bytes(2)
    t.forward(lambda to: build(to, sum), 'chosen')
