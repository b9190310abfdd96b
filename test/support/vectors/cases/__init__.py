"""Every module here registers its cases when it is imported."""
from cases import (algorithms, all_protocols, closed, extensions, fragments, fragments_quoted, fragments_refused, hairpin,
                   hairpin_errors, icmp, ip, limits, links, malformed, pins, quoted, replies, scope, services, sources, table, tcp,
                   udp)
