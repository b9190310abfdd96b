from cases.quoted import error
from config import Container, Service
from packets import V4, V6, End, Family
from transcript import case

BOTH = (V4, V6)


@case('services-one-address', BOTH)
def one_address(t, f: Family):
    """Several services on one address: the port tells them apart, each has its own containers and its own entries."""
    mail = Service('mail', [f.public], ['25/tcp', '587/tcp->25'], [Container('mail-1', **{f.address_field: f.containers[2]})])
    t.configure(f.service(), mail)
    smtp, submission = End('mail', f.public, 25), End('mail', f.public, 587)
    mail1 = End('mail-1', f.containers[2], 25)
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=2, port=40001), 'chosen', front=smtp, to=mail1)
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=3, port=40002), 'known', front=submission, to=mail1)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2))
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=3, port=40001), 'flow', front=smtp, to=mail1)


@case('services-both-families', (V4,))
def both_families(t, f: Family):
    """One service with an IPv4 and an IPv6 address: each family's clients go to the containers' address of that family."""
    t.configure(V4.service(containers=[Container('web-1', V4.containers[0], V6.containers[0])],
                           addresses=[V4.public, V6.public]))
    for family in BOTH:
        at = dict(front=family.http, to=family.web(1), source=family.client)
        t.forward(lambda to: family.tcp_to(to, flags='S', seq=1), 'chosen', **at)
        t.reply(lambda of: family.tcp_from(of, flags='SA', seq=9, ack=2), **at)


@case('services-family-without-container', (V6,))
def family_without_container(t, f: Family):
    """A container without an address of the client's family cannot take it."""
    t.configure(f.service(containers=[Container('web-1', V4.containers[0])], addresses=[V4.public, f.public], empty='drop'))
    t.drop(f.tcp_to(f.http, flags='S', seq=1), 'no-container', 'web')
    t.forward(lambda to: V4.tcp_to(to, flags='S', seq=1), 'chosen', front=V4.http, to=V4.web(1), source=V4.client)


@case('services-container-port', BOTH, kernel=True)
def container_port(t, f: Family):
    """A container with its own port, other than the rule's."""
    t.configure(f.service(containers=[f.container(1, port=9090)]))
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen', to=f.web(1, 9090))
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2), to=f.web(1, 9090))
    t.passes(f.tcp_from(f.web(1, 8080), flags='A'), 'not-ours')


@case('services-shared-endpoint', BOTH, kernel=True)
def shared_endpoint(t, f: Family):
    """Two public ports lead to one container port, and one client uses both at once: each answer returns from the
    port that its own connection asked."""
    t.configure(f.service(['80/tcp->8080', '81/tcp->8080']))
    fronts = [(End('web', f.public, 80), 40000), (End('web', f.public, 81), 40001)]
    for front, port in fronts:
        t.forward(lambda to: f.tcp_to(to, flags='S', seq=port, port=port), 'known' if port > 40000 else 'chosen', front=front)
    for front, port in reversed(fronts):
        t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=port + 1, port=port), 'flow', front=front)
    for front, port in fronts:
        t.forward(lambda to: f.tcp_to(to, b'hi', flags='PA', seq=port + 1, ack=10, port=port), front=front)
        t.reply(lambda of: f.tcp_from(of, b'ho', flags='PA', seq=10, ack=port + 3, port=port), 'flow', front=front)


@case('services-shared-by-addresses', BOTH, kernel=True)
def shared_by_addresses(t, f: Family):
    """Two public addresses of one family lead to the same endpoint: each answer returns from the one that was asked."""
    t.configure(f.service(addresses=[f.public, f.public2]))
    fronts = [(End('web', f.public, 80), 40000), (End('web', f.public2, 80), 40001)]
    for front, port in fronts:
        t.forward(lambda to: f.tcp_to(to, flags='S', seq=port, port=port), 'known' if port > 40000 else 'chosen', front=front)
    for front, port in reversed(fronts):
        t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=port + 1, port=port), 'flow', front=front)


@case('services-shared-by-services', BOTH)
def shared_by_services(t, f: Family):
    """Two services share a container's port: the answer belongs to the service that was asked."""
    shop = Service('shop', [f.public2], ['80/tcp->8080'], [f.container(1)])
    t.configure(f.service(), shop)
    shop_http = End('shop', f.public2, 80)
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1, port=40001), 'chosen', front=shop_http)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2, port=40001), 'flow', front=shop_http)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2), 'flow')


