"""Every module here registers its cases when it is imported."""
from cases import (all_protocols, closed, extensions, fragments, icmp, ip, links, malformed, pins, quoted, services, table,
                   tcp, udp)
