from cases.fragments import answered, asked, end, mail, mail_ends
from cases.quoted import TIME, error, from_there
from packets import V4, V6, Family
from transcript import case

BOTH = (V4, V6)


@case('quoted-fragments', BOTH, kernel=True)
def first_fragments(t, f: Family):
    """An error about a datagram in fragments quotes the first of them, which has the ports."""
    t.configure(f.service(['5000/udp->5353']), mail(f))
    web = dict(front=end(f), to=f.web(1, 5353))
    for ends in (web, mail_ends(f)):
        t.forward_pieces(asked(f), 'chosen', **ends)
        t.reply_pieces(answered(f), **ends)
    for ends in (web, mail_ends(f)):
        t.forward(lambda to: error(f, f.stranger, to.address, answered(f)(to)[0], TIME, 100), 'quoted', **ends)
    t.reply(lambda of: from_there(f, of, asked(f)(of)[0], TIME, 100), 'quoted', **web)


@case('quoted-later-fragments', BOTH)
def later_fragments(t, f: Family):
    """About a later fragment of an answer: all ports of the protocol belong to one service, so its container gets the error.
    About one of a request, that another port of the container may have been asked: nobody does."""
    t.configure(f.service(['5000/udp->5353', '5001/udp', '80/tcp']))
    ends = dict(front=end(f), to=f.web(1, 5353))
    t.passes(error(f, f.web(1).address, f.client, asked(f)(ends['to'])[-1], TIME), 'unknown-client')
    t.forward_pieces(asked(f), 'chosen', **ends)
    t.forward(lambda to: error(f, f.stranger, to.address, answered(f)(to)[-1], TIME, 100), 'quoted', **ends)
    t.drop(error(f, f.web(1).address, f.client, asked(f)(ends['to'])[-1], TIME), 'fragment')


@case('quoted-later-fragments-of-services', BOTH)
def later_fragments_of_services(t, f: Family):
    """With several services on the address nobody knows whose it was."""
    t.configure(f.service(['5000/udp->5353']), mail(f))
    t.drop(error(f, f.stranger, f.public, answered(f)(end(f))[-1], TIME, 100), 'fragment')
