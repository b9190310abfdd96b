from cases.fragments import PIECE, answered, asked, content, datagram, end, mail, mail_ends, pieces
from packets import V4, V6, Family
from scapy.all import ICMP, TCP, UDP, ICMPv6EchoRequest, IPv6ExtHdrFragment, Raw, raw
from transcript import case

BOTH = (V4, V6)


def part(f, src, dst, protocol, payload, offset=0, more=True, ident=0x77):
    """One fragment, made from fields; `offset` in bytes."""
    if f.version == 4:
        return f.ip(src, dst, proto=protocol, id=ident, frag=offset // 8, flags='MF' if more else 0) / Raw(bytes(payload))
    header = IPv6ExtHdrFragment(id=ident, offset=offset // 8, m=int(more), nh=protocol)
    return f.ip(src, dst) / header / Raw(bytes(payload))


@case('fragments-of-containers', BOTH)
def of_containers(t, f: Family):
    """What a container sends on its own account passes whole, to strangers and to a client that it has answered; so does
    what only travels through here."""
    t.configure(f.service(['5000/udp']))
    own = f.web(1, 7000)
    for packet in answered(f, f.stranger, ident=1)(own) + pieces(f, datagram(f, f.client, f.web(2).address), ident=2):
        t.passes(packet, 'not-ours')
    t.forward_pieces(asked(f), 'chosen', front=end(f), to=f.web(1, 5000))
    for packet in answered(f, ident=3)(own):
        t.passes(packet, 'not-ours')
    for packet in answered(f, f.stranger, ident=4)(f.web(1, 5000)):
        t.passes(packet, 'unknown-client')
    *_, last = answered(f, f.stranger, ident=5)(own)
    t.passes(last, 'unknown-client')
    *_, last = answered(f, ident=6)(own)
    t.step(last, None, 'drop', 'fragment', source=f.client)


@case('fragments-unserved', BOTH)
def unserved(t, f: Family):
    """To a port without a service, to a protocol without one, and a ping that only a container could put together: nothing of
    it is forwarded or answered."""
    t.configure(f.service(['5000/udp']))
    first, *later = asked(f)(end(f, 5001))
    t.drop(first, 'port-closed')
    for packet in later:
        t.drop(packet, 'fragment')
    first, *later = pieces(f, f.tcp_to(f.http, content(f), flags='A'))
    t.drop(first, 'port-closed')
    for packet in later:
        t.drop(packet, 'fragment')
    request = ICMP(id=7, seq=1) if f.version == 4 else ICMPv6EchoRequest(id=7, seq=1)
    first, *later = pieces(f, f.ip(f.client, f.public) / request / Raw(content(f)))
    t.drop(first, 'unsupported')
    for packet in later:
        t.drop(packet, 'fragment')


@case('fragments-short-first', BOTH)
def short_first(t, f: Family):
    """A first fragment too short for its transport header says nothing one could trust (RFC 1858 section 3, RFC 7112)."""
    t.configure(f.service('all'))
    echo = 1 if f.version == 4 else 58
    for protocol, length in ((6, 16), (6, 8), (6, 0), (17, 0), (echo, 0)):
        t.malformed(part(f, f.client, f.public, protocol, bytes(length)), 'short-transport')


@case('fragments-within-tcp-header', BOTH)
def within_tcp_header(t, f: Family):
    """A later fragment that starts within the TCP header could write other flags over the first one's (RFC 1858 section 3.2,
    RFC 3128). Behind the header it may overlap with whatever it likes: that is its receiver's business."""
    t.configure(f.service())
    header = bytes(TCP(sport=40000, dport=80, flags='S')) + bytes(4)
    for offset in (8, 16):
        t.malformed(part(f, f.client, f.public, 6, header, offset), 'short-transport')
    t.step(part(f, f.client, f.public, 6, bytes(16), 24), part(f, f.client, f.web(1).address, 6, bytes(16), 24), 'forward',
           'chosen', 'web', 'web-1', f.client)


@case('fragments-overlapping', BOTH)
def overlapping(t, f: Family):
    """Fragments that overlap, or come twice, are forwarded as they are: their receiver discards them (RFC 5722) or not."""
    t.configure(f.service(['5000/udp->5353']), mail(f))
    whole = [raw((f.ip(f.client, to.address) / UDP(sport=40000, dport=to.port) / bytes(range(40))).payload)
             for to in (end(f), f.web(1, 5353))]
    for number, offset in enumerate((0, 8, 16, 24, 24, 0)):
        packet, expected = (part(f, f.client, to, 17, datagram[offset:offset + 24], offset, offset < 24)
                            for to, datagram in zip((f.public, f.web(1).address), whole))
        reason = 'fragment' if offset else 'known' if number else 'chosen'
        t.step(packet, expected, 'forward', reason, 'web', 'web-1', f.client)


@case('fragments-table-full', BOTH)
def table_full(t, f: Family):
    """The fragment table is bounded: with four places the fifth datagram takes the first one's, whose later fragments then
    have nobody to follow."""
    t.configure(f.service(['5000/udp->5353']), mail(f), table={'fragments': 4})
    front, to = end(f), f.web(1, 5353)
    datagrams = [list(zip(asked(f, ident=ident)(front), asked(f, ident=ident)(to), strict=True)) for ident in range(5)]
    for number, (first, *_) in enumerate(datagrams):
        t.step(*first, 'forward', 'known' if number else 'chosen', 'web', 'web-1', f.client)
    for packet, _ in datagrams[0][1:]:
        t.drop(packet, 'fragment')
    for _, *later in datagrams[1:]:
        for packet, expected in later:
            t.step(packet, expected, 'forward', 'fragment', 'web', 'web-1', f.client)


@case('fragments-expired', BOTH)
def expired(t, f: Family):
    """A first fragment is remembered for five seconds."""
    t.configure(f.service(['5000/udp->5353']), mail(f))
    front, to = end(f), f.web(1, 5353)
    first, middle, last = list(zip(asked(f)(front), asked(f)(to), strict=True))
    t.step(*first, 'forward', 'chosen', 'web', 'web-1', f.client)
    t.later(5)
    t.step(*middle, 'forward', 'fragment', 'web', 'web-1', f.client)
    t.later(1)
    t.drop(last[0], 'fragment')


@case('fragments-identification-reused', BOTH)
def identification_reused(t, f: Family):
    """The same identification for the next datagram: whoever came last is followed. Another client's is another."""
    t.configure(f.service(['5000/udp->5353']), mail(f))
    t.forward_pieces(asked(f), 'chosen', front=end(f), to=f.web(1, 5353))
    t.forward_pieces(asked(f), 'chosen', **mail_ends(f))
    *_, last = asked(f, f.neighbour)(end(f))
    t.drop(last, 'fragment')


@case('fragments-protocol-in-name', BOTH)
def protocol_in_name(t, f: Family):
    """Over IPv4 the protocol is part of what fragments have in common (RFC 791 section 3.2), over IPv6 it is not (RFC 8200
    section 4.5)."""
    t.configure(f.service(['5000/udp->5353', '80/tcp->8080']), mail(f))
    ends = dict(front=end(f), to=f.web(1, 5353))
    t.forward_pieces(asked(f), 'chosen', **ends)
    odd = [part(f, f.client, to.address, 6, bytes(16), 2 * PIECE[f.version], False, 0x1234) for to in ends.values()]
    t.step(*odd, 'forward', 'known' if f.version == 4 else 'fragment', 'web', 'web-1', f.client)


@case('fragments-short-header-v6', (V6,))
def short_header(t, f: Family):
    """Too short for its fragment header."""
    t.configure(f.service('all'))
    t.malformed(f.ip(f.client, f.public, proto=44) / bytes(7), 'short-transport')
