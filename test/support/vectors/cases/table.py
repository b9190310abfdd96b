from ipaddress import ip_address

from choice import choose, hashed_form, siphash, source_of
from config import KEY, Container, Service
from packets import V4, V6, End, Family
from transcript import case

BOTH = (V4, V6)


def clients(f, count, step=1):
    """Made-up clients, each in a /24 or /64 of its own when `step` is that wide."""
    first = ip_address('198.18.0.0' if f.version == 4 else '2001:db8:1000::')
    return [str(first + step * number + 1) for number in range(count)]


def syn(f, client, seq=1000):
    return lambda to: f.tcp_to(to, flags='S', seq=seq, client=client)


def chosen(f, service, client):
    """Where an unknown client goes, by choice.py."""
    return f.web(int(choose(service, client, KEY).removeprefix('web-')))


def spread(t, f, service, count=24):
    t.configure(service)
    counts = {}
    for client in clients(f, count, 251):
        to = chosen(f, service, client)
        counts[to.name] = counts.get(to.name, 0) + 1
        t.forward(syn(f, client), 'chosen', to=to, source=client)
        t.forward(syn(f, client), 'known', to=to, source=client)
    return counts


@case('choice-three-containers', BOTH)
def three(t, f: Family):
    """Unknown sources are spread by Maglev over a keyed hash of the source (choice.py, written from the papers), and
    then known."""
    assert len(spread(t, f, f.service(containers=3))) == 3


@case('choice-weights', BOTH)
def weights(t, f: Family):
    """Weights 1 and 5: one row for each five."""
    counts = spread(t, f, f.service(containers=[f.container(1), f.container(2, weight=5)]), 36)
    assert 2 <= counts['web-1'] <= 10, counts


@case('choice-order-of-list', BOTH)
def order(t, f: Family):
    """Names decide, not the list's order."""
    service = f.service(containers=[f.container(3), f.container(1), f.container(2)])
    spread(t, f, service)
    same = f.service(containers=3)
    assert all(choose(service, c, KEY) == choose(same, c, KEY) for c in clients(f, 24, 251))


@case('choice-weight-zero', BOTH)
def weight_zero(t, f: Family):
    """Weight 0 takes no new sources."""
    counts = spread(t, f, f.service(containers=[f.container(1), f.container(2, weight=0), f.container(3)]))
    assert set(counts) == {'web-1', 'web-3'}


@case('choice-large-ring', BOTH)
def large_ring(t, f: Family):
    """Fifty containers take a larger ring, 16,381 rows."""
    t.configure(service := f.service(containers=[numbered(f, number) for number in range(50)]))
    for client in clients(f, 24, 251):
        name = choose(service, client, KEY)
        address = next(getattr(c, f.address_field) for c in service.containers if c.name == name)
        t.forward(syn(f, client), 'chosen', to=End(name, address, 8080), source=client)


def numbered(f, number):
    base = ip_address('10.77.1.0' if f.version == 4 else 'fd77::100')
    return Container(f'web-{number}', **{f.address_field: str(base + number)})


@case('choice-family-rings', (V4,))
def family_rings(t, f: Family):
    """Each family has a ring of its own, over the containers that have an address of it."""
    service = Service('web', [V4.public, V6.public], ['80/tcp->8080'],
                      [Container('web-1', V4.containers[0]), Container('web-2', V4.containers[1], V6.containers[1]),
                       Container('web-3', address6=V6.containers[2])])
    t.configure(service)
    for family in BOTH:
        for client in clients(family, 12, 251):
            t.forward(syn(family, client), 'chosen', front=family.http, to=chosen(family, service, client), source=client)


@case('affinity-prefix', BOTH)
def affinity(t, f: Family):
    """With an affinity of /24 and /64 neighbours share an entry, strangers do not; answers find it too."""
    prefix = {'prefix4': 24} if f.version == 4 else {'prefix6': 64}
    t.configure(service := f.service(containers=3, affinity=prefix))
    near, far = (source_of(service, client) for client in (f.client, f.stranger))
    to = chosen(f, service, f.client)
    t.forward(syn(f, f.client), 'chosen', to=to, source=near)
    t.forward(syn(f, f.neighbour), 'known', to=to, source=near)
    t.forward(syn(f, f.stranger), 'chosen', to=chosen(f, service, f.stranger), source=far)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=1001, client=f.neighbour), to=to, source=near)
    for client in clients(f, 12, 1 << (8 if f.version == 4 else 64)):
        t.forward(syn(f, client), 'chosen', to=chosen(f, service, client), source=source_of(service, client))


