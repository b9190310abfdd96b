from ipaddress import ip_address

from cases.hairpin import HAIRPIN, HOST, alias_of, seen, tcp, tcp_back
from cases.quoted import HEADER, KINDS, PORT, TIME, TOO_BIG, error, from_there
from packets import V4, V6, End, Family
from transcript import case

BOTH = (V4, V6)


def about_answer(f, source=None, kind=PORT, cut=None, **fields):
    """An error about an answer to a local caller, from itself under the name that is seen at this end, or from `source`."""
    return lambda to, client: error(f, source or client, to.address, f.tcp_from(to, client=client, flags='A', seq=10, ack=2,
                                                                               **fields), kind, cut)


def about_request(f, kind=PORT, cut=None, **fields):
    """An error about a local caller's request: from the container, or from a router behind it."""
    def of_kind(of, client):
        quote = f.tcp_to(of, client=client, flags='A', seq=2, ack=10, **fields)
        return from_there(f, of, quote, kind, cut, client=client)
    return of_kind


def opened(t, f, caller):
    who = seen(f, caller)
    t.call(tcp(f, flags='S', seq=1), **who, reason='chosen')
    t.call_back(tcp_back(f, flags='SA', seq=9, ack=2), **who)
    return who


@case('hairpin-quoted-answer', BOTH, kernel=True)
def answer(t, f: Family):
    """A local caller's errors about an answer: the container gets them from the caller's alias, with the packet it sent
    itself, to the alias. So it does from one that calls itself, whose own address it would take for a martian."""
    t.configure(f.service(), hairpin=HAIRPIN)
    for caller in f.containers[:2]:
        who = seen(f, caller)
        t.call(tcp(f, flags='S', seq=1), **who, reason='chosen')
        for kind in KINDS:
            for payload in (b'', b'odd', bytes(range(200))):
                t.call(about_answer(f, kind=kind, payload=payload), **who, reason='quoted')
        for more in (8, 12, 16, 20, 21):
            t.call(about_answer(f, kind=TOO_BIG, cut=HEADER[f.version] + more, payload=b'abc'), **who, reason='quoted')


@case('hairpin-quoted-answer-of-others', BOTH)
def answer_of_others(t, f: Family):
    """Errors about an answer from a router in between: one of the host's own addresses is seen under its alias like any local
    source, a stranger's as it is. What an outside client's answers meet at the host is no different."""
    t.configure(f.service(), hairpin=HAIRPIN)
    who = opened(t, f, f.containers[1])
    own, stranger = HOST[f.version], f.stranger
    for source, shown in ((own, alias_of(f, own)), (stranger, stranger)):
        t.call(lambda to, client: error(f, source if client == who['caller'] else shown, to.address,
                                        f.tcp_from(to, client=client, flags='A'), TIME), **who, reason='quoted')
        t.forward(lambda to: error(f, source if to.name == 'web' else shown, to.address,
                                   f.tcp_from(to, flags='A'), TIME), 'quoted')


@case('hairpin-quoted-request', BOTH, kernel=True)
def request(t, f: Family):
    """Errors about a local caller's request, from the container or from a router behind it: the caller gets them from the
    public address, with the packet that it sent itself, from its own address."""
    t.configure(f.service(), hairpin=HAIRPIN)
    for caller in f.containers[:2]:
        who = seen(f, caller)
        t.call(tcp(f, flags='S', seq=1), **who, reason='chosen')
        for kind in KINDS:
            for payload in (b'', b'odd', bytes(range(200))):
                t.call_back(about_request(f, kind, payload=payload), **who, reason='quoted')
                t.call_back(lambda of, client: error(f, of.address, client, f.tcp_to(of, payload, client=client), kind),
                            **who, reason='quoted')
        for more in (8, 12, 16, 20, 21):
            t.call_back(about_request(f, TIME, HEADER[f.version] + more, payload=b'abc'), **who, reason='quoted')


@case('hairpin-quoted-udp', BOTH, kernel=True)
def datagrams(t, f: Family):
    """The same of datagrams both ways; over IPv4 a quoted one without checksum stays without."""
    t.configure(f.service(['53/udp->5353']), hairpin=HAIRPIN)
    who = seen(f, f.containers[1])
    ends = dict(front=End('web', f.public, 53), to=f.web(1, 5353))
    t.call(lambda to, client: f.udp_to(to, b'question', client=client), **who, **ends, reason='chosen')
    for sum_of in [{}] if f.version == 6 else [{}, {'chksum': 0}]:
        t.call_back(lambda of, client: error(f, of.address, client, f.udp_to(of, b'question', client=client, **sum_of)),
                    **who, **ends, reason='quoted')
        t.call_back(lambda of, client: f.udp_from(of, b'answer', client=client), **who, **ends)
        t.call(lambda to, client: error(f, client, to.address, f.udp_from(to, b'answer', client=client, **sum_of)),
               **who, **ends, reason='quoted')


@case('hairpin-quoted-echo', BOTH, kernel=True)
def echo(t, f: Family):
    """And of echo, with `ports: all`."""
    t.configure(f.service('all'), hairpin=HAIRPIN)
    who = seen(f, f.containers[1])
    t.call(lambda to, client: f.echo_request(to, client=client), **who, reason='chosen')
    t.call_back(lambda of, client: error(f, of.address, client, f.echo_request(of, client=client), TIME), **who,
                reason='quoted')
    t.call_back(lambda of, client: f.echo_reply(of, client=client), **who)
    t.call(lambda to, client: error(f, client, to.address, f.echo_reply(to, client=client), TIME), **who, reason='quoted')


@case('hairpin-quoted-flows', BOTH, kernel=True)
def flows(t, f: Family):
    """Two public ports share the endpoint: an error about a request returns from the one that its flow used."""
    t.configure(f.service(['80/tcp->8080', '81/tcp->8080']), hairpin=HAIRPIN)
    who = seen(f, f.containers[1])
    for number, port in ((80, 40000), (81, 40001)):
        front = End('web', f.public, number)
        t.call(tcp(f, flags='S', seq=1, port=port), **who, reason='known' if number > 80 else 'chosen', front=front)
        t.call_back(lambda of, client: error(f, of.address, client, f.tcp_to(of, client=client, port=port)), **who,
                    reason='quoted', front=front)


@case('hairpin-quoted-stray', BOTH)
def stray(t, f: Family):
    """Aliases where nobody has them: an error from one, about an answer to one, and to one without a caller behind it,
    about what its caller never sent, or about nothing that can be told."""
    t.configure(f.service(), hairpin=HAIRPIN)
    who = opened(t, f, f.containers[1])
    caller, alias = who['caller'], who['alias']
    t.drop(error(f, alias, f.public, f.tcp_from(f.http, client=caller, flags='A')), 'stray-alias')
    t.drop(error(f, caller, f.public, f.tcp_from(f.http, client=alias, flags='A')), 'unrelated')
    web, nobody = f.web(1), alias_of(f, f.client)
    other = alias_of(f, str(ip_address(caller) + 1))
    for to, quote in ((nobody, f.tcp_to(web, client=nobody)), (other, f.tcp_to(web, client=other)),
                      (alias, f.tcp_to(web, client=other)), (alias, f.tcp_to(f.web(1, 22), client=alias)),
                      (alias, b'\xff' * 64)):
        t.drop(error(f, web.address, to, quote), 'stray-alias')
