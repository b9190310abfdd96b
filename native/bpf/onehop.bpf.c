/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * The fast path: a known source's packets go from the uplink straight to the container, and its answers straight back,
 * without leaving the kernel. Two programs at tc ingress: `request` on uplinks, `answer` on the bridges' ports.
 *
 * Only the plain case is handled: TCP or UDP without IP options or extension headers, no fragment, a source whose entry
 * native/src/fastpath has put into `sources`. Everything else is left as it came (TC_ACT_UNSPEC), takes the route into
 * the TUN, and gets its verdict there. So a map that misses something costs time and never changes a decision.
 *
 * What is done to a packet is native/src/pipeline's forward and reply, with the hop counted, which a packet of the slow
 * path leaves to the kernel's routing.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps.h"

/* Sizes are set before loading (native/src/fastpath/program.cc). What is not preallocated costs what is in it. */
#define HASH(name, key_type, value_type)      \
  struct {                                    \
    __uint(type, BPF_MAP_TYPE_HASH);          \
    __uint(map_flags, BPF_F_NO_PREALLOC);     \
    __uint(max_entries, 1);                   \
    __type(key, key_type);                    \
    __type(value, value_type);                \
  } name SEC(".maps")

HASH(fronts, struct fast_end, struct fast_front);
HASH(endpoints, struct fast_end, struct fast_endpoint);
HASH(sources, struct fast_source_key, struct fast_source);
HASH(targets, struct fast_target_key, struct fast_target);
HASH(ports, __u32, struct fast_port);

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1);
  __type(key, struct fast_traffic_key);
  __type(value, struct fast_traffic);
} traffic SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct fast_control);
} control SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1 << FAST_ROUTE_BITS);
  __type(key, __u32);
  __type(value, struct fast_route);
} routes SEC(".maps");

#define FALL_THROUGH TC_ACT_UNSPEC
#define SECOND 1000000000ull
/* linux/if_packet.h */
#define PACKET_HOST 0
#define ADDRESS_FAMILY_4 2
#define ADDRESS_FAMILY_6 10

/* Both ends of a plain packet. Its family is an argument everywhere, a constant once all is inlined: the verifier then
   sees two programs that each know their headers' lengths. */
struct plain {
  struct fast_address source, destination;
  __u16 source_port, destination_port;
  __u8 protocol;
  __u16 transport;        /* from the frame's start */
  __u16 transport_length; /* of its header */
  __u32 length;           /* by the IP header */
};

static __always_inline struct fast_address mapped(__be32 address) {
  return (struct fast_address){0, (__u64)address << 32 | 0xffff0000u};
}

static __always_inline struct fast_address address_of(const struct in6_addr *address) {
  struct fast_address loaded;
  __builtin_memcpy(&loaded, address, sizeof loaded);
  return loaded;
}

static __always_inline int parse_ipv4(struct __sk_buff *skb, struct plain *packet) {
  const void *end = (void *)(long)skb->data_end;
  const struct iphdr *ip = (void *)(long)skb->data + ETH_HLEN;
  if ((void *)(ip + 1) > end) return -1;
  if (ip->version != 4 || ip->ihl != 5 || ip->ttl <= 1) return -1;
  if (ip->frag_off & bpf_htons(0x3fff)) return -1;
  packet->length = bpf_ntohs(ip->tot_len);
  packet->protocol = ip->protocol;
  packet->source = mapped(ip->saddr);
  packet->destination = mapped(ip->daddr);
  packet->transport = ETH_HLEN + sizeof *ip;
  return 0;
}

static __always_inline int parse_ipv6(struct __sk_buff *skb, struct plain *packet) {
  const void *end = (void *)(long)skb->data_end;
  const struct ipv6hdr *ip = (void *)(long)skb->data + ETH_HLEN;
  if ((void *)(ip + 1) > end) return -1;
  if (ip->version != 6 || ip->hop_limit <= 1) return -1;
  packet->length = sizeof *ip + bpf_ntohs(ip->payload_len);
  packet->protocol = ip->nexthdr;
  packet->source = address_of(&ip->saddr);
  packet->destination = address_of(&ip->daddr);
  packet->transport = ETH_HLEN + sizeof *ip;
  return 0;
}

