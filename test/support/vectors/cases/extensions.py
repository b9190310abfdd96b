from packets import V4, V6, End, Family
from scapy.all import (AH, ESP, TCP, UDP, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ParamProblem, IPv6ExtHdrDestOpt,
                       IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, IPv6ExtHdrSegmentRouting, Jumbo, PadN,
                       Raw, RouterAlert, raw)
from sums import summed
from transcript import case

BOTH = (V4, V6)

HOP_BY_HOP = IPv6ExtHdrHopByHop(options=[RouterAlert(), PadN(optdata=b'')])
OPTIONS = IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))])
AT_ITS_END = IPv6ExtHdrRouting(type=4, addresses=['2001:db8:99::1'], segleft=0)
CHAINS = [HOP_BY_HOP, OPTIONS, AT_ITS_END, HOP_BY_HOP / OPTIONS / AT_ITS_END / OPTIONS.copy()]


def chained(f, src, dst, *layers):
    packet = f.ip(src, dst)
    for layer in layers:
        packet = packet / layer
    return packet


@case('extension-headers-v6', (V6,), kernel=True)
def extension_headers(t, f: Family):
    """TCP and UDP behind hop-by-hop options, a routing header at its end and destination options, alone and all
    together (RFC 8200 section 4.1): ports are mapped, checksums right, in both directions."""
    t.configure(f.service(['80/tcp->8080', '53/udp->5353']))
    dns = dict(front=End('web', f.public, 53), to=f.web(1, 5353))
    for number, chain in enumerate(CHAINS):
        t.forward(lambda to: chained(f, f.client, to.address, chain, TCP(sport=40000 + number, dport=to.port, flags='S', seq=7)),
                  'known' if number else 'chosen')
        t.reply(lambda of: chained(f, of.address, f.client, chain, TCP(sport=of.port, dport=40000 + number, flags='SA', seq=9, ack=8)))
        t.forward(lambda to: chained(f, f.client, to.address, chain, UDP(sport=40000, dport=to.port), b'odd'), **dns)
        t.reply(lambda of: chained(f, of.address, f.client, chain, UDP(sport=of.port, dport=40000), b'answer'), **dns)


@case('extension-headers-echo-v6', (V6,), kernel=True)
def extension_headers_echo(t, f: Family):
    """ICMPv6 echo behind them, to a service with `ports: all`."""
    t.configure(f.service('all'))
    for number, chain in enumerate(CHAINS):
        t.forward(lambda to: chained(f, f.client, to.address, chain, ICMPv6EchoRequest(id=7, seq=number, data=b'ping')),
                  'known' if number else 'chosen')
        t.reply(lambda of: chained(f, of.address, f.client, chain, ICMPv6EchoReply(id=7, seq=number, data=b'ping')))


@case('extension-headers-atomic-v6', (V6,))
def extension_headers_atomic(t, f: Family):
    """A fragment header on a whole packet (RFC 6946) between other headers."""
    t.configure(f.service())
    chain = (HOP_BY_HOP, IPv6ExtHdrFragment(id=7), OPTIONS)
    t.forward(lambda to: chained(f, f.client, to.address, *chain, TCP(sport=40000, dport=to.port, flags='S', seq=7)), 'chosen')
    t.reply(lambda of: chained(f, of.address, f.client, *chain, TCP(sport=of.port, dport=40000, flags='SA', seq=9, ack=8)))


@case('extension-headers-depth-v6', (V6,))
def depth(t, f: Family):
    """Eight headers are followed. Behind more, a packet to a public address is dropped, others pass."""
    t.configure(f.service('all'))
    build = lambda src, dst, headers: chained(f, src, dst, *[OPTIONS.copy() for _ in range(headers)],
                                              UDP(sport=40000, dport=40000), b'deep')
    t.forward(lambda to: build(f.client, to.address, 8), 'chosen')
    t.reply(lambda of: build(of.address, f.client, 8))
    t.drop(build(f.client, f.public, 9), 'unsupported')
    t.passes(build(f.web(1).address, f.client, 9), 'not-ours')


@case('extension-headers-out-of-place-v6', (V6,))
def out_of_place(t, f: Family):
    """A hop-by-hop header that is not the first (RFC 8200 section 4.1), and a second fragment header, end what can be
    followed."""
    t.configure(f.service('all'))
    for chain in ((OPTIONS, HOP_BY_HOP), (HOP_BY_HOP, HOP_BY_HOP.copy()), (IPv6ExtHdrFragment(id=7), IPv6ExtHdrFragment(id=8))):
        t.drop(chained(f, f.client, f.public, *chain, TCP(sport=40000, dport=80, flags='S')), 'unsupported')
        t.passes(chained(f, f.web(1).address, f.client, *chain, TCP(sport=80, dport=40000, flags='SA')), 'not-ours')


@case('extension-headers-nothing-v6', (V6,))
def nothing(t, f: Family):
    """The value 59 says that nothing follows (RFC 8200 section 4.7): for `ports: all` a packet like any other. What
    stands behind it is carried."""
    t.configure(f.service('all'))
    for number, rest in enumerate((b'', b'carried')):
        t.forward(lambda to: f.ip(f.client, to.address, proto=59) / Raw(rest), 'known' if number else 'chosen')
        t.reply(lambda of: chained(f, of.address, f.client, IPv6ExtHdrDestOpt(nh=59), Raw(rest)))


