from packets import V4, V6, End, Family
from scapy.all import ESP, GRE, ICMP, SCTP, TCP, ICMPv6DestUnreach, ICMPv6ParamProblem, IPv6ExtHdrFragment, Raw, raw
from scapy.layers.inet import IPOption_EOL, IPOption_NOP
from transcript import case

BOTH = (V4, V6)


def closed(f):
    """A port of the public address that no service has."""
    return End('web', f.public, 81)


def own_header(f, tos=0):
    """The header of what onehop sends itself; fixed, for it stays one packet (RFC 6864 section 4.1: DF, any id)."""
    own = {'id': 0, 'flags': 'DF'} if f.version == 4 else {}
    return f.ip(f.public, f.client, ttl=64, tos=tos, **own)


def reset(f, port=81, client_port=40000, **fields):
    return own_header(f) / TCP(sport=port, dport=client_port, window=0, **fields)


@case('closed-tcp-without-ack', BOTH)
def without_ack(t, f: Family):
    """Nobody listens and the segment has no ACK: a reset with sequence 0 that acknowledges all of the segment, SYN
    and FIN counting one each (RFC 9293 section 3.10.7.1). The kernel's resets have the same fields."""
    t.configure(f.service())
    for flags, payload, length in (('S', b'', 1), ('S', b'early', 6), ('F', b'', 1), ('FPU', b'abc', 4), ('', b'abc', 3),
                                   ('SF', b'', 2)):
        t.answer(f.tcp_to(closed(f), payload, flags=flags, seq=1000, ack=77),
                 reset(f, flags='RA', seq=0, ack=1000 + length), 'port-closed')


@case('closed-tcp-with-ack', BOTH)
def with_ack(t, f: Family):
    """With ACK: a reset at the sequence that the segment acknowledges (RFC 9293 section 3.10.7.1)."""
    t.configure(f.service())
    for flags, payload in (('A', b''), ('PA', b'data'), ('FA', b''), ('SA', b'')):
        t.answer(f.tcp_to(closed(f), payload, flags=flags, seq=1000, ack=0xDEADBEEF),
                 reset(f, flags='R', seq=0xDEADBEEF, ack=0), 'port-closed')


@case('closed-tcp-wraps', BOTH)
def wraps(t, f: Family):
    """Sequence numbers wrap at 2^32 (RFC 9293 section 3.4)."""
    t.configure(f.service())
    t.answer(f.tcp_to(closed(f), flags='S', seq=0xFFFFFFFF), reset(f, flags='RA', seq=0, ack=0), 'port-closed')
    t.answer(f.tcp_to(closed(f), b'abc', flags='S', seq=0xFFFFFFFE), reset(f, flags='RA', seq=0, ack=2), 'port-closed')


@case('closed-tcp-options', BOTH)
def tcp_options(t, f: Family):
    """Options, and link padding behind the packet, are no payload: they take no sequence numbers."""
    t.configure(f.service())
    syn = f.tcp_to(closed(f), flags='S', seq=1000, options=[('MSS', 1460), ('SAckOK', b''), ('WScale', 7)])
    t.step(raw(syn) + bytes(5), reset(f, flags='RA', seq=0, ack=1001), 'answer', 'port-closed', source=f.client)


@case('closed-tcp-reset', BOTH)
def no_reset_for_reset(t, f: Family):
    """A reset is never answered (RFC 9293 section 3.10.7.1)."""
    t.configure(f.service())
    for flags in ('R', 'RA'):
        t.drop(f.tcp_to(closed(f), flags=flags, seq=1000, ack=2000), 'port-closed')


def port_unreachable(f, packet):
    """A whole datagram fits into the quote below 576 bytes over IPv4 and 1,280 over IPv6."""
    if f.version == 4:
        return own_header(f, tos=0xC0) / ICMP(type=3, code=3) / Raw(raw(packet)[:576 - 28])
    return own_header(f) / ICMPv6DestUnreach(code=4) / Raw(raw(packet)[:1280 - 48])


@case('closed-udp', BOTH)
def udp(t, f: Family):
    """Port unreachable, quoting the whole datagram as it came (RFC 1122 sections 3.2.2.1 and 4.1.3.1, RFC 4443
    section 3.1), odd lengths too, with precedence 6 over IPv4 (RFC 1812 section 4.3.2.5)."""
    t.configure(f.service())
    for payload in (b'', b'odd', b'even'):
        packet = f.udp_to(closed(f), payload)
        t.answer(packet, port_unreachable(f, packet), 'port-closed')


