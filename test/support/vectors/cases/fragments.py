from cases.all_protocols import udp_lite
from config import Container, Service
from packets import V4, V6, End, Family
from scapy.all import GRE, ICMP, SCTP, TCP, UDP, ICMPv6EchoReply, ICMPv6EchoRequest, IPv6ExtHdrFragment, Raw, fragment, fragment6
from transcript import case

BOTH = (V4, V6)
# IPv6's are as large as its smallest MTU allows: the kernel's NAT cuts no smaller ones.
PIECE = {4: 256, 6: 1232}
LENGTH = {4: 700, 6: 3000}


def pieces(f, packet, ident=0x1234, piece=None):
    """The packet's fragments: scapy sums up the whole packet before it is cut."""
    piece = piece or PIECE[f.version]
    if f.version == 4:
        packet = packet.copy()
        packet.id = ident
        return fragment(packet, fragsize=piece)
    base, rest = packet.copy(), packet.payload
    base.remove_payload()
    whole = f.ip(packet.src, packet.dst) / IPv6ExtHdrFragment(id=ident, nh=packet.nh) / rest
    return fragment6(whole, 40 + 8 + piece)


def content(f):
    return bytes(i % 251 for i in range(LENGTH[f.version]))


def datagram(f, src, dst, sport=40000, dport=5000, **fields):
    return f.ip(src, dst) / UDP(sport=sport, dport=dport, **fields) / content(f)


def asked(f, client=None, ident=0x1234, **fields):
    """What builds a request's fragments for the end that they go to."""
    return lambda to: pieces(f, datagram(f, client or f.client, to.address, dport=to.port, **fields), ident)


def answered(f, client=None, ident=0x4321, port=40000, **fields):
    return lambda of: pieces(f, datagram(f, of.address, client or f.client, of.port, port, **fields), ident)


def end(f, port=5000):
    return End('web', f.public, port)


def mail(f):
    """Another service on the address of web, in web-2's place."""
    return Service('mail', [f.public], ['6000/udp->6001'], [Container('mail-1', **{f.address_field: f.containers[1]})])


def mail_ends(f):
    return dict(front=End('mail', f.public, 6000), to=End('mail-1', f.containers[1], 6001))


@case('fragments', BOTH, kernel=True)
def all_fragments(t, f: Family):
    """Fragments are forwarded one by one, both ways: each gets its new address, and the first one's checksum, which covers the
    whole datagram, is right again for the address (RFC 791 section 3.2, RFC 8200 section 4.5)."""
    t.configure(f.service('all'))
    ends = dict(front=end(f), to=f.web(1, 5000))
    t.forward_pieces(asked(f), 'chosen', **ends)
    t.reply_pieces(answered(f), **ends)


@case('fragments-port-mapping', BOTH, kernel=True)
def port_mapping(t, f: Family):
    """The first fragment has the port and gets the container's; the others have none and follow it."""
    t.configure(f.service(['5000/udp->5353']))
    ends = dict(front=end(f), to=f.web(1, 5353))
    t.forward_pieces(asked(f), 'chosen', **ends)
    t.reply_pieces(answered(f), **ends)
    t.forward_pieces(asked(f, sport=40001), **ends)
    t.reply_pieces(answered(f, port=40001), **ends)


@case('fragments-several-services', BOTH, kernel=True)
def several_services(t, f: Family):
    """Several services on one address: a datagram's fragments go where its port belongs, and answers come back from there."""
    t.configure(f.service(['5000/udp->5353']), mail(f))
    web = dict(front=end(f), to=f.web(1, 5353))
    t.forward_pieces(asked(f, ident=1), 'chosen', **web)
    t.forward_pieces(asked(f, ident=2), 'chosen', **mail_ends(f))
    t.reply_pieces(answered(f, ident=3), **web)
    t.reply_pieces(answered(f, ident=3), **mail_ends(f))


@case('fragments-interleaved', BOTH)
def interleaved(t, f: Family):
    """Two datagrams of one client to two services at once: the identification tells their fragments apart."""
    t.configure(f.service(['5000/udp->5353']), mail(f))
    ends = [dict(front=end(f), to=f.web(1, 5353)), mail_ends(f)]
    into = [zip(asked(f, ident=ident)(at['front']), asked(f, ident=ident)(at['to']), strict=True) for ident, at in enumerate(ends)]
    for number, both in enumerate(zip(*into, strict=True)):
        for (packet, expected), at in zip(both, ends):
            t.step(packet, expected, 'forward', 'fragment' if number else 'chosen', at['front'].name, at['to'].name, f.client)