/* TCP whose fixed header is there; UDP with a checksum or, over IPv4, without one: over IPv6 it must have one. */
static __always_inline int parse_transport(struct __sk_buff *skb, struct plain *packet, const int is_v6) {
  const void *end = (void *)(long)skb->data_end;
  const void *header = (void *)(long)skb->data + packet->transport;
  const __u32 needed = packet->protocol == IPPROTO_TCP ? sizeof(struct tcphdr) : sizeof(struct udphdr);
  if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP) return -1;
  if (header + sizeof(struct udphdr) > end) return -1;
  if (packet->protocol == IPPROTO_TCP && header + sizeof(struct tcphdr) > end) return -1;
  if (packet->length < packet->transport - ETH_HLEN + needed) return -1;
  const struct udphdr *udp = header;
  if (is_v6 && packet->protocol == IPPROTO_UDP && udp->check == 0) return -1;
  const struct tcphdr *tcp = header;
  packet->transport_length = packet->protocol == IPPROTO_TCP ? tcp->doff * 4 : sizeof *udp;
  packet->source_port = udp->source;
  packet->destination_port = udp->dest;
  return 0;
}

static __always_inline __u32 network_length(const int is_v6) {
  return is_v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

static __always_inline int parse_plain(struct __sk_buff *skb, struct plain *packet, const int is_v6) {
  const __u32 most = ETH_HLEN + network_length(is_v6) + sizeof(struct tcphdr);
  if ((void *)(long)skb->data + most > (void *)(long)skb->data_end)
    bpf_skb_pull_data(skb, most < skb->len ? most : skb->len);
  if (is_v6 ? parse_ipv6(skb, packet) : parse_ipv4(skb, packet)) return -1;
  if (packet->length + ETH_HLEN > skb->len) return -1;
  return parse_transport(skb, packet, is_v6);
}

/* The value of the end's own port, else of the one for every protocol and port. */
static __always_inline void *lookup_end(void *map, struct fast_address address, __u8 protocol, __u16 port,
                                        const int is_v6) {
  struct fast_end end = {.address = address, .port = port, .protocol = protocol, .is_v6 = is_v6};
  void *found = bpf_map_lookup_elem(map, &end);
  if (found) return found;
  end.port = 0;
  end.protocol = 0;
  return bpf_map_lookup_elem(map, &end);
}

/* A source of the generation that is in force, and not silent for long. */
static __always_inline struct fast_source *lookup_source(struct fast_address source, const struct fast_address *mask,
                                                         __u32 scope, __u32 service, __u32 generation, __u32 now) {
  const struct fast_source_key key = {{source.high & mask->high, source.low & mask->low}, scope, service};
  struct fast_source *found = bpf_map_lookup_elem(&sources, &key);
  if (!found || found->generation != generation) return 0;
  const __s32 silent = now - found->seen;
  return silent <= FAST_SILENT_SECONDS ? found : 0;
}

/* Null when the time is up. */
static __always_inline const struct fast_control *control_at(__u64 now) {
  const __u32 first = 0;
  const struct fast_control *said = bpf_map_lookup_elem(&control, &first);
  return said && now <= said->until ? said : 0;
}

static __always_inline int is_watched(const struct fast_control *said, const struct fast_address *client, __u32 service,
                                      __u32 container) {
  if (!said->watches) return 0;
  for (__u32 i = 0; i < FAST_WATCHES; i++) {
    const struct fast_watch *watch = &said->watched[i];
    if (i < said->watches && (!watch->service || watch->service == service) &&
        (!watch->container || watch->container == container) &&
        (client->high & watch->mask.high) == watch->source.high && (client->low & watch->mask.low) == watch->source.low)
      return 1;
  }
  return 0;
}

static __always_inline void count(struct fast_tally *tally, __u32 length) {
  tally->packets++;
  tally->bytes += length;
}

static __always_inline void mark_seen(struct fast_source *source, __u32 now) {
  if (source->seen != now) source->seen = now;
}

/* One that several processors begin anew at the same moment may lose a packet. */
static __always_inline void count_source(struct fast_source *source, __u32 epoch, __u32 length) {
  struct fast_epoch_tally *tally = &source->tallies[epoch & 1];
  if (tally->epoch != epoch) {
    tally->epoch = epoch;
    tally->packets = 0;
    tally->bytes = 0;
  }
  __sync_fetch_and_add(&tally->packets, 1);
  __sync_fetch_and_add(&tally->bytes, length);
}

static __always_inline __u16 fold(__u32 sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16);
}