@case('services-unknown-flow', BOTH)
def unknown_flow(t, f: Family):
    """A known client, but no request ever used this flow: which public end its answer belongs to cannot be told."""
    t.configure(f.service(['80/tcp->8080', '81/tcp->8080']))
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    packet = f.tcp_from(f.web(1), flags='A', port=40009)
    t.step(packet, None, 'drop', 'unknown-flow', source=f.client)


@case('services-shared-known-once', BOTH)
def known_once(t, f: Family):
    """Two services share a container's port, and the client is known to one of them alone: whatever its flow, an answer is
    from there, and so is an error about a request. One that both know may have meant either."""
    shop = Service('shop', [f.public2], ['80/tcp->8080'], [f.container(1)])
    t.configure(f.service(), shop)
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    t.reply(lambda of: f.tcp_from(of, b'ho', flags='PA', seq=9, ack=2, port=40009))
    t.reply(lambda of: error(f, of.address, f.client, f.tcp_to(of, flags='S', seq=1, port=40009)), 'quoted')
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1, port=40001), 'chosen', front=End('shop', f.public2, 80))
    packet = f.tcp_from(f.web(1), b'ho', flags='PA', seq=9, ack=2, port=40009)
    t.step(packet, None, 'drop', 'unknown-flow', source=f.client)


@case('services-flows-bounded', BOTH)
def flows_bounded(t, f: Family):
    """The flow table is bounded: with four places the fifth flow takes the first one's, whose answer can then no longer
    be placed."""
    t.configure(f.service(['80/tcp->8080', '81/tcp->8080']), table={'flows': 4})
    for number in range(5):
        t.forward(lambda to: f.tcp_to(to, flags='S', seq=1, port=40000 + number), 'known' if number else 'chosen')
    t.step(f.tcp_from(f.web(1), flags='SA', seq=9, ack=2), None, 'drop', 'unknown-flow', source=f.client)
    for number in range(1, 5):
        t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2, port=40000 + number), 'flow')


@case('services-port-before-all', BOTH)
def port_before_all(t, f: Family):
    """Beside a service with every port, a single port wins."""
    rest = Service('rest', [f.public], 'all', [Container('rest-1', **{f.address_field: f.containers[1]})])
    t.configure(rest, f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen')
    ssh = dict(front=End('rest', f.public, 22), to=End('rest-1', f.containers[1], 22))
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1, port=40001), 'chosen', **ssh)
    t.forward(lambda to: f.echo_request(to), 'known', **ssh)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2, port=40001), **ssh)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2))


@case('services-any-protocol', BOTH, kernel=True)
def any_protocol(t, f: Family):
    """53/any is TCP and UDP, each answered from where it was asked."""
    t.configure(f.service(['53/any->5353']))
    ends = dict(front=End('web', f.public, 53), to=f.web(1, 5353))
    t.forward(lambda to: f.udp_to(to, b'query'), 'chosen', **ends)
    t.reply(lambda of: f.udp_from(of, b'answer'), **ends)
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), **ends)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2), **ends)


@case('services-shared-echo', BOTH)
def shared_echo(t, f: Family):
    """Two addresses lead to one container with every port, and a client pings both at once: the identifier, which is
    each ping's own, tells which address an echo reply returns from."""
    t.configure(f.service('all', addresses=[f.public, f.public2]))
    pings = [(End('web', f.public), 7), (End('web', f.public2), 8)]
    for front, identifier in pings:
        t.forward(lambda to: ping(f.echo_request(to), identifier), 'known' if identifier > 7 else 'chosen', front=front)
    for front, identifier in pings:
        t.reply(lambda of: ping(f.echo_reply(of), identifier), 'flow', front=front)


def ping(packet, identifier):
    packet[1].id = identifier
    return packet


@case('services-shared-udp', BOTH, kernel=True)
def shared_udp(t, f: Family):
    """Two public ports lead to one container port over UDP."""
    t.configure(f.service(['53/udp->5353', '54/udp->5353']))
    to = f.web(1, 5353)
    fronts = [(End('web', f.public, 53), 40000), (End('web', f.public, 54), 40001)]
    for front, port in fronts:
        t.forward(lambda to: f.udp_to(to, b'query', port=port), 'known' if port > 40000 else 'chosen', front=front, to=to)
    for front, port in fronts:
        t.reply(lambda of: f.udp_from(of, b'answer', port=port), 'flow', front=front, to=to)
