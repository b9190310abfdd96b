from ipaddress import ip_address, ip_network

from cases.fragments import datagram, pieces
from cases.udp import payload_for_zero
from choice import choose
from config import KEY
from packets import V4, V6, End, Family
from scapy.all import TCP
from transcript import case

BOTH = (V4, V6)
NETWORKS = ['10.77.0.0/16', 'fd77::/64']
HOST = {4: '198.18.0.1', 6: '2001:db8:18::1'}
HAIRPIN = {'sources': NETWORKS + list(HOST.values())}
DEFAULTS = {4: '240.0.0.0/4', 6: '4000::/3'}


def alias_of(f: Family, source, prefix=None):
    """The alias prefix in front of the source's low bits."""
    network = ip_network(prefix or DEFAULTS[f.version])
    low = int(ip_address(source)) & int(network.hostmask)
    return str(ip_address(int(network.network_address) | low))


def seen(f, caller, prefix=None):
    return dict(caller=caller, alias=alias_of(f, caller, prefix))


def tcp(f, payload=b'', **fields):
    return lambda to, client: f.tcp_to(to, payload, client=client, **fields)


def tcp_back(f, payload=b'', **fields):
    return lambda of, client: f.tcp_from(of, payload, client=client, **fields)


@case('hairpin-tcp', BOTH, kernel=True)
def connection(t, f: Family):
    """A container calls the public address: the other one sees its alias, and the answer comes back from the public
    address to the caller's own. The kernel does it with DNAT and SNAT, and remembers each connection."""
    t.configure(f.service(), hairpin=HAIRPIN)
    who = seen(f, f.containers[1])
    t.call(tcp(f, flags='S', seq=1), **who, reason='chosen')
    t.call_back(tcp_back(f, flags='SA', seq=9, ack=2), **who)
    t.call(tcp(f, flags='A', seq=2, ack=10), **who)
    t.call(tcp(f, b'odd', flags='PA', seq=2, ack=10), **who)
    t.call_back(tcp_back(f, b'even', flags='PA', seq=10, ack=5), **who)
    t.call(tcp(f, flags='FA', seq=5, ack=14), **who)
    t.call_back(tcp_back(f, flags='FA', seq=14, ack=6), **who)


@case('hairpin-itself', BOTH, kernel=True)
def itself(t, f: Family):
    """The caller is chosen for its own call: it sees its alias, not its own address, which it would take for a martian."""
    t.configure(f.service(), hairpin=HAIRPIN)
    who = seen(f, f.containers[0])
    t.call(tcp(f, flags='S', seq=1), **who, reason='chosen')
    t.call_back(tcp_back(f, flags='SA', seq=9, ack=2), **who)


@case('hairpin-udp', BOTH, kernel=True)
def exchange(t, f: Family):
    """Both ends change in one packet and so does the checksum; a computed zero goes out as ffff in either direction, and
    over IPv4 a datagram without a checksum stays without."""
    t.configure(f.service(['53/udp->5353']), hairpin=HAIRPIN)
    who = seen(f, f.containers[1])
    ends = dict(front=End('web', f.public, 53), to=f.web(1, 5353))
    request = payload_for_zero(lambda payload: f.udp_to(ends['to'], payload, client=who['alias']))
    answer = payload_for_zero(lambda payload: f.udp_from(ends['front'], payload, client=who['caller']))
    t.call(lambda to, client: f.udp_to(to, b'query', client=client), **who, **ends, reason='chosen')
    t.call(lambda to, client: f.udp_to(to, request, client=client), **who, **ends)
    t.call_back(lambda of, client: f.udp_from(of, answer, client=client), **who, **ends)
    if f.version == 4:
        t.call(lambda to, client: f.udp_to(to, b'query', client=client, chksum=0), **who, **ends)
        t.call_back(lambda of, client: f.udp_from(of, b'answer', client=client, chksum=0), **who, **ends)


@case('hairpin-echo', BOTH, kernel=True)
def echo(t, f: Family):
    """With `ports: all` echo requests go to the container, under the alias too: ICMPv6 sums up both addresses, ICMP
    neither."""
    t.configure(f.service('all'), hairpin=HAIRPIN)
    who = seen(f, f.containers[1])
    t.call(lambda to, client: f.echo_request(to, client=client), **who, reason='chosen')
    t.call_back(lambda of, client: f.echo_reply(of, client=client), **who)


