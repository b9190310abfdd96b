from packets import V4, V6, Family
from scapy.all import TCP, raw
from sums import replaced
from transcript import case

BOTH = (V4, V6)


@case('tcp-connection', BOTH, kernel=True)
def connection(t, f: Family):
    """A whole TCP connection through a port map, from SYN to the last ACK: only addresses, the public port and
    the checksums differ between the two ends (RFC 9293 section 3.1)."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1000, options=[('MSS', 1460), ('WScale', 7)]), 'chosen')
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=5000, ack=1001, options=[('MSS', 1460), ('WScale', 7)]))
    t.forward(lambda to: f.tcp_to(to, flags='A', seq=1001, ack=5001))
    t.forward(lambda to: f.tcp_to(to, b'GET / HTTP/1.1\r\n\r\n', flags='PA', seq=1001, ack=5001))
    t.reply(lambda of: f.tcp_from(of, flags='A', seq=5001, ack=1019))
    t.reply(lambda of: f.tcp_from(of, b'HTTP/1.1 204 No Content\r\n\r\n', flags='PA', seq=5001, ack=1019))
    t.forward(lambda to: f.tcp_to(to, flags='FA', seq=1019, ack=5028))
    t.reply(lambda of: f.tcp_from(of, flags='FA', seq=5028, ack=1020))
    t.forward(lambda to: f.tcp_to(to, flags='A', seq=1020, ack=5029))


@case('tcp-same-port', BOTH, kernel=True)
def same_port(t, f: Family):
    """Without a port map the port stays what it is, in both directions."""
    t.configure(f.service(['80/tcp']))
    web1 = f.web(1, port=80)
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen', to=web1)
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=9, ack=2), to=web1)


@case('tcp-reset-by-client', BOTH, kernel=True)
def reset_by_client(t, f: Family):
    """A client's RST reaches the container, also right after its SYN."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1000), 'chosen')
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=5000, ack=1001))
    t.forward(lambda to: f.tcp_to(to, flags='R', seq=1001))


@case('tcp-reset-by-container', BOTH, kernel=True)
def reset_by_container(t, f: Family):
    """A container's RST (nobody listens there) reaches the client from the public end."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1000), 'chosen')
    t.reply(lambda of: f.tcp_from(of, flags='RA', seq=0, ack=1001))


@case('tcp-odd-payload', BOTH, kernel=True)
def odd_payload(t, f: Family):
    """Payloads of odd length: the checksum's last byte counts as the high half of a word (RFC 1071 section 4.1)."""
    t.configure(f.service())
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1000), 'chosen')
    t.reply(lambda of: f.tcp_from(of, flags='SA', seq=5000, ack=1001))
    for payload in (b'\xff', b'odd', bytes(range(1, 256)) * 3):
        t.forward(lambda to: f.tcp_to(to, payload, flags='PA', seq=1001, ack=5001))
        t.reply(lambda of: f.tcp_from(of, payload, flags='PA', seq=5001, ack=1001))


@case('tcp-options', BOTH, kernel=True)
def options(t, f: Family):
    """TCP options (SACK, time stamps, an odd mix of NOPs) and the urgent pointer travel untouched."""
    t.configure(f.service())
    options = [('MSS', 1220), ('SAckOK', b''), ('Timestamp', (0x01020304, 0)), ('NOP', None), ('WScale', 9)]
    t.forward(lambda to: f.tcp_to(to, flags='SEC', seq=1000, options=options), 'chosen')
    t.reply(lambda of: f.tcp_from(of, flags='SAE', seq=5000, ack=1001, options=options))
    sack = [('NOP', None), ('NOP', None), ('SAck', (7000, 7500))]
    t.forward(lambda to: f.tcp_to(to, b'!', flags='PAU', seq=1001, ack=5001, urgptr=1, options=sack))


@case('tcp-wrong-checksum', BOTH, kernel=True)
def wrong_checksum(t, f: Family):
    """A checksum that arrives wrong leaves wrong by the same difference, so that the container still sees the
    damage: RFC 1624 equation 3, worked out here from the wrong input, and the kernel's NAT does the same."""
    t.configure(f.service())
    for wrong in (0x0000, 0x1234, 0xFFFF):
        t.forward(lambda to: f.tcp_to(to, b'damaged', flags='S', seq=1, chksum=translated(f, to, wrong)),
                  'chosen' if wrong == 0 else 'known')


def translated(f, to, wrong):
    """`wrong` at the public end; at the container's what RFC 1624 makes of it."""
    if to == f.http:
        return wrong
    return replaced(wrong, ends(f.tcp_to(f.http)), ends(f.tcp_to(to)))


def ends(packet):
    """The bytes that a rewrite changes: the address and the port."""
    header = raw(packet)
    address = header[16:20] if header[0] >> 4 == 4 else header[24:40]
    return address + raw(packet[TCP])[2:4]