@case('extension-headers-nothing-of-ports-v6', (V6,))
def nothing_of_ports(t, f: Family):
    """No service with single ports takes a packet in which nothing follows, and no error answers it."""
    t.configure(f.service())
    t.drop(f.ip(f.client, f.public, proto=59), 'unsupported')
    t.passes(f.ip(f.web(1).address, f.client, proto=59), 'not-ours')
    t.passes(f.ip(f.client, f.stranger, proto=0) / bytes([59, 0, 1, 4, 0, 0, 0, 0]), 'not-ours')


@case('extension-headers-answered-v6', (V6,))
def answered(t, f: Family):
    """What onehop itself answers goes without the request's extension headers; a parameter problem points at the field
    that names what nobody takes, in the last of them (RFC 4443 section 3.4)."""
    t.configure(f.service())
    own = f.ip(f.public, f.client, ttl=64)
    syn = chained(f, f.client, f.public, HOP_BY_HOP, OPTIONS, TCP(sport=40000, dport=81, flags='S', seq=1000))
    t.answer(syn, own / TCP(sport=81, dport=40000, flags='RA', seq=0, ack=1001, window=0), 'port-closed')
    ping = chained(f, f.client, f.public, HOP_BY_HOP, ICMPv6EchoRequest(id=7, seq=1, data=b'ping'))
    t.answer(ping, own / ICMPv6EchoReply(id=7, seq=1, data=b'ping'), 'echo')
    unknown = chained(f, f.client, f.public, HOP_BY_HOP, IPv6ExtHdrDestOpt(nh=253, options=[PadN(optdata=bytes(12))]), Raw(b'x'))
    t.answer(unknown, own / ICMPv6ParamProblem(code=1, ptr=40 + 8) / Raw(raw(unknown)), 'port-closed')


@case('extension-headers-cut-v6', (V6,))
def cut(t, f: Family):
    """A packet that ends within its extension headers; as the first fragment of a larger one, too (RFC 7112 section
    5). Such are dropped wherever they go."""
    t.configure(f.service('all'))
    for ends in ((f.client, f.public), (f.web(1).address, f.client)):
        for next_header in (0, 43, 60):
            t.malformed(f.ip(*ends, proto=next_header) / bytes([6, 0, 1, 4, 0, 0, 0]), 'short-transport')
            t.malformed(f.ip(*ends, proto=next_header) / bytes([6, 1, 1, 4, 0, 0, 0, 0]) / bytes(7), 'short-transport')
        first = IPv6ExtHdrFragment(id=7, m=1, nh=60)
        t.malformed(f.ip(*ends) / first / bytes([17, 4, 1, 36] + 36 * [0]) / bytes(0), 'short-transport')
        t.malformed(f.ip(*ends) / first / bytes([17, 0, 1, 4, 0, 0, 0, 0]), 'short-transport')


def on_its_way(home, **fields):
    """A routing header with one segment left, which is `home`."""
    return IPv6ExtHdrRouting(type=2, addresses=[home], segleft=1, **fields)


@case('extension-headers-routed-v6', (V6,))
def routed(t, f: Family):
    """With segments left the public address is a stop on the way: transport checksum and port belong to the last
    segment (RFC 8200 section 8.1), so `ports: all` changes the address and nothing else, for mobile IPv6's routing
    header and for segment routing's (RFC 8754)."""
    t.configure(f.service('all'))
    segments = IPv6ExtHdrSegmentRouting(addresses=[f.stranger, '2001:db8:99::1'], segleft=1, lastentry=1)
    for number, header in enumerate((on_its_way(f.stranger), segments)):
        t.forward(lambda to: chained(f, f.client, to.address, header, TCP(sport=40000, dport=80, flags='S', seq=7)),
                  'known' if number else 'chosen')
        t.forward(lambda to: chained(f, f.client, to.address, header, UDP(sport=40000, dport=53), b'odd'))


@case('extension-headers-routed-of-ports-v6', (V6,))
def routed_of_ports(t, f: Family):
    """No port is looked at, mapped or refused for the last segment's sake, and no echo answered."""
    t.configure(f.service())
    for port in (80, 81):
        t.drop(chained(f, f.client, f.public, on_its_way(f.stranger), TCP(sport=40000, dport=port, flags='S')), 'unsupported')
    t.drop(chained(f, f.client, f.public, on_its_way(f.stranger), ICMPv6EchoRequest()), 'unsupported')


