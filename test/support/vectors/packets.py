"""The hosts that cases talk about, and packets between them in either family."""
from dataclasses import dataclass

from config import Container, Service
from scapy.all import ICMP, IP, TCP, UDP, ICMPv6EchoReply, ICMPv6EchoRequest, IPv6


@dataclass(frozen=True)
class End:
    """An end of a packet: a service's public end, or a container's. `name` is the service's or the container's."""
    name: str
    address: str
    port: int = 0


@dataclass(frozen=True)
class Family:
    """The same hosts in IPv4 or IPv6."""
    version: int
    client: str
    neighbour: str  # in the client's /24 or /64
    stranger: str  # in another one
    public: str
    public2: str
    containers: tuple  # addresses of web-1, web-2, web-3

    @property
    def http(self):
        return End('web', self.public, 80)

    def web(self, number, port=8080):
        return End(f'web-{number}', self.containers[number - 1], port)

    def container(self, number, **fields):
        return Container(f'web-{number}', **{self.address_field: self.containers[number - 1]}, **fields)

    @property
    def address_field(self):
        return 'address' if self.version == 4 else 'address6'

    def service(self, ports=('80/tcp->8080',), containers=1, **fields):
        """The service web: `containers` says how many, or lists them."""
        if isinstance(containers, int):
            containers = [self.container(number + 1) for number in range(containers)]
        ports = ports if ports == 'all' else list(ports)
        return Service(**{'name': 'web', 'addresses': [self.public], 'ports': ports, 'containers': containers} | fields)

    def ip(self, src, dst, **fields):
        """`tos` is IPv6's traffic class, `ttl` its hop limit, `proto` its next header."""
        if self.version == 4:
            return IP(**{'src': src, 'dst': dst, 'id': 0x1234} | fields)
        names = {'tos': 'tc', 'ttl': 'hlim', 'proto': 'nh'}
        return IPv6(src=src, dst=dst, **{names.get(name, name): value for name, value in fields.items()})

    def tcp_to(self, end, payload=b'', client=None, port=40000, ip={}, **fields):
        return self.ip(client or self.client, end.address, **ip) / TCP(sport=port, dport=end.port, **fields) / payload

    def tcp_from(self, end, payload=b'', client=None, port=40000, ip={}, **fields):
        return self.ip(end.address, client or self.client, **ip) / TCP(sport=end.port, dport=port, **fields) / payload

    def udp_to(self, end, payload=b'', client=None, port=40000, ip={}, **fields):
        return self.ip(client or self.client, end.address, **ip) / UDP(sport=port, dport=end.port, **fields) / payload

    def udp_from(self, end, payload=b'', client=None, port=40000, ip={}, **fields):
        return self.ip(end.address, client or self.client, **ip) / UDP(sport=end.port, dport=port, **fields) / payload

    def echo_request(self, end, payload=b'ping', client=None, ip={}):
        return self.ip(client or self.client, end.address, **ip) / self.echo('request', payload)

    def echo_reply(self, end, payload=b'ping', client=None, ip={}):
        return self.ip(end.address, client or self.client, **ip) / self.echo('reply', payload)

    def echo(self, kind, payload):
        if self.version == 4:
            return ICMP(type={'request': 8, 'reply': 0}[kind], id=7, seq=1) / payload
        return {'request': ICMPv6EchoRequest, 'reply': ICMPv6EchoReply}[kind](id=7, seq=1, data=payload)


V4 = Family(4, '198.51.100.7', '198.51.100.9', '192.0.2.33', '203.0.113.10', '203.0.113.11',
            ('10.77.0.11', '10.77.0.12', '10.77.0.13'))
V6 = Family(6, '2001:db8:1::7', '2001:db8:1::9', '2001:db8:2::33', '2001:db8:53::10', '2001:db8:53::11',
            ('fd77::11', 'fd77::12', 'fd77::13'))