@case('affinity-odd-prefix', BOTH)
def odd_prefix(t, f: Family):
    """A prefix that ends within a byte."""
    prefix = {'prefix4': 29} if f.version == 4 else {'prefix6': 125}
    t.configure(service := f.service(containers=3, affinity=prefix))
    seen = set()
    for client in clients(f, 20):
        source = source_of(service, client)
        t.forward(syn(f, client), 'known' if source in seen else 'chosen', to=chosen(f, service, client), source=source)
        seen.add(source)


@case('passes-unknown-client', BOTH)
def unknown_client(t, f: Family):
    """What a container's endpoint sends to a client that never asked the public address: it was asked by its own
    address, and answers from it."""
    t.configure(f.service())
    t.passes(f.tcp_to(f.web(1), flags='S', seq=1), 'not-ours')
    t.passes(f.tcp_from(f.web(1), flags='SA', seq=9, ack=2), 'unknown-client')


@case('passes-other-container', BOTH)
def other_container(t, f: Family):
    """A client that went to one container is unknown to the others."""
    t.configure(service := f.service(containers=2))
    to = chosen(f, service, f.client)
    other = f.web(3 - int(to.name[-1]))
    t.forward(syn(f, f.client), 'chosen', to=to)
    t.passes(f.tcp_from(other, flags='SA', seq=9, ack=1001), 'unknown-client')
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=1001), to=to)


@case('passes-own-connections', BOTH)
def own_connections(t, f: Family):
    """Connections that containers open themselves, to the world and to each other, and what comes back for them, also
    from a client that is known."""
    t.configure(f.service(containers=2))
    own = f.web(1, port=50000)
    world = End('world', f.stranger, 443)
    t.passes(f.tcp_to(world, flags='S', seq=1, client=own.address, port=own.port), 'not-ours')
    t.passes(f.tcp_to(own, flags='SA', seq=9, ack=2, client=f.stranger, port=443), 'not-ours')
    t.passes(f.tcp_to(f.web(2), flags='S', seq=1, client=own.address, port=own.port), 'not-ours')
    t.passes(f.udp_to(world, b'query', client=own.address, port=own.port), 'not-ours')
    t.passes(f.echo_request(world, client=own.address), 'not-ours')
    t.passes(f.ip(f.stranger, f.client, proto=253), 'not-ours')


@case('passes-wrong-checksums', BOTH)
def passes_wrong_checksums(t, f: Family):
    """What is not ours leaves as it came, wrong sums and all."""
    t.configure(f.service())
    t.passes(f.udp_to(f.web(2), b'damaged', chksum=0x1234), 'not-ours')
    if f.version == 4:
        t.passes(f.udp_to(f.web(2), b'damaged', ip={'chksum': 0x1234}), 'not-ours')


@case('idle', BOTH)
def idle(t, f: Family):
    """A source not seen for longer than `idle` is unknown again; exactly as long is not longer. Requests and answers
    both count as seen once the source has proved itself; before, only its own packets do."""
    t.configure(f.service(affinity={'idle': '10s'}))
    ack = lambda to: f.tcp_to(to, flags='A', seq=1001, ack=10)
    t.forward(syn(f, f.client), 'chosen')
    t.later(10)
    t.forward(syn(f, f.client), 'known')
    t.later(11)
    t.passes(f.tcp_from(f.web(1), flags='SA', seq=9, ack=1001), 'unknown-client')
    t.forward(syn(f, f.client), 'chosen')
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=1001))
    t.forward(ack)
    t.later(8)
    t.reply(lambda of: f.tcp_from(of, b'late', flags='PA', seq=10, ack=1001))
    t.later(8)
    t.forward(ack)
    t.later(11)
    t.forward(ack, 'chosen')


@case('idle-of-candidate', BOTH)
def idle_of_candidate(t, f: Family):
    """An answer does not keep a source that has not proved itself: made-up sources are answered too."""
    t.configure(f.service(affinity={'idle': '10s'}))
    t.forward(syn(f, f.client), 'chosen')
    t.later(8)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=1001))
    t.later(3)
    t.forward(syn(f, f.client), 'chosen')


@case('idle-clock-steps-back', BOTH)
def clock_steps_back(t, f: Family):
    """A capture whose clock steps back: out-of-order times count as just seen."""
    t.configure(f.service(affinity={'idle': '10s'}))
    t.forward(syn(f, f.client), 'chosen')
    t.later(-3600)
    t.forward(syn(f, f.client), 'known')


PLACES = {'probation': 4}


def flood(t, f, service, count=4):
    """As many made-up sources as there are places on probation."""
    for client in clients(f, count, 251):
        t.forward(syn(f, client), 'chosen', to=chosen(f, service, client), source=client)


