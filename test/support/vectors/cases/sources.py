"""Who a service lets in: its allow and deny lists."""
from cases.closed import own_header, reset
from packets import V4, V6, End, Family
from scapy.all import ICMP, ICMPv6DestUnreach, Raw, raw
from transcript import case

BOTH = (V4, V6)


def prefix(f: Family, length):
    return f'{f.client[:-1]}0/{length}'


def syn(f, client):
    return lambda to: f.tcp_to(to, flags='S', seq=1, client=client)


@case('sources-deny', BOTH)
def deny(t, f: Family):
    """Who is on the deny list is dropped without an answer, known or pinned or not; all others are let in."""
    inside, outside = f.client, f.stranger
    t.configure(f.service(pins=[{'source': inside, 'container': 'web-1'}], sources={'deny': [inside]}))
    t.drop(f.tcp_to(f.http, flags='S', seq=1, client=inside), 'denied', 'web')
    t.forward(syn(f, outside), 'chosen', source=outside)


@case('sources-allow', BOTH)
def allow(t, f: Family):
    """With an allow list nobody else is let in."""
    t.configure(f.service(sources={'allow': [prefix(f, 24 if f.version == 4 else 64)]}))
    t.forward(syn(f, f.client), 'chosen', source=f.client)
    t.drop(f.tcp_to(f.http, flags='S', seq=1, client=f.stranger), 'denied', 'web')


@case('sources-longest', BOTH)
def longest(t, f: Family):
    """Of the prefixes that cover a source the longest says, on whichever list."""
    wide, narrow = (24, 29) if f.version == 4 else (64, 125)
    widest = '128.0.0.0/1' if f.version == 4 else '2001::/16'
    t.configure(f.service(sources={'deny': [prefix(f, wide)], 'allow': [prefix(f, narrow), widest]}))
    base = f.client[:-1]
    t.forward(syn(f, f'{base}6'), 'chosen', source=f'{base}6')
    t.drop(f.tcp_to(f.http, flags='S', seq=1, client=f'{base}9'), 'denied', 'web')
    t.forward(syn(f, f.stranger), 'chosen', source=f.stranger)


@case('sources-reject', BOTH)
def reject(t, f: Family):
    """`denied: reject` says so: a reset, or administratively prohibited (RFC 1812 section 5.2.7.1, RFC 4443 section 3.1)."""
    t.configure(f.service(['80/tcp->8080', '53/udp'], sources={'deny': [f.client], 'denied': 'reject'}))
    t.answer(f.tcp_to(f.http, flags='S', seq=1000), reset(f, port=80, flags='RA', seq=0, ack=1001), 'denied', 'web')
    packet = f.udp_to(End('web', f.public, 53), b'query')
    t.answer(packet, prohibited(f, packet), 'denied', 'web')


def prohibited(f, packet):
    error = own_header(f, tos=0xC0) / ICMP(type=3, code=13) if f.version == 4 else own_header(f) / ICMPv6DestUnreach(code=1)
    return error / Raw(raw(packet))


@case('sources-allow-other-family', BOTH)
def allow_other(t, f: Family):
    """An allow list of the other family alone keeps all of this one out."""
    t.configure(f.service(sources={'allow': [other_family(f)]}))
    t.drop(f.tcp_to(f.http, flags='S', seq=1), 'denied', 'web')


@case('sources-deny-other-family', BOTH)
def deny_other(t, f: Family):
    """A deny list of the other family alone keeps nobody of this one out."""
    t.configure(f.service(sources={'deny': [other_family(f)]}))
    t.forward(syn(f, f.client), 'chosen', source=f.client)


def other_family(f):
    return '2001:db8::/32' if f.version == 4 else '0.0.0.0/0'
