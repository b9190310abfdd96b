from packets import V4, V6, End, Family
from scapy.all import UDP, IPv6ExtHdrDestOpt, raw
from sums import replaced
from transcript import case

BOTH = (V4, V6)
PORTS = ['53/udp->5353']


def dns(f):
    return dict(front=End('web', f.public, 53), to=f.web(1, port=5353))


@case('udp-exchange', BOTH, kernel=True)
def exchange(t, f: Family):
    """Datagrams through a port map and their answers (RFC 768)."""
    t.configure(f.service(PORTS))
    t.forward(lambda to: f.udp_to(to, b'query 1'), 'chosen', **dns(f))
    t.reply(lambda of: f.udp_from(of, b'answer 1'), **dns(f))
    t.forward(lambda to: f.udp_to(to, b'query 2'), **dns(f))
    t.reply(lambda of: f.udp_from(of, b'answer 2'), **dns(f))


@case('udp-other-client-port', BOTH, kernel=True)
def other_client_port(t, f: Family):
    """The source is the address alone: a client that changes its port (QUIC, a new resolver query) stays known."""
    t.configure(f.service(PORTS))
    t.forward(lambda to: f.udp_to(to, b'a', port=40000), 'chosen', **dns(f))
    t.forward(lambda to: f.udp_to(to, b'b', port=40001), **dns(f))
    t.reply(lambda of: f.udp_from(of, b'B', port=40001), **dns(f))
    t.reply(lambda of: f.udp_from(of, b'A', port=40000), **dns(f))


@case('udp-same-port', BOTH, kernel=True)
def same_port(t, f: Family):
    """Without a port map the port stays what it is."""
    t.configure(f.service(['53/udp']))
    ends = dns(f) | {'to': f.web(1, port=53)}
    t.forward(lambda to: f.udp_to(to, b'query'), 'chosen', **ends)
    t.reply(lambda of: f.udp_from(of, b'answer'), **ends)


@case('udp-odd-payload', BOTH, kernel=True)
def odd_payload(t, f: Family):
    """Odd and empty payloads, in both directions."""
    t.configure(f.service(PORTS))
    for number, payload in enumerate((b'', b'\xff', b'\x00\x00\x01', bytes(range(255)))):
        t.forward(lambda to: f.udp_to(to, payload), 'known' if number else 'chosen', **dns(f))
        t.reply(lambda of: f.udp_from(of, payload), **dns(f))


@case('udp-no-checksum-v4', (V4,), kernel=True)
def no_checksum(t, f: Family):
    """Zero says that the sender computed no checksum (RFC 768): over IPv4 it stays zero, both ways."""
    t.configure(f.service(PORTS))
    t.forward(lambda to: f.udp_to(to, b'query', chksum=0), 'chosen', **dns(f))
    t.reply(lambda of: f.udp_from(of, b'answer', chksum=0), **dns(f))


@case('udp-no-checksum-v6', (V6,))
def no_checksum_v6(t, f: Family):
    """Over IPv6 no receiver takes a datagram without a checksum (RFC 8200 section 8.1): dropped under a reason of its
    own, in both directions, with `ports: all` and behind extension headers too. What is not ours passes."""
    t.configure(f.service(PORTS), f.service('all', name='every', addresses=[f.public2], containers=[f.container(2)]))
    t.forward(lambda to: f.udp_to(to, b'query'), 'chosen', **dns(f))
    for address in (f.public, f.public2):
        for port in (53, 54):
            t.drop(f.udp_to(End('web', address, port), b'query', chksum=0), 'no-checksum')
    t.drop(f.ip(f.client, f.public) / IPv6ExtHdrDestOpt() / UDP(dport=53, chksum=0), 'no-checksum')
    answer = f.udp_from(f.web(1, port=5353), b'answer', chksum=0)
    t.step(answer, None, 'drop', 'no-checksum', source=f.client)
    t.passes(f.udp_from(f.web(1, port=5354), b'own', chksum=0), 'not-ours')
    t.passes(f.udp_from(f.web(1, port=5353), b'own', client=f.stranger, chksum=0), 'unknown-client')


@case('udp-computed-zero-request', BOTH, kernel=True)
def computed_zero_request(t, f: Family):
    """The request's new checksum works out as zero, which would say "none": it leaves as ffff (RFC 768)."""
    t.configure(f.service(PORTS))
    ends = dns(f)
    payload = payload_for_zero(lambda payload: f.udp_to(ends['to'], payload))
    t.forward(lambda to: f.udp_to(to, payload), 'chosen', **ends)


@case('udp-computed-zero-reply', BOTH, kernel=True)
def computed_zero_reply(t, f: Family):
    """The same for an answer on its way to the client."""
    t.configure(f.service(PORTS))
    ends = dns(f)
    payload = payload_for_zero(lambda payload: f.udp_from(ends['front'], payload))
    t.forward(lambda to: f.udp_to(to, b'query'), 'chosen', **ends)
    t.reply(lambda of: f.udp_from(of, payload), **ends)


@case('udp-arrives-as-ffff', BOTH, kernel=True)
def arrives_as_ffff(t, f: Family):
    """A computed zero that arrives as ffff is a checksum like any other, both ways."""
    t.configure(f.service(PORTS))
    ends = dns(f)
    request = payload_for_zero(lambda payload: f.udp_to(ends['front'], payload))
    answer = payload_for_zero(lambda payload: f.udp_from(ends['to'], payload))
    t.forward(lambda to: f.udp_to(to, request), 'chosen', **ends)
    t.reply(lambda of: f.udp_from(of, answer), **ends)


def payload_for_zero(build):
    """Two bytes with which the packet's checksum is zero: what it is without them, for it is the sum's complement."""
    payload = checksum_of(build(bytes(2))).to_bytes(2, 'big')
    assert checksum_of(build(payload)) == 0xFFFF, 'scapy writes a computed zero as RFC 768 says'
    return payload


def checksum_of(packet):
    return int.from_bytes(raw(packet[UDP])[6:8], 'big')


@case('udp-wrong-checksum', BOTH, kernel=True)
def wrong_checksum(t, f: Family):
    """Wrong in, equally wrong out (RFC 1624 equation 3, from the wrong input)."""
    t.configure(f.service(PORTS))
    for number, wrong in enumerate((0x0001, 0xABCD, 0xFFFF)):
        t.forward(lambda to: f.udp_to(to, b'damaged', chksum=translated(f, to, wrong)),
                  'known' if number else 'chosen', **dns(f))


@case('udp-wrong-checksum-to-zero', BOTH, kernel=True)
def wrong_to_zero(t, f: Family):
    """A wrong checksum whose update works out as zero leaves as ffff: zero would turn "wrong" into "unchecked"."""
    t.configure(f.service(PORTS))
    before, after = (ends_of(f, end) for end in dns(f).values())
    wrong = next(wrong for wrong in range(1, 0x10000) if replaced(wrong, before, after) == 0)
    t.forward(lambda to: f.udp_to(to, b'damaged', chksum=translated(f, to, wrong) or 0xFFFF), 'chosen', **dns(f))


def translated(f, to, wrong):
    front = dns(f)['front']
    return wrong if to == front else replaced(wrong, ends_of(f, front), ends_of(f, to))


def ends_of(f, to):
    """The bytes that a rewrite changes: the address and the port."""
    packet = f.udp_to(to)
    header = raw(packet)
    return (header[16:20] if f.version == 4 else header[24:40]) + raw(packet[UDP])[2:4]