/* What the change of an address adds to a sum, as bpf_csum_diff says for five times the price. */
static __always_inline __u32 difference(const struct fast_address *before, const struct fast_address *after) {
  __u64 sum = (__u64)(__u32)~before->high + (~before->high >> 32) + (__u32)~before->low + (~before->low >> 32);
  sum += (__u64)(__u32)after->high + (after->high >> 32) + (__u32)after->low + (after->low >> 32);
  sum = (__u32)sum + (sum >> 32);
  return (__u32)sum + (sum >> 32);
}

enum side { SOURCE, DESTINATION };

/* A sum over the whole packet (CHECKSUM_COMPLETE) is brought along by bpf_l4_csum_replace as if a header checksum made
   up for address and hop, which over IPv6 none does. */
static __always_inline void follow_header(struct __sk_buff *skb, __u32 change) {
  const __u64 sum = (__u64)change + (__u16)~bpf_htons(0x0001);
  bpf_csum_update(skb, (__u32)sum + (__u32)(sum >> 32));
}

/* The transport checksum by the difference only; a partial one follows the address and not the port. */
static __always_inline int replace_sum(struct __sk_buff *skb, const struct plain *packet,
                                       const struct fast_address *before, const struct fast_address *after,
                                       __u16 port_before, __u16 port_after, const int is_v6) {
  const __u64 mangled = packet->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
  const __u32 at = packet->transport + (packet->protocol == IPPROTO_TCP ? __builtin_offsetof(struct tcphdr, check)
                                                                       : __builtin_offsetof(struct udphdr, check));
  const __u32 change = difference(before, after);
  if (bpf_l4_csum_replace(skb, at, 0, change, BPF_F_PSEUDO_HDR | mangled)) return -1;
  if (is_v6) follow_header(skb, change);
  if (port_before == port_after) return 0;
  return bpf_l4_csum_replace(skb, at, port_before, port_after, sizeof port_after | mangled) ? -1 : 0;
}

/* RFC 1624 equation 3 over an address and the time to live, which counts in the high byte of its word. */
static __always_inline void write_ipv4(struct iphdr *ip, enum side side, const struct fast_address *after) {
  const __be32 address = after->low >> 32;
  const __be32 before = side == SOURCE ? ip->saddr : ip->daddr;
  const __u32 hop = (__u16)~bpf_htons(0x0100);
  const __u32 sum = (__u16)~ip->check + (__u16)~(before & 0xffff) + (__u16)~(before >> 16) + (address & 0xffff) +
                    (address >> 16) + hop;
  ip->check = ~fold(sum);
  ip->ttl--;
  if (side == SOURCE)
    ip->saddr = address;
  else
    ip->daddr = address;
}

static __always_inline void write_ipv6(struct ipv6hdr *ip, enum side side, const struct fast_address *after) {
  __builtin_memcpy(side == SOURCE ? &ip->saddr : &ip->daddr, after, sizeof *after);
  ip->hop_limit--;
}

/* One end and the hop. */
static __always_inline int rewrite(struct __sk_buff *skb, const struct plain *packet, enum side side,
                                   const struct fast_address *address, __u16 port, const int is_v6) {
  const struct fast_address *before = side == SOURCE ? &packet->source : &packet->destination;
  const __u16 port_before = side == SOURCE ? packet->source_port : packet->destination_port;
  if (port == 0) port = port_before;
  if (replace_sum(skb, packet, before, address, port_before, port, is_v6)) return -1;

  void *network = (void *)(long)skb->data + ETH_HLEN;
  struct udphdr *transport = network + network_length(is_v6);
  if ((void *)(transport + 1) > (void *)(long)skb->data_end) return -1;
  if (is_v6)
    write_ipv6(network, side, address);
  else
    write_ipv4(network, side, address);
  if (side == SOURCE)
    transport->source = port;
  else
    transport->dest = port;
  return 0;
}

