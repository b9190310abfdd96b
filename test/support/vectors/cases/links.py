from packets import V4, V6, End, Family
from scapy.all import ARP, Dot1AD, Dot1Q, Ether, raw
from transcript import LINKTYPE_ETHERNET, case

BOTH = (V4, V6)
MACS = {'src': '02:00:00:00:00:01', 'dst': '02:00:00:00:00:02'}


@case('link-ethernet', BOTH)
def ethernet(t, f: Family):
    """Ethernet frames, padded to the least length of 60 bytes and with a frame check sequence behind: what leaves
    is the IP packet."""
    t.configure(f.service(['53/udp->5353']))
    t.linktype = LINKTYPE_ETHERNET
    ends = dict(front=End('web', f.public, 53), to=f.web(1, port=5353))
    for number, payload in enumerate((b'', b'a longer query, above the least length')):
        t.forward(lambda to: f.udp_to(to, payload), 'known' if number else 'chosen',
                  wrap=lambda packet: raw(Ether(**MACS) / packet).ljust(60, b'\0') + b'\xfc\x5a\x5a\xfc', **ends)


@case('link-vlan', BOTH)
def vlan(t, f: Family):
    """Frames with an 802.1Q tag, and with an 802.1ad tag around one."""
    t.configure(f.service())
    t.linktype = LINKTYPE_ETHERNET
    tags = [lambda packet: Ether(**MACS) / Dot1Q(vlan=77, prio=3) / packet,
            lambda packet: Ether(**MACS) / Dot1AD(vlan=5) / Dot1Q(vlan=77) / packet]
    for number, wrap in enumerate(tags):
        t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'known' if number else 'chosen', wrap=wrap)


@case('link-without-ip', (V4,))
def without_ip(t, f: Family):
    """A frame without an IP packet passes a daemon by: it has a line and leaves nothing."""
    t.configure(f.service())
    t.linktype = LINKTYPE_ETHERNET
    t.step(Ether(**MACS) / ARP(pdst=f.public), None, 'pass', 'not-ours')
    t.forward(lambda to: f.tcp_to(to, flags='S', seq=1), 'chosen', wrap=lambda packet: Ether(**MACS) / packet)
