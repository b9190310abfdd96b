from packets import V4, V6, End, Family
from scapy.all import UDP, IPv6ExtHdrFragment, fragment, fragment6
from transcript import case

BOTH = (V4, V6)
PIECE = 256


def pieces(f, packet):
    """The packet's fragments: scapy sums up the whole datagram before it is cut."""
    if f.version == 4:
        return fragment(packet, fragsize=PIECE)
    base, rest = packet.copy(), packet.payload
    base.remove_payload()
    whole = f.ip(packet.src, packet.dst) / IPv6ExtHdrFragment(id=0x5678) / rest
    return fragment6(whole, 40 + 8 + PIECE)


def datagram(f, src, dst):
    return f.ip(src, dst) / UDP(sport=40000, dport=5000) / bytes(i % 251 for i in range(700))


@case('fragments', BOTH)
def all_fragments(t, f: Family):
    """With `ports: all` the source alone decides, so fragments need no reassembly: each gets its new address, and the
    first one's checksum, which covers the whole datagram, is right again for the address (RFC 791 section 3.2,
    RFC 8200 section 4.5). Answers likewise."""
    t.configure(f.service('all'))
    into = pieces(f, datagram(f, f.client, f.public)), pieces(f, datagram(f, f.client, f.web(1).address))
    for number, (packet, expected) in enumerate(zip(*into, strict=True)):
        t.step(packet, expected, 'forward', 'known' if number else 'chosen', 'web', 'web-1', f.client)
    back = pieces(f, datagram(f, f.web(1).address, f.client)), pieces(f, datagram(f, f.public, f.client))
    for packet, expected in zip(*back, strict=True):
        t.step(packet, expected, 'reply', 'endpoint', 'web', 'web-1', f.client)


@case('fragments-out-of-order', BOTH)
def out_of_order(t, f: Family):
    """The last fragment first."""
    t.configure(f.service('all'))
    into = pieces(f, datagram(f, f.client, f.public)), pieces(f, datagram(f, f.client, f.web(1).address))
    for number, (packet, expected) in enumerate(reversed(list(zip(*into, strict=True)))):
        t.step(packet, expected, 'forward', 'known' if number else 'chosen', 'web', 'web-1', f.client)


@case('fragments-of-ports', BOTH)
def of_ports(t, f: Family):
    """Where a port decides, fragments are dropped, the first one too: the rest could not follow it."""
    t.configure(f.service(['5000/udp']))
    for packet in pieces(f, datagram(f, f.client, f.public)):
        t.drop(packet, 'fragment')


@case('fragments-not-ours', BOTH)
def not_ours(t, f: Family):
    """Fragments that a container of single ports sends, or that go elsewhere, pass."""
    t.configure(f.service(['5000/udp']))
    for packet in pieces(f, datagram(f, f.web(1).address, f.client)) + pieces(f, datagram(f, f.client, f.web(2).address)):
        t.passes(packet, 'not-ours')


@case('fragments-short-first', BOTH)
def short_first(t, f: Family):
    """A first fragment too short for its transport header (RFC 1858 section 3) says nothing one could trust."""
    t.configure(f.service('all'))
    if f.version == 4:
        t.malformed(f.ip(f.client, f.public, proto=6, flags='MF') / bytes(16), 'short-transport')
    else:
        t.malformed(f.ip(f.client, f.public) / IPv6ExtHdrFragment(id=1, m=1, nh=6) / bytes(16), 'short-transport')


@case('fragments-short-header-v6', (V6,))
def short_header(t, f: Family):
    """Too short for its fragment header."""
    t.configure(f.service('all'))
    t.malformed(f.ip(f.client, f.public, proto=44) / bytes(7), 'short-transport')


@case('fragments-atomic-v6', (V6,))
def atomic(t, f: Family):
    """A fragment header on a whole packet (offset 0, no more fragments) makes no fragment of it (RFC 6946): its port
    is read."""
    t.configure(f.service(['5000/udp->5001']))
    front, to = End('web', f.public, 5000), f.web(1, 5001)
    build = lambda to: f.ip(f.client, to.address) / IPv6ExtHdrFragment(id=7, nh=17) / UDP(sport=40000, dport=to.port) / b'x'
    t.forward(build, 'chosen', front=front, to=to)
    t.reply(lambda of: f.ip(of.address, f.client) / IPv6ExtHdrFragment(id=8, nh=17) / UDP(sport=of.port, dport=40000) / b'y',
            front=front, to=to)
