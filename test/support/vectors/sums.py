"""Internet checksums worked out by hand, for what scapy does not sum up."""
from scapy.all import raw
from scapy.layers.inet import in4_pseudoheader
from scapy.layers.inet6 import PseudoIPv6
from scapy.utils import checksum


def summed(f, src, dst, proto, segment, at):
    """A segment of zeros at `at`, with its checksum over a pseudo header and itself there."""
    sum = checksum(pseudo_header(f, f.ip(src, dst, proto=proto), proto, len(segment)) + segment)
    return segment[:at] + sum.to_bytes(2, 'big') + segment[at + 2:]


def pseudo_header(f, packet, proto, length):
    if f.version == 4:
        return in4_pseudoheader(proto, packet, length)
    return raw(PseudoIPv6(src=packet.src, dst=packet.dst, uplen=length, nh=proto))


def replaced(checksum, before, after):
    """RFC 1624 equation 3, HC' = ~(~HC + ~m + m'), word by word."""
    total = ~checksum & 0xFFFF
    for at in range(0, len(before), 2):
        total += (~word(before, at) & 0xFFFF) + word(after, at)
    return ~folded(total) & 0xFFFF


def folded(total):
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def word(data, at):
    return int.from_bytes(data[at:at + 2], 'big')