/* The longest IP packet that will be sent for this one: of what a device cuts into segments, each one counts. */
static __always_inline __u32 longest_sent(struct __sk_buff *skb, const struct plain *packet) {
  return skb->gso_size ? packet->transport - ETH_HLEN + packet->transport_length + skb->gso_size : packet->length;
}

static __always_inline int address_frame(struct __sk_buff *skb, const struct fast_target *target) {
  struct ethhdr *ethernet = (void *)(long)skb->data;
  if ((void *)(ethernet + 1) > (void *)(long)skb->data_end) return -1;
  __builtin_memcpy(ethernet->h_dest, target->destination, ETH_ALEN);
  __builtin_memcpy(ethernet->h_source, target->source, ETH_ALEN);
  return 0;
}

static __always_inline int forward(struct __sk_buff *skb, const int is_v6) {
  struct plain packet = {};
  if (parse_plain(skb, &packet, is_v6)) return FALL_THROUGH;
  const struct fast_front *front =
      lookup_end(&fronts, packet.destination, packet.protocol, packet.destination_port, is_v6);
  if (!front) return FALL_THROUGH;
  const __u64 now = bpf_ktime_get_coarse_ns();
  struct fast_source *source = lookup_source(packet.source, &front->mask, front->scope, front->service,
                                             front->generation, now / SECOND);
  if (!source) return FALL_THROUGH;

  const struct fast_target_key to = {source->container, is_v6};
  const struct fast_target *target = bpf_map_lookup_elem(&targets, &to);
  const struct fast_traffic_key of = {front->service, source->container};
  struct fast_traffic *tallies = bpf_map_lookup_elem(&traffic, &of);
  const struct fast_control *said = control_at(now);
  if (!target || !tallies || !said || longest_sent(skb, &packet) > target->mtu) return FALL_THROUGH;
  if (is_watched(said, &packet.source, front->service, source->container)) return FALL_THROUGH;

  const __u16 port = source->port ? source->port : front->target;
  if (rewrite(skb, &packet, DESTINATION, &target->address, port, is_v6) || address_frame(skb, target))
    return TC_ACT_SHOT;
  mark_seen(source, now / SECOND);
  count_source(source, said->epoch, packet.length);
  count(source->is_pinned ? &tallies->pinned : &tallies->known, packet.length);
  return target->is_peer ? bpf_redirect_peer(target->interface, 0) : bpf_redirect(target->interface, 0);
}

/* A tag that the device took off stands beside the packet: its frame is of the VLAN's interface, not of this one. */
SEC("tc")
int request(struct __sk_buff *skb) {
  if (skb->pkt_type != PACKET_HOST || skb->vlan_present) return FALL_THROUGH;
  if (skb->protocol == bpf_htons(ETH_P_IP)) return forward(skb, 0);
  if (skb->protocol == bpf_htons(ETH_P_IPV6)) return forward(skb, 1);
  return FALL_THROUGH;
}

static __always_inline int is_same(const struct fast_address *a, const struct fast_address *b) {
  return a->high == b->high && a->low == b->low;
}

/* Where the kernel would route a packet that comes from the public address. A length of 1 asks for the MTU. */
static __always_inline int look_up_route(struct __sk_buff *skb, struct fast_route *route, const int is_v6) {
  struct bpf_fib_lookup asked = {.ifindex = route->bridge, .tot_len = 1};
  if (is_v6) {
    asked.family = ADDRESS_FAMILY_6;
    __builtin_memcpy(asked.ipv6_src, &route->address, sizeof route->address);
    __builtin_memcpy(asked.ipv6_dst, &route->client, sizeof route->client);
  } else {
    asked.family = ADDRESS_FAMILY_4;
    asked.ipv4_src = route->address.low >> 32;
    asked.ipv4_dst = route->client.low >> 32;
  }
  if (bpf_fib_lookup(skb, &asked, sizeof asked, 0) != BPF_FIB_LKUP_RET_SUCCESS) return -1;
  route->interface = asked.ifindex;
  route->mtu = asked.mtu_result;
  route->gateway_family = asked.family;
  __builtin_memcpy(route->gateway, asked.ipv6_dst, sizeof route->gateway);
  return 0;
}

/* The kernel's look-up costs more than all the rest. So it is asked once a second, and when its answer may be another one.
   Null where the neighbour is not known, or there is no route: that is the kernel's own business. */
