from cases.quoted import error
from config import Service
from packets import V4, V6, End, Family
from transcript import case

BOTH = (V4, V6)


def direct(t, f, packet):
    """What a container answers to a client of its own address leaves as it is."""
    t.step(packet, packet, 'pass', 'unknown-flow', source=packet.src)


@case('replies-flow', BOTH)
def by_flow(t, f: Family):
    """A client uses the public address and the container's own address at the same time. Where flows are remembered,
    only the answer to the flow that came through the public address returns from there."""
    t.configure(f.service(replies='flow'))
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    direct(t, f, f.tcp_from(f.web(1), flags='SA', seq=7, ack=8, port=40001))
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2), 'flow')
    t.forward(lambda to: f.tcp_to(to, b'hi', flags='PA', seq=2, ack=10))
    direct(t, f, f.tcp_from(f.web(1), b'ho', flags='PA', seq=8, ack=8, port=40001))
    t.reply(lambda of: f.tcp_from(of, b'ho', flags='PA', seq=10, ack=4), 'flow')


@case('replies-endpoint', BOTH)
def by_endpoint(t, f: Family):
    """By default the client alone decides: then the answer to its own connection returns from the public address too."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=7, ack=8, port=40001))


@case('replies-flow-udp', BOTH)
def udp(t, f: Family):
    """Each of a client's ports is a flow of its own; another client's answer is nobody's."""
    t.configure(f.service(['53/any->5353'], replies='flow'))
    ends = dict(front=End('web', f.public, 53), to=f.web(1, 5353))
    t.forward(lambda to: f.udp_to(to, b'query'), 'chosen', **ends)
    direct(t, f, f.udp_from(ends['to'], b'answer', port=40001))
    t.reply(lambda of: f.udp_from(of, b'answer'), 'flow', **ends)
    direct(t, f, f.tcp_from(ends['to'], flags='SA'))
    t.passes(f.udp_from(ends['to'], b'answer', client=f.stranger), 'unknown-client')


def with_identifier(packet, identifier):
    packet[1].id = identifier
    return packet


@case('replies-flow-echo', BOTH)
def echo(t, f: Family):
    """The identifier tells the echo requests of two programs apart: one pings the public address, one the container."""
    t.configure(f.service('all', replies='flow'))
    t.forward(lambda to: with_identifier(f.echo_request(to), 7), 'chosen')
    direct(t, f, with_identifier(f.echo_reply(f.web(1)), 8))
    t.reply(lambda of: with_identifier(f.echo_reply(of), 7), 'flow')


@case('replies-flow-bounded', BOTH)
def bounded(t, f: Family):
    """With four places the fifth flow takes the first one's, whose answer then passes unchanged; the client's next packet
    brings it back."""
    t.configure(f.service(replies='flow'), table={'flows': 4})
    for number in range(5):
        t.forward(lambda to: f.tcp_to(to, flags='S', seq=1, port=40000 + number), 'known' if number else 'chosen')
    direct(t, f, f.tcp_from(f.web(1), flags='SA', seq=9, ack=2))
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1))
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2), 'flow')


@case('replies-mixed', BOTH)
def mixed(t, f: Family):
    """Two services on one endpoint, and only one wants every flow seen. A client of that one alone may use the
    container's own address besides; a client of the other, whose flow is not known, could have meant either."""
    shop = Service('shop', [f.public2], ['80/tcp->8080'], [f.container(1)], replies='flow')
    t.configure(f.service(), shop)
    shop_http = End('shop', f.public2, 80)
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen', front=shop_http)
    direct(t, f, f.tcp_from(f.web(1), flags='SA', seq=7, ack=8, port=40001))
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2), 'flow', front=shop_http)
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1, port=40002), 'chosen')
    t.step(f.tcp_from(f.web(1), flags='SA', seq=7, ack=8, port=40001), None, 'drop', 'unknown-flow', source=f.client)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2, port=40002), 'flow')


@case('replies-flow-quoted', BOTH)
def quoted(t, f: Family):
    """An error about a request is for the public address's client only where its flow came through that; one about a
    packet to the container's own address leaves as it is."""
    t.configure(f.service(replies='flow'))
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    t.reply(lambda of: error(f, of.address, f.client, f.tcp_to(of, flags='S', seq=1)), 'quoted')
    direct(t, f, error(f, f.web(1).address, f.client, f.tcp_to(f.web(1), flags='S', seq=1, port=40001)))