@case('proof-tcp', BOTH)
def proof_tcp(t, f: Family):
    """A client that acknowledges the container's random number has proved that it exists: a flood of made-up sources
    pushes out those on probation, and not this one."""
    t.configure(service := f.service(containers=2), table=PLACES)
    to = chosen(f, service, f.client)
    t.forward(syn(f, f.client), 'chosen', to=to)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=0xFFFFFFFF, ack=1001), to=to)
    t.forward(lambda to: f.tcp_to(to, flags='A', seq=1001, ack=0), 'known', to=to)
    flood(t, f, service)
    t.forward(lambda to: f.tcp_to(to, b'x', flags='PA', seq=1001, ack=0), 'known', to=to)
    t.reply(lambda of: f.tcp_from(of, flags='A', seq=0, ack=1002), to=to)


@case('proof-tcp-guess', BOTH)
def proof_guess(t, f: Family):
    """A guessed acknowledgment, a SYN again or a RST prove nothing: the flood pushes such a source out, and the
    container's late answer finds an unknown client."""
    t.configure(service := f.service(containers=2), table=PLACES)
    to = chosen(f, service, f.client)
    t.forward(syn(f, f.client), 'chosen', to=to)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=5000, ack=1001), to=to)
    for flags, ack in (('A', 5000), ('A', 5001 + 0x10000), ('SA', 5001), ('RA', 5001), ('S', 0)):
        t.forward(lambda to: f.tcp_to(to, flags=flags, seq=1001, ack=ack), 'known', to=to)
    flood(t, f, service)
    t.passes(f.tcp_from(to, flags='SA', seq=5000, ack=1001), 'unknown-client')
    t.forward(lambda to: f.tcp_to(to, flags='A', seq=1001, ack=5001), 'chosen', to=to)


@case('proof-tcp-last-of-window', BOTH)
def proof_window(t, f: Family):
    """An acknowledgment of up to 65,535 bytes beyond the answer is believed: data may have followed it."""
    t.configure(service := f.service(containers=2), table=PLACES)
    to = chosen(f, service, f.client)
    t.forward(syn(f, f.client), 'chosen', to=to)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=5000, ack=1001), to=to)
    t.forward(lambda to: f.tcp_to(to, flags='A', seq=1001, ack=5001 + 0xFFFF), 'known', to=to)
    flood(t, f, service)
    t.forward(lambda to: f.tcp_to(to, flags='A', seq=1001, ack=5001), 'known', to=to)


@case('proof-tcp-reset-is-no-answer', BOTH)
def proof_reset(t, f: Family):
    """A container's RST asks nothing of its receiver, so nothing after it is a proof."""
    t.configure(service := f.service(containers=2), table=PLACES)
    to = chosen(f, service, f.client)
    t.forward(syn(f, f.client), 'chosen', to=to)
    t.reply(lambda of: f.tcp_from(of, flags='RA', seq=0, ack=1001), to=to)
    t.forward(lambda to: f.tcp_to(to, flags='A', seq=1001, ack=1), 'known', to=to)
    flood(t, f, service)
    t.forward(syn(f, f.client), 'chosen', to=to)


@case('proof-udp', BOTH)
def proof_udp(t, f: Family):
    """Without TCP the proof is one more packet after the container's answer; two requests without one prove nothing."""
    t.configure(service := f.service(['53/udp'], containers=2), table=PLACES)
    front = End('web', f.public, 53)

    def at(client):
        to = chosen(f, service, client)
        return dict(front=front, to=End(to.name, to.address, 53), source=client)

    def ask(client):
        return lambda to: f.udp_to(to, b'query', client=client)
    for client in (f.client, f.stranger):
        t.forward(ask(client), 'chosen', **at(client))
        t.forward(ask(client), 'known', **at(client))
    t.reply(lambda of: f.udp_from(of, b'answer'), **at(f.client))
    t.forward(ask(f.client), 'known', **at(f.client))
    for client in clients(f, 5, 251):  # the proof has freed one place
        t.forward(ask(client), 'chosen', **at(client))
    t.forward(ask(f.client), 'known', **at(f.client))
    t.forward(ask(f.stranger), 'chosen', **at(f.stranger))


