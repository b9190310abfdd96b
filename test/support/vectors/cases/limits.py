"""How many new sources one address, and all of a prefix, may bring."""
from cases.pins import BOTH
from config import Service
from packets import End, Family
from transcript import case


def syn(f, client):
    return lambda to: f.tcp_to(to, flags='S', seq=1, client=client)


def third(f):
    """Another one in the client's /24 or /64."""
    return f.client[:-1] + '8'


def prefixes(f, near):
    """The limit's prefix: the client and its neighbours, or the client alone."""
    return {'prefix4': 24 if near else 32} if f.version == 4 else {'prefix6': 64 if near else 128}


@case('limits-source', BOTH)
def source(t, f: Family):
    """One source comes to three services where two in two seconds are allowed. It is dropped at the third and served on at the
    first two; others are served; and a second later there is room for it."""
    names = ['web', 'mail', 'news']
    ends = [End(name, f.public, port) for name, port in zip(names, (80, 25, 119))]
    t.configure(*[Service(end.name, [f.public], [f'{end.port}/tcp->8080'], [f.container(number + 1)])
                  for number, end in enumerate(ends)], newSources={'perSource': 1, 'burst': '2s'})
    for number in (0, 1):
        t.forward(syn(f, f.client), 'chosen', front=ends[number], to=f.web(number + 1))
    t.drop(f.tcp_to(ends[2], flags='S', seq=1), 'source-limit', 'news')
    t.forward(syn(f, f.client), 'known')
    t.forward(syn(f, f.client), 'known', front=ends[1], to=f.web(2))
    t.forward(syn(f, f.neighbour), 'chosen', front=ends[2], to=f.web(3), source=f.neighbour)
    t.later(1)
    t.forward(syn(f, f.client), 'chosen', front=ends[2], to=f.web(3))


@case('limits-prefix', BOTH)
def prefix(t, f: Family):
    """Two new ones of a prefix a second: the third is dropped, known ones and those of other prefixes are served."""
    t.configure(f.service(), newSources={'perPrefix': 2, 'burst': '1s', **prefixes(f, near=True)})
    t.forward(syn(f, f.client), 'chosen')
    t.forward(syn(f, f.neighbour), 'chosen', source=f.neighbour)
    t.drop(f.tcp_to(f.http, flags='S', seq=1, client=third(f)), 'prefix-limit', 'web')
    t.forward(syn(f, f.neighbour), 'known', source=f.neighbour)
    t.forward(syn(f, f.stranger), 'chosen', source=f.stranger)
    t.later(1)
    t.forward(syn(f, third(f)), 'chosen', source=third(f))


@case('limits-prefix-of-one', BOTH)
def prefix_of_one(t, f: Family):
    """A limit's prefix as long as an address: neighbours do not count together."""
    t.configure(f.service(), newSources={'perPrefix': 1, 'burst': '1s', **prefixes(f, near=False)})
    for client in (f.client, f.neighbour, third(f)):
        t.forward(syn(f, client), 'chosen', source=client)


@case('limits-pinned', BOTH)
def pinned(t, f: Family):
    """A pin says where to, not that there is a place."""
    t.configure(f.service(pins=[{'source': client, 'container': 'web-1'} for client in (f.client, f.neighbour)]),
                newSources={'perPrefix': 1, 'burst': '1s', **prefixes(f, near=True)})
    t.forward(syn(f, f.client), 'pinned')
    t.drop(f.tcp_to(f.http, flags='S', seq=1, client=f.neighbour), 'prefix-limit', 'web')
    t.forward(syn(f, f.client), 'pinned')


@case('limits-only-places', BOTH)
def only_places(t, f: Family):
    """What takes no place counts nothing: who is denied, and who comes to a service without containers."""
    empty = End('empty', f.public, 81)
    t.configure(f.service(sources={'deny': [f.neighbour]}), Service('empty', [f.public], ['81/tcp'], [], empty='drop'),
                newSources={'perSource': 1, 'perPrefix': 1, 'burst': '1s', **prefixes(f, near=True)})
    for _ in range(2):
        t.drop(f.tcp_to(f.http, flags='S', seq=1, client=f.neighbour), 'denied', 'web')
        t.drop(f.tcp_to(empty, flags='S', seq=1), 'no-container', 'empty')
    t.forward(syn(f, f.client), 'chosen')
    t.drop(f.tcp_to(empty, flags='S', seq=1), 'source-limit', 'empty')


@case('limits-clock-steps-back', BOTH)
def steps_back(t, f: Family):
    """Packets out of order, up to a minute, give nobody more."""
    t.configure(f.service(), newSources={'perPrefix': 1, 'burst': '1s', **prefixes(f, near=True)})
    t.forward(syn(f, f.client), 'chosen')
    t.later(-30)
    t.drop(f.tcp_to(f.http, flags='S', seq=1, client=f.neighbour), 'prefix-limit', 'web')
    t.later(31)
    t.forward(syn(f, f.neighbour), 'chosen', source=f.neighbour)