@case('fragments-tcp', BOTH, kernel=True)
def tcp(t, f: Family):
    """A TCP segment in fragments, with its port mapped."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2))
    t.forward_pieces(lambda to: pieces(f, f.tcp_to(to, content(f), flags='PA', seq=2, ack=10)))
    t.reply_pieces(lambda of: pieces(f, f.tcp_from(of, content(f), flags='PA', seq=10, ack=2 + len(content(f)))))


@case('fragments-no-checksum-v4', (V4,), kernel=True)
def no_checksum(t, f: Family):
    """UDP without a checksum stays without one, in fragments too."""
    t.configure(f.service(['5000/udp->5353']))
    ends = dict(front=end(f), to=f.web(1, 5353))
    t.forward_pieces(asked(f, chksum=0), 'chosen', **ends)
    t.reply_pieces(answered(f, chksum=0), **ends)


@case('fragments-no-checksum-v6', (V6,))
def no_checksum6(t, f: Family):
    """Over IPv6 no receiver takes it (RFC 8200 section 8.1), nor any part of it."""
    t.configure(f.service(['5000/udp->5353']))
    first, *later = asked(f, chksum=0)(end(f))
    t.drop(first, 'no-checksum')
    for packet in later:
        t.drop(packet, 'fragment')


@case('fragments-wrong-checksum', BOTH, kernel=True)
def wrong_checksum(t, f: Family):
    """A datagram that arrives damaged leaves as damaged, whatever its port becomes."""
    t.configure(f.service(['5000/udp->5353']))

    def damaged(to):
        """The checksum that is right plus one, also where the port has changed."""
        whole = datagram(f, f.client, to.address, dport=to.port)
        right = whole.__class__(bytes(whole))[UDP].chksum
        return pieces(f, datagram(f, f.client, to.address, dport=to.port, chksum=right + 1))
    t.forward_pieces(damaged, 'chosen', front=end(f), to=f.web(1, 5353))


@case('fragments-shared-endpoint', BOTH, kernel=True)
def shared_endpoint(t, f: Family):
    """Two public ports lead to one container port: the first fragment's flow tells which port an answer comes from."""
    t.configure(f.service(['5000/udp->5353', '5001/udp->5353']))
    one, other = (dict(front=end(f, port), to=f.web(1, 5353)) for port in (5000, 5001))
    t.forward_pieces(asked(f, ident=1), 'chosen', **one)
    t.forward_pieces(asked(f, ident=2, sport=40001), **other)
    t.reply_pieces(answered(f, ident=3, port=40001), 'flow', **other)
    t.reply_pieces(answered(f, ident=4), 'flow', **one)


@case('fragments-replies-flow', BOTH)
def replies_flow(t, f: Family):
    """With `replies: flow` the first fragment tells an answer from what a client of the container's own address gets."""
    t.configure(f.service(['5000/udp'], replies='flow'))
    ends = dict(front=end(f), to=f.web(1, 5000))
    t.forward_pieces(asked(f), 'chosen', **ends)
    t.reply_pieces(answered(f, ident=3), 'flow', **ends)
    for packet in answered(f, ident=4, port=40009)(ends['to']):
        t.passes(packet, 'unknown-flow')


@case('fragments-out-of-order', BOTH)
def out_of_order(t, f: Family):
    """The last fragment first: all ports of the address belong to one service, so it goes where it must go, whatever its port.
    The same with `ports: all` for answers."""
    t.configure(f.service('all'))
    ends = dict(front=end(f), to=f.web(1, 5000))
    into = list(zip(asked(f)(ends['front']), asked(f)(ends['to']), strict=True))
    back = list(zip(answered(f)(ends['to']), answered(f)(ends['front']), strict=True))
    for number, (packet, expected) in enumerate(reversed(into)):
        t.step(packet, expected, 'forward', 'known' if number else 'chosen', 'web', 'web-1', f.client)
    for packet, expected in reversed(back):
        t.step(packet, expected, 'reply', 'endpoint', 'web', 'web-1', f.client)


@case('fragments-out-of-order-ports', BOTH)
def out_of_order_ports(t, f: Family):
    """With single ports too, for both belong to one service. An answer's later fragment may come from another port of the
    container, so that it needs its first."""
    t.configure(f.service(['5000/udp->5353', '5001/udp']))
    front, to = end(f), f.web(1, 5353)
    into = list(zip(asked(f)(front), asked(f)(to), strict=True))
    for number, (packet, expected) in enumerate(reversed(into)):
        t.step(packet, expected, 'forward', 'known' if number else 'chosen', 'web', 'web-1', f.client)
    (first, expected), *_, (last, last_expected) = zip(answered(f)(to), answered(f)(front), strict=True)
    t.step(last, None, 'drop', 'fragment', source=f.client)
    t.step(first, expected, 'reply', 'endpoint', 'web', 'web-1', f.client)
    t.step(last, last_expected, 'reply', 'fragment', 'web', 'web-1', f.client)


