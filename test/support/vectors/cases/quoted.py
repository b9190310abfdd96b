from packets import V4, V6, End, Family
from scapy.all import ICMP, ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6ParamProblem, ICMPv6TimeExceeded, Raw, raw
from transcript import case

BOTH = (V4, V6)

PORT, TOO_BIG, TIME, PARAMETER = 'port', 'too-big', 'time', 'parameter'
KINDS = (PORT, TOO_BIG, TIME, PARAMETER)
HEADER = {4: 20, 6: 40}


def header_of(f, kind):
    if f.version == 4:
        return {PORT: ICMP(type=3, code=3), TOO_BIG: ICMP(type=3, code=4, nexthopmtu=1400),
                TIME: ICMP(type=11, code=0), PARAMETER: ICMP(type=12, code=0, ptr=8)}[kind]
    return {PORT: ICMPv6DestUnreach(code=4), TOO_BIG: ICMPv6PacketTooBig(mtu=1400),
            TIME: ICMPv6TimeExceeded(code=0), PARAMETER: ICMPv6ParamProblem(code=1, ptr=6)}[kind]


def error(f, src, dst, quote, kind=PORT, cut=None):
    return f.ip(src, dst) / header_of(f, kind) / Raw(raw(quote)[:cut])


def router(f):
    """A router behind the containers' side."""
    return f.containers[2]


def from_there(f, end, quote, *details, client=None):
    """An error from behind the containers: in front of onehop from a router, behind it from the public address."""
    source = end.address if end.name == 'web' else router(f)
    return error(f, source, client or f.client, quote, *details)


@case('quoted-answer', BOTH, kernel=True)
def answer(t, f: Family):
    """Errors about an answer, from the client and from a router on the path, of every kind: the container gets them with
    the packet it sent itself, its own address and port, every checksum right."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=7, ack=2))
    for kind in KINDS:
        for source in (f.client, f.stranger):
            for payload in (b'', b'odd', bytes(range(200))):
                t.forward(lambda to: error(f, source, to.address,
                                           f.tcp_from(to, payload, flags='A', seq=8, ack=2), kind), 'quoted')


@case('quoted-answer-cut', BOTH, kernel=True)
def answer_cut(t, f: Family):
    """A quote cut down to the 8 bytes of TCP that RFC 792 asks for ends in front of its checksum."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=7, ack=2))
    for more in (8, 12, 16, 20, 21):
        t.forward(lambda to: error(f, f.stranger, to.address, f.tcp_from(to, b'abc', flags='A', seq=8, ack=2), TOO_BIG,
                                   HEADER[f.version] + more), 'quoted')


@case('quoted-answer-udp', BOTH, kernel=True)
def answer_udp(t, f: Family):
    """The same of a datagram."""
    dns, to = End('web', f.public, 53), f.web(1, 5353)
    t.configure(f.service(['53/udp->5353']))
    t.forward(lambda to: f.udp_to(to, b'question'), 'chosen', dns, to)
    t.reply(lambda of: f.udp_from(of, b'answer'), front=dns, to=to)
    for cut in (None, HEADER[f.version] + 8):
        t.forward(lambda to: error(f, f.client, to.address, f.udp_from(to, b'answer'), PORT, cut), 'quoted', dns, to)


@case('quoted-answer-no-checksum-v4', (V4,), kernel=True)
def answer_no_checksum(t, f: Family):
    """A quoted datagram without checksum stays without."""
    dns, to = End('web', f.public, 53), f.web(1, 5353)
    t.configure(f.service(['53/udp->5353']))
    t.forward(lambda to: f.udp_to(to, b'question'), 'chosen', dns, to)
    t.reply(lambda of: f.udp_from(of, b'answer', chksum=0), front=dns, to=to)
    t.forward(lambda to: error(f, f.client, to.address, f.udp_from(to, b'answer', chksum=0)), 'quoted', dns, to)


@case('quoted-answer-wrong-checksum', BOTH)
def answer_wrong(t, f: Family):
    """An error whose own checksum is wrong leaves as wrong as it came: by the same difference."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')

    def wrong(to):
        packet = bytearray(raw(error(f, f.stranger, to.address, f.tcp_from(to, flags='A', seq=8, ack=2))))
        at = HEADER[f.version] + 2
        total = int.from_bytes(packet[at:at + 2], 'big') + 0x0101
        packet[at:at + 2] = ((total & 0xFFFF) + (total >> 16)).to_bytes(2, 'big')
        return bytes(packet)
    t.forward(wrong, 'quoted')


@case('quoted-request', BOTH, kernel=True)
def request(t, f: Family):
    """Errors about a request, from the container itself or a router behind its side: the client gets them from the
    public address, with the packet it sent itself."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    for kind in KINDS:
        for payload in (b'', b'odd', bytes(range(200))):
            t.reply(lambda of: from_there(f, of, f.tcp_to(of, payload, flags='A', seq=2, ack=8), kind), 'quoted')
            t.reply(lambda of: error(f, of.address, f.client, f.tcp_to(of, payload, flags='A', seq=2, ack=8), kind), 'quoted')