@case('extension-headers-routed-reply-v6', (V6,))
def routed_reply(t, f: Family):
    """A container answers a client that is away from home: its own end is rewritten, in the checksum too, whose pseudo
    header has the last segment (RFC 8200 section 8.1)."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=7), 'chosen')
    t.reply(lambda of: chained(f, of.address, f.client, on_its_way(f.stranger),
                               TCP(sport=of.port, dport=40000, flags='SA', seq=9, ack=8)))


@case('extension-headers-upper-layers-v6', (V6,))
def upper_layers(t, f: Family):
    """Behind extension headers, for `ports: all`: ESP, whose rest is sealed (RFC 4303), and shim6, whose checksum covers
    no address (RFC 5533 section 5.3), change nothing; mobility (RFC 6275 section 6.1.1), HIP (RFC 7401 section 5.1.1)
    and DCCP (RFC 4340 section 9.1) sum up the addresses."""
    t.configure(f.service('all'))
    sealed = [ESP(spi=0x1001, seq=1, data=b'sealed'), Raw(bytes([59, 0, 0x40, 0, 0xAB, 0xCD, 0, 0]))]
    for number, (proto, layer) in enumerate(zip((50, 140), sealed)):
        t.forward(lambda to: chained(f, f.client, to.address, HOP_BY_HOP, IPv6ExtHdrDestOpt(nh=proto), layer),
                  'known' if number else 'chosen')
        t.reply(lambda of: chained(f, of.address, f.client, IPv6ExtHdrDestOpt(nh=proto), layer))
    for proto, at, header in ((135, 4, bytes([59, 1, 1] + 13 * [0])), (139, 4, bytes([59, 4, 1, 0x21] + 36 * [7])), (33, 6, DCCP_RESET)):
        whole = lambda src, dst: Raw(summed(f, src, dst, proto, header, at))
        t.forward(lambda to: chained(f, f.client, to.address, HOP_BY_HOP, IPv6ExtHdrDestOpt(nh=proto), whole(f.client, to.address)))
        t.reply(lambda of: f.ip(of.address, f.client, proto=proto) / whole(of.address, f.client))


# Source and destination port, data offset 7, no coverage of data, type 7 with X, 48-bit numbers, code 0.
DCCP_RESET = bytes.fromhex('9c40 1389 07 01 0000 0f 00 000000000007 0000 000000000009 00 000000')


@case('all-hip-dccp-v4', (V4,))
def hip_dccp(t, f: Family):
    """HIP and DCCP over IPv4 sum up the addresses as well (RFC 7401 section 5.1.1, RFC 4340 section 9.1)."""
    t.configure(f.service('all'))
    for number, (proto, at, header) in enumerate(((139, 4, bytes([59, 4, 1, 0x21] + 36 * [7])), (33, 6, DCCP_RESET))):
        build = lambda src, dst: f.ip(src, dst, proto=proto) / Raw(summed(f, src, dst, proto, header, at))
        t.forward(lambda to: build(f.client, to.address), 'known' if number else 'chosen')
        t.reply(lambda of: build(of.address, f.client))


def sealed(f, src, dst, *chain):
    """An authentication header (RFC 4302) in front of TCP."""
    signed = AH(nh=6, spi=0x1001, seq=1, icv=bytes(12), payloadlen=4)
    tcp = TCP(sport=40000, dport=80, flags='S', chksum=0x1234)
    if f.version == 4:
        return f.ip(src, dst, proto=51) / signed / tcp
    return chained(f, src, dst, *chain, signed, tcp)


@case('authenticated', BOTH)
def authenticated(t, f: Family):
    """An authentication header signs the addresses: rewritten, it could never be verified, and the container would drop
    it without a word. So it is dropped here, where that is counted; a container's own pass."""
    t.configure(f.service('all'))
    for chain in ((), (HOP_BY_HOP, OPTIONS)) if f.version == 6 else ((),):
        t.drop(sealed(f, f.client, f.public, *chain), 'authenticated')
        t.passes(sealed(f, f.web(1).address, f.client, *chain), 'not-ours')
        t.passes(sealed(f, f.client, f.web(1).address, *chain), 'not-ours')


@case('malformed-jumbogram-v6', (V6,))
def jumbogram(t, f: Family):
    """Payload length 0 in front of a hop-by-hop header: the length is in its jumbo option (RFC 2675 section 2), or
    nowhere."""
    t.configure(f.service('all'))
    jumbo = IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=70000)])
    for header in (jumbo, HOP_BY_HOP):
        t.malformed(f.ip(f.client, f.public, plen=0) / header / TCP(sport=40000, dport=80, flags='S') / bytes(100), 'jumbogram')
    t.malformed(f.ip(f.client, f.public, plen=0, proto=0), 'jumbogram')
    t.malformed(f.ip(f.client, f.stranger, plen=0) / jumbo / TCP() / bytes(100), 'jumbogram')


@case('malformed-no-payload-v6', (V6,))
def no_payload(t, f: Family):
    """Payload length 0 otherwise means what it says: padding follows, no header."""
    t.configure(f.service('all'))
    for proto in (6, 17, 58, 43, 44, 60):
        t.malformed(f.ip(f.client, f.public, plen=0, proto=proto) / bytes(40), 'short-transport')
    t.step(raw(f.ip(f.client, f.public, plen=0, proto=253)) + bytes(40), f.ip(f.client, f.web(1).address, plen=0, proto=253),
           'forward', 'chosen', 'web', 'web-1', f.client)