static __always_inline const struct fast_route *route_of(struct __sk_buff *skb, const struct fast_address *client,
                                                         const struct fast_address *address, __u32 bridge,
                                                         __u32 second, __u32 generation, const int is_v6) {
  const __u64 mixed = (client->high ^ client->low ^ address->high ^ address->low) * 0x9e3779b97f4a7c15ull;
  const __u32 place = mixed >> (64 - FAST_ROUTE_BITS);
  struct fast_route *route = bpf_map_lookup_elem(&routes, &place);
  if (!route) return 0;
  if (route->second == second && route->routes == generation && route->bridge == bridge &&
      is_same(&route->client, client) && is_same(&route->address, address))
    return route;
  route->client = *client;
  route->address = *address;
  route->bridge = bridge;
  route->second = 0; /* of nobody, should there be no route */
  if (look_up_route(skb, route, is_v6)) return 0;
  route->second = second;
  route->routes = generation;
  return route;
}

/* Through the neighbour's own entry: what is sent keeps it fresh. */
static __always_inline int leave(const struct fast_route *route) {
  struct bpf_redir_neigh neighbour = {.nh_family = route->gateway_family};
  __builtin_memcpy(neighbour.ipv6_nh, route->gateway, sizeof neighbour.ipv6_nh);
  return bpf_redirect_neigh(route->interface, &neighbour, sizeof neighbour, 0);
}

/* Whether the frame is for this host to route, and not from one container on the bridge to its neighbour. */
static __always_inline const struct fast_port *port_of(struct __sk_buff *skb) {
  const __u32 arrived = skb->ifindex;
  const struct fast_port *port = bpf_map_lookup_elem(&ports, &arrived);
  const struct ethhdr *ethernet = (void *)(long)skb->data;
  if (!port || (void *)(ethernet + 1) > (void *)(long)skb->data_end) return 0;
  for (int i = 0; i < ETH_ALEN; i++)
    if (ethernet->h_dest[i] != port->address[i]) return 0;
  return port;
}

static __always_inline int reply(struct __sk_buff *skb, const int is_v6) {
  struct plain packet = {};
  if (parse_plain(skb, &packet, is_v6)) return FALL_THROUGH;
  const struct fast_endpoint *endpoint =
      lookup_end(&endpoints, packet.source, packet.protocol, packet.source_port, is_v6);
  if (!endpoint) return FALL_THROUGH;
  const __u64 now = bpf_ktime_get_coarse_ns();
  struct fast_source *source = lookup_source(packet.destination, &endpoint->mask, endpoint->scope, endpoint->service,
                                             endpoint->generation, now / SECOND);
  if (!source || source->container != endpoint->container) return FALL_THROUGH;

  const struct fast_port *port = port_of(skb);
  const struct fast_traffic_key of = {endpoint->service, endpoint->container};
  struct fast_traffic *tallies = bpf_map_lookup_elem(&traffic, &of);
  const struct fast_control *said = control_at(now);
  if (!port || !tallies || !said) return FALL_THROUGH;
  if (is_watched(said, &packet.destination, endpoint->service, endpoint->container)) return FALL_THROUGH;
  const struct fast_route *route = route_of(skb, &packet.destination, &endpoint->address, port->bridge, now / SECOND,
                                            said->routes, is_v6);
  if (!route || longest_sent(skb, &packet) > route->mtu) return FALL_THROUGH;

  if (rewrite(skb, &packet, SOURCE, &endpoint->address, endpoint->port, is_v6)) return TC_ACT_SHOT;
  mark_seen(source, now / SECOND);
  count(&tallies->answers, packet.length);
  return leave(route);
}

SEC("tc")
int answer(struct __sk_buff *skb) {
  if (skb->vlan_present) return FALL_THROUGH;
  if (skb->protocol == bpf_htons(ETH_P_IP)) return reply(skb, 0);
  if (skb->protocol == bpf_htons(ETH_P_IPV6)) return reply(skb, 1);
  return FALL_THROUGH;
}

/* The kernel's clock and routing helpers are for GPL programs only: loaded, these sources are under their GPL-2.0. */
char LICENSE[] SEC("license") = "GPL";