@case('hairpin-host', BOTH)
def host(t, f: Family):
    """The host itself calls from an address of its own, which stands alone among the local sources."""
    t.configure(f.service(), hairpin=HAIRPIN)
    who = seen(f, HOST[f.version])
    t.call(tcp(f, flags='S', seq=1), **who, reason='chosen')
    t.call_back(tcp_back(f, flags='SA', seq=9, ack=2), **who)
    neighbour = str(ip_address(HOST[f.version]) + 1)
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1, client=neighbour), 'chosen', source=neighbour)


@case('hairpin-private-networks', (V4,), kernel=True)
def private_networks(t, f: Family):
    """240.0.0.0/4 keeps 28 bits, which tell all of 10/8, 172.16/12 and 192.168/16 apart."""
    t.configure(f.service(), hairpin={'sources': ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16']})
    aliases = {'10.77.0.12': '250.77.0.12', '172.17.0.2': '252.17.0.2', '172.31.255.255': '252.31.255.255',
               '192.168.1.2': '240.168.1.2', '10.0.0.1': '250.0.0.1'}
    for caller, alias in aliases.items():
        assert alias == alias_of(f, caller)
        if caller.startswith('10.77'):  # the only ones that the kernel's router knows a way back to
            t.call(tcp(f, flags='S', seq=1), caller, alias, 'chosen')
            t.call_back(tcp_back(f, flags='SA', seq=9, ack=2), caller, alias)
        else:
            t.step(f.tcp_to(f.http, client=caller), f.tcp_to(f.web(1), client=alias), 'forward', 'chosen', 'web', 'web-1', caller)
            t.step(f.tcp_from(f.web(1), client=alias), f.tcp_from(f.http, client=caller), 'reply', 'endpoint', 'web', 'web-1', caller)


@case('hairpin-other-alias', BOTH, kernel=True)
def other_alias(t, f: Family):
    """Alias prefixes that do not end with a byte, and sources as long as they are or longer."""
    prefixes = {4: '100.64.0.0/10', 6: '5000::/5'}
    t.configure(f.service(), hairpin={'alias4': prefixes[4], 'alias6': prefixes[6], 'sources': ['10.64.0.0/10', 'f800::/5']})
    who = seen(f, f.containers[1], prefixes[f.version])
    t.call(tcp(f, flags='S', seq=1), **who, reason='chosen')
    t.call_back(tcp_back(f, flags='SA', seq=9, ack=2), **who)


@case('hairpin-wrong-checksum', BOTH)
def wrong_checksum(t, f: Family):
    """Wrong in, equally wrong out, over both rewrites: as far from the right sum as before."""
    t.configure(f.service(), hairpin=HAIRPIN)
    who = seen(f, f.containers[1])

    def damaged(end, client):
        packet = f.tcp_to(end, b'data', client=client, flags='PA')
        right = int.from_bytes(bytes(packet[TCP])[16:18], 'big')
        packet[TCP].chksum = (right + 0x1234) % 0xFFFF
        return packet
    t.call(damaged, **who, reason='chosen')


@case('hairpin-own-source', BOTH)
def own_source(t, f: Family):
    """Pins, the algorithm, entries and their prefixes know a caller by its own address, never by its alias."""
    prefix = {'prefix4': 24} if f.version == 4 else {'prefix6': 64}
    source = '10.77.0.0/24' if f.version == 4 else 'fd77::/64'
    shop = f.service(['443/tcp'], containers=3, name='shop', pins=[{'source': f.containers[1], 'container': 'web-3'}])
    t.configure(service := f.service(containers=3, affinity=prefix), shop, hairpin=HAIRPIN)
    chosen = dict(to=f.web(int(choose(service, f.containers[1], KEY)[-1])), source=source)
    t.call(tcp(f, flags='S', seq=1), **seen(f, f.containers[1]), **chosen, reason='chosen')
    t.call(tcp(f, flags='S', seq=1), **seen(f, f.containers[2]), **chosen)
    pinned = dict(front=End('shop', f.public, 443), to=f.web(3, 443))
    t.call(tcp(f, flags='S', seq=1, port=40001), **seen(f, f.containers[1]), **pinned, reason='pinned')
    t.call_back(tcp_back(f, flags='SA', seq=9, ack=2, port=40001), **seen(f, f.containers[1]), **pinned)


@case('hairpin-flows', BOTH, kernel=True)
def flows(t, f: Family):
    """A local caller at an endpoint that two public ports share."""
    t.configure(f.service(['80/tcp->8080', '81/tcp->8080']), hairpin=HAIRPIN)
    who = seen(f, f.containers[1])
    fronts = [(End('web', f.public, 80), 40000), (End('web', f.public, 81), 40001)]
    for front, port in fronts:
        t.call(tcp(f, flags='S', seq=1, port=port), **who, reason='known' if port > 40000 else 'chosen', front=front)
    for front, port in reversed(fronts):
        t.call_back(tcp_back(f, flags='SA', seq=9, ack=2, port=port), **who, reason='flow', front=front)
    packet = f.tcp_from(f.web(1), flags='A', client=who['alias'], port=40009)
    t.step(packet, None, 'drop', 'unknown-flow', source=who['caller'])


@case('hairpin-fragments', BOTH)
def fragments(t, f: Family):
    """With `ports: all` every fragment gets both new addresses, the first one's checksum with them."""
    t.configure(f.service('all'), hairpin=HAIRPIN)
    caller, alias = seen(f, f.containers[1]).values()
    into = pieces(f, datagram(f, caller, f.public)), pieces(f, datagram(f, alias, f.web(1).address))
    for number, (packet, expected) in enumerate(zip(*into, strict=True)):
        t.step(packet, expected, 'forward', 'fragment' if number else 'chosen', 'web', 'web-1', caller)
    back = pieces(f, datagram(f, f.web(1).address, alias)), pieces(f, datagram(f, f.public, caller))
    for number, (packet, expected) in enumerate(zip(*back, strict=True)):
        t.step(packet, expected, 'reply', 'fragment' if number else 'endpoint', 'web', 'web-1', caller)


@case('hairpin-closed', BOTH)
def closed(t, f: Family):
    """What onehop answers itself goes to the caller's own address: no container is in between."""
    t.configure(f.service(), hairpin=HAIRPIN)
    caller = f.containers[1]
    closed_port = End('web', f.public, 81)
    request = f.tcp_to(closed_port, client=caller, flags='S', seq=1)
    reset = f.tcp_from(closed_port, client=caller, flags='RA', seq=0, ack=2, window=0, ip=ANSWERED[f.version])
    t.answer(request, reset, 'port-closed')
    t.answer(f.echo_request(f.http, client=caller), f.echo_reply(f.http, client=caller, ip=ANSWERED[f.version]), 'echo')


# What onehop sends of its own has identification 0, DF and a time to live of 64.
ANSWERED = {4: {'id': 0, 'flags': 'DF', 'ttl': 64}, 6: {'ttl': 64}}


@case('hairpin-stray', BOTH)
def stray(t, f: Family):
    """Nobody has an alias: what comes from one is dropped, and so is what goes to one without being an answer, for it
    would be routed straight back. That is an alias of no local source, one whose source never asked, and a packet from
    elsewhere than an endpoint."""
    t.configure(f.service(), hairpin=HAIRPIN)
    caller, alias = seen(f, f.containers[1]).values()
    t.drop(f.tcp_to(f.http, client=alias, flags='S'), 'stray-alias')
    t.drop(f.tcp_from(f.web(1), client=alias, flags='SA'), 'stray-alias')
    t.call(tcp(f, flags='S', seq=1), caller, alias, 'chosen')
    t.drop(f.tcp_from(f.web(1), client=alias_of(f, f.client), flags='SA'), 'stray-alias')
    t.drop(f.tcp_from(f.web(1, 22), client=alias, flags='SA'), 'stray-alias')
    t.drop(f.tcp_from(End('client', f.client, 80), client=alias, flags='SA'), 'stray-alias')
    t.call_back(tcp_back(f, flags='SA', seq=9, ack=2), caller, alias)


@case('hairpin-off', BOTH)
def off(t, f: Family):
    """Without a hairpin local sources are clients like others, and nothing is special about 240.0.0.0/4 and 4000::/3."""
    t.configure(f.service(), hairpin='off')
    caller, alias = seen(f, f.containers[1]).values()
    for client in (caller, alias):
        t.forward(lambda to: f.tcp_to(to, client=client, flags='S'), 'chosen', source=client)
        t.reply(lambda of: f.tcp_from(of, client=client, flags='SA'), source=client)
    t.passes(f.tcp_from(f.web(1, 22), client=alias, flags='A'), 'not-ours')
