from packets import V4, V6, Family
from scapy.all import raw
from sums import replaced
from transcript import case

BOTH = (V4, V6)


@case('malformed-short', BOTH)
def short(t, f: Family):
    """Shorter than its IP header: nothing, one byte, one byte less than the header."""
    t.configure(f.service())
    packet = raw(f.tcp_to(f.http, flags='S'))
    header = 20 if f.version == 4 else 40
    for length in (0, 1, header - 1):
        t.malformed(packet[:length], 'short-packet')


@case('malformed-version-v4', (V4,))
def version(t, f: Family):
    """Neither 4 nor 6 in the first four bits."""
    t.configure(f.service())
    packet = raw(f.tcp_to(f.http, flags='S'))
    for number in (0, 1, 5, 7, 15):
        t.malformed(bytes([number << 4 | 5]) + packet[1:], 'bad-version')


@case('malformed-header-length-v4', (V4,))
def header_length(t, f: Family):
    """IHL below 5, and past the packet's end (RFC 791 section 3.1)."""
    t.configure(f.service())
    packet = raw(f.tcp_to(f.http, flags='S'))
    for words in (0, 4, 11, 15):
        t.malformed(bytes([0x40 | words]) + packet[1:], 'bad-header-length')


@case('malformed-total-length-v4', (V4,))
def total_length(t, f: Family):
    """Total length beyond the bytes received, and below the least header."""
    t.configure(f.service())
    for length in (41, 0xFFFF, 19, 0):
        t.malformed(f.tcp_to(f.http, flags='S', ip={'len': length}), 'bad-total-length')
    t.malformed(raw(f.tcp_to(f.http, b'cut short', flags='S'))[:-1], 'bad-total-length')
    t.malformed(f.tcp_to(f.http, flags='S', ip={'len': 41, 'ihl': 4}), 'bad-total-length')


@case('malformed-payload-length-v6', (V6,))
def payload_length(t, f: Family):
    """Payload length beyond the bytes received."""
    t.configure(f.service())
    for length in (21, 0xFFFF):
        t.malformed(f.tcp_to(f.http, flags='S', ip={'plen': length}), 'bad-total-length')
    t.malformed(raw(f.tcp_to(f.http, b'cut short', flags='S'))[:-1], 'bad-total-length')


@case('malformed-transport', BOTH)
def transport(t, f: Family):
    """Shorter than its TCP (20), UDP (8) or ICMP (8) header, to a public address or from a container."""
    t.configure(f.service('all'))
    icmp = 1 if f.version == 4 else 58
    for protocol, needed in ((6, 20), (17, 8), (icmp, 8)):
        for length in (0, needed - 1):
            t.malformed(f.ip(f.client, f.public, proto=protocol) / bytes([8] * length), 'short-transport')
        t.malformed(f.ip(f.web(1).address, f.client, proto=protocol) / bytes(needed - 1), 'short-transport')


@case('malformed-padding-is-no-header', BOTH)
def padding_is_no_header(t, f: Family):
    """A total length that ends within the UDP header, though bytes follow: padding is not read as a header."""
    t.configure(f.service(['53/udp']))
    packet = raw(f.udp_to(f.http, b'padding'))
    if f.version == 4:
        packet = packet[:2] + (27).to_bytes(2, 'big') + packet[4:]
    else:
        packet = packet[:4] + (7).to_bytes(2, 'big') + packet[6:]
    t.malformed(packet, 'short-transport')


@case('malformed-transport-lies', BOTH)
def transport_lies(t, f: Family):
    """A TCP data offset or a UDP length that lies is the container's to judge: forwarded as it is."""
    t.configure(f.service(['80/tcp->8080', '80/udp->8080']))
    for number, offset in enumerate((0, 4, 15)):
        t.forward(lambda to: f.tcp_to(to, flags='S', seq=1, dataofs=offset, chksum=0xBEEF if to == f.http else
                                      translated(f, to)), 'known' if number else 'chosen')
    t.forward(lambda to: f.udp_to(to, b'abc', len=9, chksum=0xBEEF if to == f.http else translated(f, to)))


def translated(f, to):
    at = slice(16, 20) if f.version == 4 else slice(24, 40)
    before, after = (raw(f.tcp_to(end))[at] + end.port.to_bytes(2, 'big') for end in (f.http, to))
    return replaced(0xBEEF, before, after)