class Ring:
    """A bounded store as bucket-ring.ts describes it: four places a bucket, in a full one the place whose turn it is."""

    def __init__(self, places):
        self.buckets = [[None] * 4 for _ in range(places // 4)]
        self.turns = [0] * len(self.buckets)

    def add(self, name, hashed):
        """False when it was there before."""
        number = siphash(KEY, hashed) % len(self.buckets)
        bucket = self.buckets[number]
        if name in bucket:
            return False
        if None in bucket:
            bucket[bucket.index(None)] = name
        else:
            bucket[self.turns[number]] = name
            self.turns[number] = (self.turns[number] + 1) % 4
        return True


@case('probation-buckets', BOTH)
def buckets(t, f: Family):
    """Which source a new one pushes off probation: a keyed hash over source and scope (the first one is 1) names the
    bucket."""
    t.configure(service := f.service(containers=2), table={'probation': 16})
    ring = Ring(16)
    for client in clients(f, 40, 251) + clients(f, 40, 251)[::-1]:
        is_new = ring.add(client, hashed_form(client) + (1).to_bytes(4, 'little'))
        t.forward(syn(f, client), 'chosen' if is_new else 'known', to=chosen(f, service, client), source=client)


@case('table-full', BOTH)
def table_full(t, f: Family):
    """A full table keeps whom it has; who proves itself later stays on probation and goes where it went before."""
    t.configure(service := f.service(containers=2), table={'capacity': 1, **PLACES})
    second_finds_no_place(t, f, service)


@case('table-quota', BOTH)
def table_quota(t, f: Family):
    """So does a service that has as many sources as it may, though the table has room."""
    t.configure(service := f.service(containers=2, quota=1), table=PLACES)
    second_finds_no_place(t, f, service)


def second_finds_no_place(t, f, service):
    for client in (f.client, f.stranger):
        to = chosen(f, service, client)
        t.forward(syn(f, client), 'chosen', to=to, source=client)
        t.reply(lambda of: f.tcp_from(of, flags='SA', seq=5000, ack=1001, client=client), to=to, source=client)
        t.forward(lambda to: f.tcp_to(to, flags='A', seq=1001, ack=5001, client=client), 'known', to=to, source=client)
    flood(t, f, service)
    for client, reason in ((f.client, 'known'), (f.stranger, 'chosen')):
        t.forward(syn(f, client), reason, to=chosen(f, service, client), source=client)


def two_services(f, **affinity):
    """web and shop on one address: shop has not web-1 and prefers web-3, so the two choose differently."""
    shop = Service('shop', [f.public], ['443/tcp->8443'], [f.container(2), f.container(3, weight=5)], affinity=affinity)
    return f.service(containers=3, affinity=affinity), shop


def client_of(f, web, shop, where):
    """The first client whose choices in the two services are as `where` wants them."""
    return next(c for c in clients(f, 500, 251) if where(choose(web, c, KEY), choose(shop, c, KEY)))


def to_shop(f, name):
    return dict(front=End('shop', f.public, 443), to=End(name, f.containers[int(name[-1]) - 1], 8443))


@case('scope-service', BOTH)
def scope_service(t, f: Family):
    """By default each service remembers for itself."""
    web, shop = two_services(f)
    t.configure(web, shop)
    client = client_of(f, web, shop, lambda a, b: a != b and a != 'web-1')
    t.forward(syn(f, client), 'chosen', to=chosen(f, web, client), source=client)
    t.forward(syn(f, client), 'chosen', **to_shop(f, choose(shop, client, KEY)), source=client)


@case('scope-group', BOTH)
def scope_group(t, f: Family):
    """Services of a group share entries: where a client went first it goes with the other service too, though that
    would have chosen otherwise."""
    web, shop = two_services(f, scope='group', group='customers')
    t.configure(web, shop)
    client = client_of(f, web, shop, lambda a, b: a != b and a != 'web-1')
    t.forward(syn(f, client), 'chosen', to=chosen(f, web, client), source=client)
    t.forward(syn(f, client), 'known', **to_shop(f, choose(web, client, KEY)), source=client)


@case('scope-group-moves', BOTH)
def scope_moves(t, f: Family):
    """A service that does not have the group's container chooses, and the group follows it from then on."""
    web, shop = two_services(f, scope='group', group='customers')
    t.configure(web, shop)
    client = client_of(f, web, shop, lambda a, b: a == 'web-1')
    moved = choose(shop, client, KEY)
    t.forward(syn(f, client), 'chosen', to=f.web(1), source=client)
    t.forward(syn(f, client), 'chosen', **to_shop(f, moved), source=client)
    t.forward(syn(f, client), 'known', to=f.web(int(moved[-1])), source=client)
    t.passes(f.tcp_from(f.web(1), flags='SA', seq=9, ack=1001, client=client), 'unknown-client')


@case('scope-address', BOTH)
def scope_address(t, f: Family):
    """Services on one address share entries, and only those."""
    web, shop = two_services(f, scope='address')
    elsewhere = Service('other', [f.public2], ['80/tcp->8080'], [f.container(1), f.container(2), f.container(3)],
                        affinity={'scope': 'address'})
    t.configure(web, shop, elsewhere)
    client = client_of(f, web, shop, lambda a, b: a != b and a != 'web-1')
    t.forward(syn(f, client), 'chosen', to=chosen(f, web, client), source=client)
    t.forward(syn(f, client), 'known', **to_shop(f, choose(web, client, KEY)), source=client)
    t.forward(syn(f, client), 'chosen', front=End('other', f.public2, 80), to=chosen(f, elsewhere, client), source=client)
