from packets import V4, V6, End, Family
from scapy.all import ICMP, ICMPv6ND_RS
from scapy.layers.inet import IPOption_EOL, IPOption_NOP
from transcript import case

BOTH = (V4, V6)


def answered(f, payload, ip={}, tos=0):
    """What the public address itself sends back for an echo request."""
    own = {'id': 0, 'flags': 'DF'} if f.version == 4 else {}
    return f.echo_reply(f.http, payload, ip={**own, 'tos': tos, 'ttl': 64, **ip})


@case('echo-answered', BOTH)
def echo_answered(t, f: Family):
    """Echo to a public address with single ports is answered for it: the same identifier, number and data
    (RFC 1122 section 3.2.2.6, RFC 4443 section 4.2), even and odd lengths."""
    t.configure(f.service())
    for payload in (b'', b'odd', b'\xff' * 56, bytes(range(256)) * 4):
        t.answer(f.echo_request(f.http, payload), answered(f, payload), 'echo')


@case('echo-answered-traffic-class', BOTH)
def echo_traffic_class(t, f: Family):
    """The reply has the request's precedence and type of service (RFC 1812 section 4.3.2.5); the kernel copies the
    whole byte, IPv6's traffic class too."""
    t.configure(f.service())
    for tos in (0xB8, 0xBB):
        t.answer(f.echo_request(f.http, ip={'tos': tos}), answered(f, b'ping', tos=tos), 'echo')


@case('echo-answered-options-v4', (V4,))
def echo_options(t, f: Family):
    """A request with IPv4 options is answered without them."""
    t.configure(f.service())
    request = f.echo_request(f.http, ip={'options': [IPOption_NOP()] * 3 + [IPOption_EOL()]})
    t.answer(request, answered(f, b'ping'), 'echo')


@case('echo-forwarded', BOTH, kernel=True)
def echo_forwarded(t, f: Family):
    """With `ports: all` the container answers echo itself. ICMP's checksum does not cover the addresses, ICMPv6's
    does (RFC 4443 section 2.3)."""
    t.configure(f.service('all'))
    for number, payload in enumerate((b'', b'odd', bytes(range(256)))):
        t.forward(lambda to: f.echo_request(to, payload), 'known' if number else 'chosen')
        t.reply(lambda of: f.echo_reply(of, payload))


@case('echo-reply-of-container', BOTH)
def echo_reply_of_container(t, f: Family):
    """A container of single ports that is asked by its own address answers from it, also to a client that is known."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    t.passes(f.echo_request(f.web(1)), 'not-ours')
    t.passes(f.echo_reply(f.web(1)), 'not-ours')


@case('icmp-other', BOTH)
def other(t, f: Family):
    """ICMP to a public address that is neither echo nor an error is dropped; never answered with an error."""
    t.configure(f.service())
    message = ICMP(type=13, id=1, ts_ori=1, ts_rx=0, ts_tx=0) if f.version == 4 else ICMPv6ND_RS()
    t.drop(f.ip(f.client, f.public) / message, 'unsupported')
    t.drop(f.echo_reply(End('web', f.client), client=f.public), 'unsupported')
