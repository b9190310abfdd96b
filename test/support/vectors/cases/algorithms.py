from cases.quoted import error
from cases.table import BOTH, clients, syn
from choice import Chooser
from config import KEY
from packets import Family
from transcript import case


def weighted(f, algorithm):
    return f.service(containers=[f.container(1), f.container(2, weight=3), f.container(3, weight=2)], algorithm=algorithm)


def web(f, name):
    return f.web(int(name.removeprefix('web-')))


def prove(t, f, client, to, reason='chosen'):
    """A handshake: from then on the client is one of its container's sources."""
    t.forward(syn(f, client), reason, to=to, source=client)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=1001, client=client), to=to, source=client)
    t.forward(lambda of: f.tcp_to(of, flags='A', seq=1001, ack=10, client=client), to=to, source=client)


@case('algorithm-round-robin', BOTH)
def round_robin(t, f: Family):
    """Weighted round robin (choice.py): of six turns web-1 has one, web-2 three and web-3 two; who is known takes none."""
    t.configure(service := weighted(f, 'weighted-round-robin'))
    chooser = Chooser(service, KEY)
    counts = {}
    for client in clients(f, 18, 251):
        to = web(f, chooser.round_robin(client))
        counts[to.name] = counts.get(to.name, 0) + 1
        t.forward(syn(f, client), 'chosen', to=to, source=client)
        t.forward(syn(f, client), 'known', to=to, source=client)
    assert counts == {'web-1': 3, 'web-2': 9, 'web-3': 6}, counts


@case('algorithm-round-robin-quoted', BOTH)
def round_robin_quoted(t, f: Family):
    """An ICMP error that quotes an answer to an unknown client goes to whose turn it is, and takes no turn."""
    t.configure(service := weighted(f, 'weighted-round-robin'))
    chooser = Chooser(service, KEY)
    first, second = clients(f, 2, 251)
    to = web(f, chooser.round_robin(first))
    answer = lambda of: f.tcp_from(of, flags='SA', seq=9, ack=1001, client=first)
    t.forward(lambda of: error(f, first, of.address, answer(of)), 'quoted', to=to, source=first)
    t.forward(syn(f, second), 'chosen', to=to, source=second)


@case('algorithm-least-sources', BOTH)
def least_sources(t, f: Family):
    """The fewest sources for a container's weight; those that have proved nothing do not count. Ties by a hash."""
    t.configure(service := weighted(f, 'least-sources'))
    chooser = Chooser(service, KEY)
    for number, client in enumerate(clients(f, 24, 251)):
        name = chooser.least_sources(client)
        if number % 4 == 3:
            t.forward(syn(f, client), 'chosen', to=web(f, name), source=client)
            continue
        prove(t, f, client, web(f, name))
        chooser.sources[name] += 1
    assert chooser.sources == {'web-1': 3, 'web-2': 9, 'web-3': 6}, chooser.sources


@case('algorithm-random-two', BOTH)
def random_two(t, f: Family):
    """Of two containers that a hash of the source and the service picks by their weights, the one with fewer sources."""
    t.configure(service := weighted(f, 'random-two'))
    chooser = Chooser(service, KEY)
    for client in clients(f, 24, 251):
        name = chooser.random_two(client)
        prove(t, f, client, web(f, name))
        chooser.sources[name] += 1
    assert chooser.sources['web-2'] > chooser.sources['web-3'] > chooser.sources['web-1'] > 0, chooser.sources


@case('algorithm-idle', BOTH)
def idle(t, f: Family):
    """A source that was forgotten counts no more; one that is idle but not yet forgotten does, wherever it goes next."""
    service = f.service(containers=2, algorithm='least-sources', affinity={'idle': '10s'})
    t.configure(service)
    chooser = Chooser(service, KEY)
    first, second, third = clients(f, 3, 251)
    name = chooser.least_sources(first)
    prove(t, f, first, web(f, name))
    chooser.sources[name] += 1
    t.later(11)
    other = chooser.least_sources(second)
    assert other != name
    prove(t, f, second, web(f, other))
    chooser.sources[other] += 1
    again = chooser.least_sources(first)
    prove(t, f, first, web(f, again))
    chooser.sources[name] -= 1
    chooser.sources[again] += 1
    t.forward(syn(f, third), 'chosen', to=web(f, chooser.least_sources(third)), source=third)
