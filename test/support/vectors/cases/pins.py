from choice import choose, choose_pinned
from config import KEY, Container
from packets import V4, V6, Family
from transcript import case

BOTH = (V4, V6)


def syn(f, client):
    return lambda to: f.tcp_to(to, flags='S', seq=1, client=client)


@case('pins-longest-prefix', BOTH)
def longest(t, f: Family):
    """Of the pins that cover a client the longest wins, in whatever order they are written; a pin decides every time
    and comes before what is known."""
    whole, middle = (24, 30) if f.version == 4 else (64, 124)
    base = f.client[:-1]  # 198.51.100. or 2001:db8:1::
    t.configure(f.service(containers=3, pins=[
        {'source': f'{base}{8 if f.version == 4 else 0}/{middle}', 'container': 'web-2'},
        {'source': f'{base}0/{whole}', 'container': 'web-1'},
        {'source': f.neighbour, 'container': 'web-3'}]))
    inside = f'{base}11' if f.version == 4 else f'{base}f'
    outside = f'{base}77'
    for client, number in ((f.neighbour, 3), (inside, 2), (outside, 1), (f.neighbour, 3)):
        t.forward(syn(f, client), 'pinned', to=f.web(number), source=client)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2, client=inside), to=f.web(2), source=inside)


@case('pins-set', BOTH)
def pin_set(t, f: Family):
    """A pin to several containers spreads its clients over these by Maglev (choice.py), and they stay; weights count,
    and one of weight 0 gets no one as long as there are others."""
    whole = 24 if f.version == 4 else 64
    base = f.client[:-1]
    names = ['web-1', 'web-2', 'web-4']
    fourth = Container('web-4', **{f.address_field: '10.77.0.44' if f.version == 4 else 'fd77::44'}, weight=0)
    containers = [f.container(1), f.container(2, weight=3), f.container(3), fourth]
    service = f.service(containers=containers, pins=[
        {'source': f'{base}0/{whole}', 'containers': names}, {'source': f.neighbour, 'containers': ['web-3', 'web-4']}])
    t.configure(service)
    seen = set()
    for number in range(10, 30):
        client = f'{base}{number}'
        to = f.web(int(choose_pinned(service, names, client, KEY)[-1]))
        seen.add(to.name)
        t.forward(syn(f, client), 'pinned', to=to, source=client)
        t.forward(syn(f, client), 'pinned', to=to, source=client)
    assert seen == {'web-1', 'web-2'}
    t.forward(syn(f, f.neighbour), 'pinned', to=f.web(3), source=f.neighbour)


@case('pins-set-of-weight-zero', BOTH)
def set_of_weight_zero(t, f: Family):
    """A pin holds for containers that take no other new clients: where its set has no others, they share them alike."""
    service = f.service(containers=[f.container(1), f.container(2, weight=0), f.container(3, weight=0)],
                        pins=[{'source': f.client, 'containers': ['web-2', 'web-3']},
                              {'source': f.neighbour, 'container': 'web-3'}])
    t.configure(service)
    alike = f.service(containers=[f.container(2), f.container(3)])
    to = f.web(int(choose(alike, f.client, KEY)[-1]))
    t.forward(syn(f, f.client), 'pinned', to=to)
    t.forward(syn(f, f.neighbour), 'pinned', to=f.web(3), source=f.neighbour)


@case('pins-everybody', BOTH)
def everybody(t, f: Family):
    """A prefix of length 0 pins a whole family, and only that one."""
    every = '0.0.0.0/0' if f.version == 4 else '::/0'
    t.configure(f.service(containers=2, pins=[{'source': every, 'container': 'web-2'}]))
    for client in (f.client, f.stranger):
        t.forward(syn(f, client), 'pinned', to=f.web(2), source=client)


@case('pins-other-family', (V6,))
def other_family(t, f: Family):
    """A pin to a container that has no address of the client's family gives way to a shorter one, and that to the
    algorithm, which says so."""
    only4 = Container('only-4', V4.containers[1])
    both = Container('web-1', V4.containers[0], f.containers[0])
    service = f.service(containers=[only4, both], addresses=[V4.public, f.public], pins=[
        {'source': f.client, 'container': 'only-4'},
        {'source': '2001:db8:1::/64', 'container': 'web-1'},
        {'source': f.stranger, 'container': 'only-4'}])
    t.configure(service)
    t.forward(syn(f, f.client), 'pinned')
    t.forward(syn(f, f.stranger), 'unpinned', source=f.stranger)


@case('pins-within-affinity', BOTH)
def within_affinity(t, f: Family):
    """Pins look at the client's whole address, entries at its prefix: one pinned client, and where it went is then
    known for its neighbours."""
    prefix = {'prefix4': 24} if f.version == 4 else {'prefix6': 64}
    source = '198.51.100.0/24' if f.version == 4 else '2001:db8:1::/64'
    t.configure(f.service(containers=3, affinity=prefix, pins=[{'source': f.client, 'container': 'web-2'}]))
    t.forward(syn(f, f.client), 'pinned', to=f.web(2), source=source)
    t.forward(syn(f, f.neighbour), 'known', to=f.web(2), source=source)