@case('quoted-request-cut', BOTH, kernel=True)
def request_cut(t, f: Family):
    """A quote cut down to 8 bytes of TCP."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    for more in (8, 12, 16, 20, 21):
        t.reply(lambda of: from_there(f, of, f.tcp_to(of, b'abc', flags='A', seq=2, ack=8), TIME,
                                      HEADER[f.version] + more), 'quoted')


@case('quoted-echo', BOTH, kernel=True)
def echo(t, f: Family):
    """Errors about echo, both ways, with `ports: all`: ICMPv6's quoted checksum covers the addresses, ICMP's does not."""
    t.configure(f.service('all'))
    t.forward(lambda to: f.echo_request(to), 'chosen')
    t.reply(lambda of: from_there(f, of, f.echo_request(of), TIME), 'quoted')
    t.reply(lambda of: f.echo_reply(of))
    t.forward(lambda to: error(f, f.stranger, to.address, f.echo_reply(to), TIME), 'quoted')


@case('quoted-proves-nothing', BOTH)
def proves_nothing(t, f: Family):
    """An error is for the container that its flow would go to, and nobody is remembered for it."""
    t.configure(f.service())
    t.forward(lambda to: error(f, f.stranger, to.address, f.tcp_from(to, flags='A', seq=8, ack=2)), 'quoted')
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')


@case('quoted-unrelated', BOTH)
def unrelated(t, f: Family):
    """Errors to a public address that are about no answer of a container: another port, another address, onehop's own echo
    reply, an error, too little of a packet. None is forwarded, none is answered."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    answer = f.tcp_from(f.http, flags='A', seq=8, ack=2)
    about_error = error(f, f.public, f.client, answer)
    for quote, cut in ((f.tcp_from(End('web', f.public, 81), flags='A'), None),
                       (f.tcp_from(End('web', f.public2, 80), flags='A'), None),
                       (f.echo_reply(f.http), None), (about_error, None), (answer, HEADER[f.version] + 7), (answer, 19),
                       (answer, 0), (b'\xff' * 64, None)):
        t.drop(error(f, f.stranger, f.public, quote, PORT, cut), 'unrelated')


@case('quoted-not-ours', BOTH)
def not_ours(t, f: Family):
    """Errors from the containers' side about what no client of the public address sent leave as they came."""
    t.configure(f.service())
    t.passes(error(f, f.web(1).address, f.client, f.tcp_to(f.web(1), flags='S')), 'unknown-client')
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    t.passes(error(f, f.web(1).address, f.client, f.tcp_to(f.web(1, 9), flags='S')), 'not-ours')
    t.passes(error(f, f.web(1).address, f.stranger, f.tcp_to(f.web(1), flags='S')), 'not-ours')
    t.passes(error(f, f.web(1).address, f.client, f.tcp_to(f.web(1), flags='S'), PORT, HEADER[f.version] + 7), 'not-ours')
    t.passes(error(f, f.web(1).address, f.client, f.echo_request(f.web(1))), 'not-ours')


@case('quoted-no-container', BOTH)
def no_container(t, f: Family):
    """An error about an answer, when no container is left: nobody is told."""
    t.configure(f.service(containers=0))
    t.drop(error(f, f.stranger, f.public, f.tcp_from(f.http, flags='A')), 'no-container', 'web')


@case('quoted-later-fragment-v4', (V4,))
def later_fragment(t, f: Family):
    """A quoted later fragment has no port: with single ports nobody knows whose it was."""
    t.configure(f.service())
    t.drop(error(f, f.stranger, f.public, f.ip(f.public, f.client, frag=185, proto=17) / Raw(bytes(16))), 'fragment')


@case('quoted-later-fragment-all-v4', (V4,))
def later_fragment_all(t, f: Family):
    """With `ports: all` the address of a quoted later fragment is enough."""
    t.configure(f.service('all'))
    t.forward(lambda to: error(f, f.stranger, to.address, f.ip(to.address, f.client, frag=185, proto=17) / Raw(bytes(16)),
                               TIME), 'quoted')


@case('quoted-short-packet', BOTH, kernel=True)
def short_packet(t, f: Family):
    """A packet with less than 8 bytes behind its IP header is quoted with those it had."""
    t.configure(f.service('all'))

    def packet(src, dst, payload):
        return f.ip(src, dst, proto=253) / Raw(payload)
    t.forward(lambda to: packet(f.client, to.address, b'first'), 'chosen')
    t.reply(lambda of: packet(of.address, f.client, b'answer'))
    for payload in (b'', b'x', b'seven b'):
        t.reply(lambda of: error(f, of.address, f.client, packet(f.client, of.address, payload), TIME), 'quoted')
        t.forward(lambda to: error(f, f.stranger, to.address, packet(to.address, f.client, payload), TIME), 'quoted')