@case('closed-udp-long', BOTH)
def udp_long(t, f: Family):
    """The quote ends where the error would grow beyond 576 bytes over IPv4 (RFC 1812 section 4.3.2.3) and 1,280 over
    IPv6 (RFC 4443 section 2.4 c): at the limit, one below and one above."""
    t.configure(f.service())
    limit = 576 - 28 - 28 if f.version == 4 else 1280 - 48 - 48
    for length in (limit - 1, limit, limit + 1, 1400):
        packet = f.udp_to(closed(f), bytes(range(1, 251)) * 6)
        packet = f.udp_to(closed(f), raw(packet)[-1500:][:length])
        assert len(raw(port_unreachable(f, packet))) <= (576 if f.version == 4 else 1280)
        t.answer(packet, port_unreachable(f, packet), 'port-closed')


@case('closed-udp-options-v4', (V4,))
def udp_options(t, f: Family):
    """The quote holds the IPv4 header with its options (RFC 792), the error itself has none."""
    t.configure(f.service())
    packet = f.udp_to(closed(f), b'x', ip={'options': [IPOption_NOP()] * 7 + [IPOption_EOL()]})
    t.answer(packet, port_unreachable(f, packet), 'port-closed')


@case('closed-protocol', BOTH)
def protocol(t, f: Family):
    """A protocol that no service of the address takes: protocol unreachable over IPv4 (RFC 1122 section 3.2.2.1);
    over IPv6 a parameter problem that points at the next-header field (RFC 8200 section 4, RFC 4443 section 3.4).
    The kernel answers with the same."""
    t.configure(f.service())
    for number, payload in ((47, GRE(proto=0x0800)), (50, ESP(spi=1, seq=1, data=b'secret')), (132, SCTP(sport=1, dport=80)),
                            (136, Raw(bytes(8))), (253, Raw(b'experiment'))):
        packet = f.ip(f.client, f.public, proto=number) / payload
        quote = Raw(raw(packet))
        error = (own_header(f, tos=0xC0) / ICMP(type=3, code=2) if f.version == 4
                 else own_header(f) / ICMPv6ParamProblem(code=1, ptr=6))
        t.answer(packet, error / quote, 'port-closed')


@case('closed-protocol-behind-fragment-header-v6', (V6,))
def protocol_behind_fragment_header(t, f: Family):
    """The pointer names the field that holds the unknown number, here the fragment header's own; so does the kernel's."""
    t.configure(f.service())
    packet = f.ip(f.client, f.public) / IPv6ExtHdrFragment(id=7, nh=253) / b'experiment'
    t.answer(packet, own_header(f) / ICMPv6ParamProblem(code=1, ptr=40) / Raw(raw(packet)), 'port-closed')


@case('closed-damaged', BOTH)
def damaged(t, f: Family):
    """What arrives damaged is not answered, for its port may be any other's: TCP with a wrong checksum (RFC 9293 section
    3.1), UDP with a wrong one (RFC 1122 section 4.1.3.4) or a length that lies. UDP without a checksum is whole over
    IPv4, and dropped over IPv6 (RFC 8200 section 8.1). The kernel keeps silent at the same ones."""
    t.configure(f.service())
    t.drop(f.tcp_to(closed(f), b'odd', flags='S', seq=1, chksum=0x1234), 'port-closed')
    t.drop(f.udp_to(closed(f), b'odd', chksum=0x1234), 'port-closed')
    for length in (7, 12):
        t.drop(f.udp_to(closed(f), b'odd', len=length, chksum=0 if f.version == 4 else None), 'port-closed')
    unsummed = f.udp_to(closed(f), b'odd', chksum=0)
    if f.version == 4:
        t.answer(unsummed, port_unreachable(f, unsummed), 'port-closed')
    else:
        t.drop(unsummed, 'no-checksum')


@case('closed-udp-trailing', BOTH)
def udp_trailing(t, f: Family):
    """A datagram shorter than its packet: the checksum covers the datagram (RFC 768), the quote takes the packet."""
    t.configure(f.service())
    datagram = raw(f.udp_to(closed(f), b'odd'))[-11:]
    packet = f.ip(f.client, f.public, proto=17) / Raw(datagram + b'more')
    t.answer(packet, port_unreachable(f, packet), 'port-closed')


