"""Which container a source that nobody knows yet gets: SipHash-2-4, Maglev and the rest in plain Python, written from the
papers and from what src/table says in words, so that the vectors do not take the choice from the code they test."""
from fractions import Fraction
from functools import lru_cache
from ipaddress import ip_address, ip_network
from math import gcd
from struct import unpack

WORD = (1 << 64) - 1


def rotate(value, bits):
    return (value << bits | value >> 64 - bits) & WORD


def siphash(key, message):
    """SipHash-2-4 (Aumasson and Bernstein, 2012, section 2) of bytes under a 16-byte key: a 64-bit number."""
    k0, k1 = unpack('<QQ', key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    padding = bytes(-(len(message) + 1) % 8) + bytes([len(message) & 0xFF])
    for (word,) in (unpack('<Q', (message + padding)[at:at + 8]) for at in range(0, len(message) + 1, 8)):
        v[3] ^= word
        for _ in range(2):
            sip_round(v)
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(4):
        sip_round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def sip_round(v):
    v[0] = v[0] + v[1] & WORD
    v[2] = v[2] + v[3] & WORD
    v[1] = rotate(v[1], 13) ^ v[0]
    v[3] = rotate(v[3], 16) ^ v[2]
    v[0] = rotate(v[0], 32)
    v[2] = v[2] + v[1] & WORD
    v[0] = v[0] + v[3] & WORD
    v[1] = rotate(v[1], 17) ^ v[2]
    v[3] = rotate(v[3], 21) ^ v[0]
    v[2] = rotate(v[2], 32)


def check_siphash():
    """The paper's appendix A, and vectors.h of its authors' reference code: key 00 … 0f, input 00 01 02 …"""
    published = {0: 0x726FDB47DD0E0E31, 1: 0x74F839C593DC67FD, 2: 0x0D6C8009D9A94F5A, 7: 0xAB0200F58B01D137,
                 8: 0x93F5F5799A932462, 15: 0xA129CA6149BE45E5}
    for length, expected in published.items():
        assert siphash(bytes(range(16)), bytes(range(length))) == expected, f'SipHash of {length} bytes'


check_siphash()

SIZES = (1021, 4093, 16381, 65521, 262139, 1048573)


@lru_cache
def maglev(shares, key):
    """Rows of container names (Maglev, NSDI 2016, section 3.4) for (name, weight) pairs. A name walks the rows from
    h(name 00) mod M in steps of 1 + h(name 01) mod (M - 1); names take turns in their order. With weights a name
    takes part in a turn once its own have added up to the heaviest's."""
    weights = dict(shares)
    size = next((size for size in SIZES if size >= 100 * len(weights)), SIZES[-1])
    rows = [None] * size
    steps = {name: 1 + siphash(key, name.encode() + b'\1') % (size - 1) for name in weights}
    places = {name: siphash(key, name.encode() + b'\0') % size for name in weights}
    saved = dict.fromkeys(weights, 0)
    free = size
    while True:
        for name in sorted(weights):
            saved[name] += weights[name]
            if saved[name] < max(weights.values()):
                continue
            saved[name] -= max(weights.values())
            while rows[places[name]] is not None:
                places[name] = (places[name] + steps[name]) % size
            rows[places[name]] = name
            free -= 1
            if free == 0:
                return rows


def turns(shares):
    """A whole cycle of weighted round robin. A name has saved up for its k-th turn by the round in which k times the
    heaviest weight fits into as many of its own; in a round names take turns in their order."""
    heaviest = max(weight for _, weight in shares)
    rounds = heaviest // gcd(*(weight for _, weight in shares))
    due = [(-(-k * heaviest // weight), name) for name, weight in shares for k in range(1, rounds * weight // heaviest + 1)]
    return [name for _, name in sorted(due)]


def takers(service, client):
    """Name and weight of those that take such a client, in the order of the list."""
    is4 = ip_address(client).version == 4
    return tuple((c.name, c.weight) for c in service.containers if c.weight > 0 and (c.address if is4 else c.address6))


def choose(service, client, key):
    """The name of the container that Maglev gives an unknown client."""
    rows = maglev(takers(service, client), key)
    return rows[siphash(key, hashed_form(source_of(service, client))) % len(rows)]


def choose_pinned(service, names, client, key):
    """The same for a client that is pinned to some of the containers: Maglev over these alone."""
    rows = maglev(tuple(share for share in takers(service, client) if share[0] in names), key)
    return rows[siphash(key, hashed_form(source_of(service, client))) % len(rows)]


class Chooser:
    """The other algorithms go by what was before: whose turn it is, and how many sources each container has."""

    def __init__(self, service, key):
        self.service, self.key = service, key
        self.turn = 0
        self.sources = dict.fromkeys((c.name for c in service.containers), 0)

    def round_robin(self, client):
        cycle = turns(takers(self.service, client))
        self.turn += 1
        return cycle[(self.turn - 1) % len(cycle)]

    def least_sources(self, client):
        """Ties go to the first of them round the list, from the place that a hash of the source names."""
        names = takers(self.service, client)
        start = self.hash(client) % len(names)
        round_the_list = names[start:] + names[:start]
        return min(round_the_list, key=self.load)[0]

    def random_two(self, client):
        """Two of Maglev's rows, by either half of the hash; of equals the first."""
        shares = takers(self.service, client)
        rows = maglev(shares, self.key)
        high, low = divmod(self.hash(client), 1 << 32)
        return min((rows[low % len(rows)], rows[high % len(rows)]), key=lambda name: self.load((name, dict(shares)[name])))

    def load(self, share):
        """With one source more, for each unit of weight."""
        name, weight = share
        return Fraction(self.sources[name] + 1, weight)

    def hash(self, client):
        """Of the source and a hash of the service's name, cut to 32 bits."""
        seed = siphash(self.key, self.service.name.encode()) & 0xFFFFFFFF
        return siphash(self.key, hashed_form(source_of(self.service, client)) + seed.to_bytes(4, 'little'))


def source_of(service, client):
    """A client as the table knows it: its address masked to the service's affinity prefix."""
    address = ip_address(client)
    whole = address.max_prefixlen
    prefix = service.affinity.get(f'prefix{address.version}', whole)
    network = ip_network((client, prefix), strict=False)
    return str(network) if prefix < whole else str(address)


def hashed_form(source):
    """16 bytes for either family: IPv4 as ::ffff:a.b.c.d."""
    address = ip_address(source.split('/')[0])
    return address.packed if address.version == 6 else bytes(10) + b'\xff\xff' + address.packed
