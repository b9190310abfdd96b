"""Internet checksums worked out by hand, for what scapy does not sum up."""


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