@case('closed-unserved-drop', BOTH)
def unserved_drop(t, f: Family):
    """`unserved: drop` keeps silent about other ports; echo is still answered."""
    t.configure(f.service(), unserved='drop')
    t.drop(f.tcp_to(closed(f), flags='S'), 'port-closed')
    t.drop(f.udp_to(closed(f), b'x'), 'port-closed')
    t.drop(f.ip(f.client, f.public, proto=253) / b'experiment', 'port-closed')
    own = {'id': 0, 'flags': 'DF'} if f.version == 4 else {}
    t.answer(f.echo_request(f.http), f.echo_reply(f.http, ip=own | {'ttl': 64}), 'echo')


@case('closed-other-protocol-same-port', BOTH)
def same_port(t, f: Family):
    """80/tcp says nothing about 80/udp."""
    t.configure(f.service())
    packet = f.udp_to(f.http, b'quic?')
    t.answer(packet, port_unreachable(f, packet), 'port-closed')


@case('closed-answer-limit-v4', (V4,))
def answer_limit(t, f: Family):
    """At most 1,000 ICMP errors in a second (RFC 1812 section 4.3.2.8); the rest is dropped, resets do not count, and
    the next second starts anew."""
    t.configure(f.service())
    packet = f.udp_to(closed(f))
    error = raw(port_unreachable(f, packet))
    t.later(1)
    t.answer(packet, error, 'port-closed')
    t.micros -= 1000
    for _ in range(999):
        t.answer(packet, error, 'port-closed')
        t.micros -= 1000
    t.drop(packet, 'answer-limit')
    t.answer(f.tcp_to(closed(f), flags='S', seq=1), reset(f, flags='RA', seq=0, ack=2), 'port-closed')
    t.later(1)
    t.answer(packet, error, 'port-closed')


@case('empty-service-reject', BOTH)
def empty_reject(t, f: Family):
    """A service without a container answers like a closed port, in its own name."""
    t.configure(f.service(['80/tcp->8080', '53/udp'], containers=[]))
    t.answer(f.tcp_to(f.http, flags='S', seq=1000), reset(f, port=80, flags='RA', seq=0, ack=1001), 'no-container', 'web')
    packet = f.udp_to(End('web', f.public, 53), b'query')
    t.answer(packet, port_unreachable(f, packet), 'no-container', 'web')
    t.drop(f.tcp_to(f.http, flags='R', seq=1000), 'no-container', 'web')


@case('empty-service-all', BOTH)
def empty_all(t, f: Family):
    """With every port and no container: protocols without ports, echo too, hear that the host is unreachable (RFC 792,
    RFC 4443 section 3.1), for the service does take their protocol."""
    t.configure(f.service('all', containers=[]))
    t.answer(f.tcp_to(closed(f), flags='S', seq=1), reset(f, flags='RA', seq=0, ack=2), 'no-container', 'web')
    packet = f.udp_to(closed(f), b'x')
    t.answer(packet, port_unreachable(f, packet), 'no-container', 'web')
    for packet in (f.echo_request(f.http), f.ip(f.client, f.public) / GRE(proto=0x0800)):
        t.answer(packet, host_unreachable(f, packet), 'no-container', 'web')


def host_unreachable(f, packet):
    error = own_header(f, tos=0xC0) / ICMP(type=3, code=1) if f.version == 4 else own_header(f) / ICMPv6DestUnreach(code=3)
    return error / Raw(raw(packet))


@case('empty-service-fragments', BOTH)
def empty_fragments(t, f: Family):
    """A part of a packet is not answered: whether the whole is intact cannot be told."""
    t.configure(f.service('all', containers=[]))
    header = TCP(sport=40000, dport=80, flags='S')
    if f.version == 4:
        t.drop(f.ip(f.client, f.public, flags='MF') / header / bytes(4), 'no-container', 'web')
    else:
        t.drop(f.ip(f.client, f.public) / IPv6ExtHdrFragment(id=1, m=1, nh=6) / header / bytes(4), 'no-container', 'web')


@case('empty-service-drop', BOTH)
def empty_drop(t, f: Family):
    """`empty: drop` keeps silent."""
    t.configure(f.service(containers=[], empty='drop'))
    t.drop(f.tcp_to(f.http, flags='S', seq=1000), 'no-container', 'web')


@case('empty-weight-zero', BOTH)
def weight_zero(t, f: Family):
    """Weight 0 takes no new sources, so with nothing else the service is empty, but for a pin."""
    pin = {'source': f.stranger, 'container': 'web-1'}
    t.configure(f.service(containers=[f.container(1, weight=0)], pins=[pin]))
    t.answer(f.tcp_to(f.http, flags='S', seq=1000), reset(f, port=80, flags='RA', seq=0, ack=1001), 'no-container', 'web')
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1, client=f.stranger), 'pinned', source=f.stranger)
