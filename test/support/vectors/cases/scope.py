from choice import choose, source_of
from config import KEY, Service
from packets import V4, V6, End, Family
from transcript import case

BOTH = (V4, V6)
NEIGHBOURHOODS = {'prefix4': 24, 'prefix6': 64}


def telephony(f, scope):
    """Signalling over either protocol and media on any port, by the same containers under two names. The lists are in
    another order and weighted otherwise, so that the two would choose differently."""
    sip = f.service(['5060/any'], containers=3, name='sip', affinity=scope)
    rtp = Service('rtp', [f.public], 'all', [f.container(3, weight=5), f.container(1), f.container(2)], affinity=scope)
    return sip, rtp


def client_of(f, sip, rtp):
    """The first client for which the two services would choose differently."""
    clients = (f'192.0.{2 + n}.33' if f.version == 4 else f'2001:db8:{2 + n:x}::33' for n in range(200))
    return next(c for c in clients if choose(sip, c, KEY) != choose(rtp, c, KEY))


def visit(t, f, sip, rtp, client, container, source, first='chosen'):
    """Signalling over TCP and UDP, then media, with the answers."""
    at = End(container, f.containers[int(container[-1]) - 1], 5060)
    signalling = dict(front=End('sip', f.public, 5060), to=at, source=source)
    media = dict(front=End('rtp', f.public, 16384), to=End(container, at.address, 16384), source=source)
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1, client=client), first, **signalling)
    t.forward(lambda to: f.udp_to(to, b'INVITE', client=client), **signalling)
    t.forward(lambda to: f.udp_to(to, b'voice', client=client, port=40002), **media)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2, client=client), 'flow', **signalling)
    t.reply(lambda of: f.udp_from(of, b'OK', client=client), 'flow', **signalling)
    t.reply(lambda of: f.udp_from(of, b'voice', client=client, port=40002), **media)


@case('scope-address-ports', BOTH)
def ports(t, f: Family):
    """With scope address a client keeps one container over every protocol and port of an address, whichever it used
    first."""
    sip, rtp = telephony(f, {'scope': 'address'})
    t.configure(sip, rtp)
    client = client_of(f, sip, rtp)
    visit(t, f, sip, rtp, client, choose(sip, client, KEY), client)


@case('scope-address-prefix', BOTH)
def address_prefix(t, f: Family):
    """The same for all clients of a prefix: a neighbour is known where the first one was."""
    sip, rtp = telephony(f, {'scope': 'address', **NEIGHBOURHOODS})
    t.configure(sip, rtp)
    client = client_of(f, sip, rtp)
    container = choose(sip, client, KEY)
    visit(t, f, sip, rtp, client, container, source_of(sip, client))
    neighbour = client[:-2] + '34'
    visit(t, f, sip, rtp, neighbour, container, source_of(sip, client), first='known')


@case('scope-group-prefix', BOTH)
def group_prefix(t, f: Family):
    """A group over two addresses, by prefix: what a neighbour began at one address goes on at the other."""
    scope = {'scope': 'group', 'group': 'telephony', **NEIGHBOURHOODS}
    sip, rtp = telephony(f, scope)
    elsewhere = Service('rtp', [f.public2], 'all', rtp.containers, affinity=scope)
    t.configure(sip, elsewhere)
    client = client_of(f, sip, elsewhere)
    name = choose(sip, client, KEY)
    address = f.containers[int(name[-1]) - 1]
    source = source_of(sip, client)
    t.forward(lambda to: f.udp_to(to, b'INVITE', client=client), 'chosen', front=End('sip', f.public, 5060),
              to=End(name, address, 5060), source=source)
    t.forward(lambda to: f.udp_to(to, b'voice', client=client[:-2] + '34'), front=End('rtp', f.public2, 16384),
              to=End(name, address, 16384), source=source)


@case('scope-both-families', (V4,))
def both_families(t, f: Family):
    """One service, both families: entries and prefixes are each family's own."""
    containers = [V4.container(n, address6=V6.containers[n - 1]) for n in (1, 2, 3)]
    service = Service('web', [V4.public, V6.public], ['80/tcp->8080'], containers,
                      affinity={'prefix4': 24, 'prefix6': 64})
    t.configure(service)
    for family in BOTH:
        for client, reason in ((family.client, 'chosen'), (family.neighbour, 'known')):
            number = int(choose(service, family.client, KEY)[-1])
            t.forward(lambda to: family.tcp_to(to, flags='S', seq=1, client=client), reason, front=family.http,
                      to=family.web(number), source=source_of(service, family.client))