@case('fragments-out-of-order-services', BOTH)
def out_of_order_services(t, f: Family):
    """Several services on the address: what overtakes its first fragment is dropped, what follows it is not. Of another
    protocol there is one service only."""
    t.configure(f.service(['5000/udp->5353', '80/tcp->8080']), mail(f))
    front, to = end(f), f.web(1, 5353)
    (first, expected), (middle, middle_expected), (last, _), *_ = zip(asked(f)(front), asked(f)(to), strict=True)
    t.drop(last, 'fragment')
    t.step(first, expected, 'forward', 'chosen', 'web', 'web-1', f.client)
    t.step(middle, middle_expected, 'forward', 'fragment', 'web', 'web-1', f.client)
    segments = [pieces(f, f.tcp_to(to, content(f), flags='PA', seq=2, ack=10), ident=7) for to in (f.http, f.web(1))]
    t.step(segments[0][-1], segments[1][-1], 'forward', 'known', 'web', 'web-1', f.client)


@case('fragments-port-before-all', BOTH)
def port_before_all(t, f: Family):
    """Beside a service with every port: another protocol's fragments can only be that one's."""
    rest = Service('rest', [f.public], 'all', [Container('rest-1', **{f.address_field: f.containers[1]})])
    t.configure(f.service(['5000/udp']), rest)
    rest_end, rest1 = End('rest', f.public, 6000), End('rest-1', f.containers[1], 6000)
    *_, last = asked(f, ident=1)(rest_end)
    t.drop(last, 'fragment')
    t.forward_pieces(asked(f, ident=1), 'chosen', front=rest_end, to=rest1)
    t.forward_pieces(asked(f, ident=2), 'chosen', front=end(f), to=f.web(1, 5000))
    segments = [pieces(f, f.tcp_to(to, content(f), flags='PA', seq=2, ack=10), ident=7) for to in (rest_end, rest1)]
    t.step(segments[0][-1], segments[1][-1], 'forward', 'known', 'rest', 'rest-1', f.client)


@case('fragments-echo', BOTH, kernel=True)
def echo(t, f: Family):
    """Large pings, with `ports: all`: ICMPv6's checksum covers the addresses, ICMP's does not."""
    t.configure(f.service('all'))
    request = ICMP(id=7, seq=1) if f.version == 4 else ICMPv6EchoRequest(id=7, seq=1)
    reply = ICMP(type=0, id=7, seq=1) if f.version == 4 else ICMPv6EchoReply(id=7, seq=1)
    t.forward_pieces(lambda to: pieces(f, f.ip(f.client, to.address) / request / Raw(content(f))), 'chosen')
    t.reply_pieces(lambda of: pieces(f, f.ip(of.address, f.client) / reply / Raw(content(f))))


@case('fragments-other-protocols', BOTH)
def other_protocols(t, f: Family):
    """UDP-Lite, GRE, ESP and SCTP with `ports: all`: UDP-Lite's checksum changes in the first fragment, nothing else does."""
    t.configure(f.service('all'))
    gre, esp, sctp = bytes(GRE(proto=0x0800)), bytes([1, 2, 3, 4, 0, 0, 0, 7]), bytes(SCTP(sport=5000, dport=5001))
    packets = [lambda src, dst: udp_lite(f, src, dst, (40000, 5000), content(f), 0)]
    for protocol, header in ((47, gre), (50, esp), (132, sctp)):
        packets.append(lambda src, dst, protocol=protocol, header=header:
                       f.ip(src, dst, proto=protocol) / Raw(header + content(f)))
    for number, build in enumerate(packets):
        t.forward_pieces(lambda to: pieces(f, build(f.client, to.address)), 'known' if number else 'chosen')
        t.reply_pieces(lambda of: pieces(f, build(of.address, f.client)))


@case('fragments-behind-extensions-v6', (V6,))
def behind_extensions(t, f: Family):
    """A destination options header behind the fragment header: it is what a later fragment names as its next header, and not
    the protocol (RFC 8200 section 4.5)."""
    t.configure(f.service(['5000/udp->5353']), mail(f))
    options, rest = bytes([17, 0, 1, 4, 0, 0, 0, 0]), slice(PIECE[6] - 8, None)

    def build(to):
        whole = bytes(datagram(f, f.client, to.address, dport=to.port))[40:]
        first = f.ip(f.client, to.address) / IPv6ExtHdrFragment(id=5, m=1, nh=60) / Raw(options + whole[:PIECE[6] - 8])
        later = f.ip(f.client, to.address) / IPv6ExtHdrFragment(id=5, offset=PIECE[6] // 8, nh=60) / Raw(whole[rest])
        return [first, later]
    t.forward_pieces(build, 'chosen', front=end(f), to=f.web(1, 5353))


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
