from packets import V4, V6, Family
from scapy.all import IP, raw
from scapy.layers.inet import IPOption, IPOption_EOL, IPOption_NOP, IPOption_Router_Alert
from sums import replaced
from transcript import case

BOTH = (V4, V6)


@case('ip-options-v4', (V4,), kernel=True)
def options(t, f: Family):
    """An IPv4 header with options: the transport header lies behind them, the header's checksum covers them
    (RFC 791 section 3.1)."""
    t.configure(f.service())
    short = {'options': [IPOption_NOP(), IPOption_NOP(), IPOption_NOP(), IPOption_EOL()]}
    longest = {'options': [IPOption_Router_Alert(), IPOption_NOP()] + [IPOption_NOP()] * 34 + [IPOption_EOL()]}
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1000, ip=short), 'chosen')
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=5000, ack=1001, ip=short))
    t.forward(lambda to: f.tcp_to(to, b'odd', flags='PA', seq=1001, ack=5001, ip=longest))


@case('ip-options-unknown-v4', (V4,))
def unknown_options(t, f: Family):
    """An option nobody knows (copied, number 26: for experiments, RFC 4727) is carried, not read."""
    t.configure(f.service())
    odd = {'options': [IPOption(b'\x9e\x06\x01\x02\x03\x04'), IPOption_NOP(), IPOption_EOL()]}
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1000, ip=odd), 'chosen')


@case('ip-traffic-class', BOTH, kernel=True)
def traffic_class(t, f: Family):
    """DSCP and ECN stay what they are in both directions (RFC 2474, RFC 3168 section 5)."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1000, ip={'tos': 0xB8}), 'chosen')
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=5000, ack=1001, ip={'tos': 0x2A}))
    t.forward(lambda to: f.tcp_to(to, flags='A', seq=1001, ack=5001, ip={'tos': 0xBB}))


@case('ip-identification-v4', (V4,), kernel=True)
def identification(t, f: Family):
    """Identification and DF stay what they are; the reserved bit too (RFC 791 section 3.1)."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1000, ip={'id': 0xFFFF, 'flags': 'DF'}), 'chosen')
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=5000, ack=1001, ip={'id': 0, 'flags': 'DF'}))
    t.forward(lambda to: f.tcp_to(to, flags='A', seq=1001, ack=5001, ip={'id': 1, 'flags': ''}))
    t.forward(lambda to: f.tcp_to(to, b'x', flags='PA', seq=1001, ack=5001, ip={'id': 2, 'flags': 'evil'}))


@case('ip-flow-label-v6', (V6,), kernel=True)
def flow_label(t, f: Family):
    """The flow label stays what it is (RFC 6437 section 2)."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1000, ip={'fl': 0xABCDE}), 'chosen')
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=5000, ack=1001, ip={'fl': 0x12345}))


@case('ip-header-checksum-wrong-v4', (V4,))
def header_checksum(t, f: Family):
    """A wrong checksum of the IPv4 header leaves equally wrong (RFC 1624 equation 3, from the wrong input)."""
    t.configure(f.service())
    for number, wrong in enumerate((0x0000, 0x1234, 0xFFFF)):
        def build(to):
            after = raw(IP(dst=to.address))[16:20]
            chksum = replaced(wrong, raw(IP(dst=f.public))[16:20], after) if to != f.http else wrong
            return f.tcp_to(to, flags='S', seq=1000, ip={'chksum': chksum})
        t.forward(build, 'known' if number else 'chosen')


@case('ip-header-checksum-carries-v4', (V4,), kernel=True)
def header_checksum_carries(t, f: Family):
    """Header checksums at the ends of their range, before and after: 0000, and the ffff that no correct header has
    must not appear (RFC 1624 section 3)."""
    t.configure(f.service())
    first = [lambda id: f.tcp_to(f.http, flags='S', seq=1, ip={'id': id}),
             lambda id: f.tcp_to(f.web(1), flags='S', seq=1, ip={'id': id})]
    for number, build in enumerate(first):
        id = header_sum(build(0))
        assert header_sum(build(id)) in (0, 0xFFFF)
        for near in (id - 1, id, id + 1):
            t.forward(lambda to: f.tcp_to(to, flags='S', seq=1, ip={'id': near & 0xFFFF}),
                      'chosen' if (number, near) == (0, id - 1) else 'known')


def header_sum(packet):
    return int.from_bytes(raw(packet)[10:12], 'big')


@case('ip-trailing-bytes', BOTH)
def trailing_bytes(t, f: Family):
    """What follows the packet's own length is the link layer's padding: it neither counts nor leaves."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, b'x', flags='S', seq=1), 'chosen', wrap=lambda packet: raw(packet) + b'\xde\xad\xbe')
    own = f.udp_to(f.web(2), b'direct')
    t.step(raw(own) + bytes(6), own, 'pass', 'not-ours', source=f.client)
