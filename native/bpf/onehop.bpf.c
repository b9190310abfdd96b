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
HASH(ports, __u32, struct fast_port);
HASH(straight, __u32, __u32); /* uplinks that answers leave without the neighbour's entry */

/* A look-up by place costs a tenth of one by hash: it needs no call. */
#define PLACES(name, kind, count, value_type) \
  struct {                                    \
    __uint(type, kind);                       \
    __uint(max_entries, count);               \
    __type(key, __u32);                       \
    __type(value, value_type);                \
  } name SEC(".maps")

PLACES(targets, BPF_MAP_TYPE_ARRAY, FAST_TARGETS, struct fast_target);
PLACES(traffic, BPF_MAP_TYPE_PERCPU_ARRAY, FAST_TARGETS, struct fast_traffic);
PLACES(routes, BPF_MAP_TYPE_PERCPU_ARRAY, 1 << FAST_ROUTE_BITS, struct fast_route);

static volatile struct fast_control control SEC(FAST_CONTROL);

#define FALL_THROUGH TC_ACT_UNSPEC
#define SECOND 1000000000ull
/* linux/if_packet.h */
#define PACKET_HOST 0
#define ADDRESS_FAMILY_4 2
#define ADDRESS_FAMILY_6 10

/* Both ends of a plain packet. */
struct plain {
  struct fast_address source, destination;
  __u16 source_port, destination_port;
  __u8 protocol, is_v6;
  __u16 transport;        /* from the frame's start */
  __u16 transport_length; /* of its header */
  __u32 length;           /* by the IP header */
};

/* What a program works on, one a processor. Without CAP_PERFMON the verifier puts a barrier behind each variable that is new
   on the stack (nospec_result in kernel/bpf/verifier.c), and each takes as long as ten instructions. */
struct work {
  struct plain packet;
  struct fast_end end;
  struct fast_source_key source;
  struct fast_address address; /* what one end becomes */
  __u16 port;                  /* likewise; 0: it stays */
  __u32 generation, container, place;
  __u64 jiffies, now; /* the coarse clock, in nanoseconds, and seconds */
  __u32 second;
  struct bpf_fib_lookup asked;
};

PLACES(works, BPF_MAP_TYPE_PERCPU_ARRAY, 1, struct work);

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
  return 0;
}

static __always_inline int parse_tcp(struct plain *packet, const struct tcphdr *tcp, const void *end) {
  if ((void *)(tcp + 1) > end || packet->length < packet->transport - ETH_HLEN + sizeof *tcp) return -1;
  packet->source_port = tcp->source;
  packet->destination_port = tcp->dest;
  packet->transport_length = tcp->doff * 4;
  return 0;
}

/* With a checksum or, over IPv4, without one: over IPv6 it must have one. */
static __always_inline int parse_udp(struct plain *packet, const struct udphdr *udp, const void *end, const int is_v6) {
  if ((void *)(udp + 1) > end || packet->length < packet->transport - ETH_HLEN + sizeof *udp) return -1;
  if (is_v6 && udp->check == 0) return -1;
  packet->source_port = udp->source;
  packet->destination_port = udp->dest;
  packet->transport_length = sizeof *udp;
  return 0;
}

static __always_inline int parse_plain(struct __sk_buff *skb, struct plain *packet, const int is_v6) {
  const __u32 transport = ETH_HLEN + (is_v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
  const __u32 most = transport + sizeof(struct tcphdr);
  if ((void *)(long)skb->data + most > (void *)(long)skb->data_end)
    bpf_skb_pull_data(skb, most < skb->len ? most : skb->len);
  packet->is_v6 = is_v6;
  packet->transport = transport;
  if (is_v6 ? parse_ipv6(skb, packet) : parse_ipv4(skb, packet)) return -1;
  if (packet->length + ETH_HLEN > skb->len) return -1;
  const void *header = (void *)(long)skb->data + transport, *end = (void *)(long)skb->data_end;
  if (packet->protocol == IPPROTO_TCP) return parse_tcp(packet, header, end);
  if (packet->protocol == IPPROTO_UDP) return parse_udp(packet, header, end, is_v6);
  return -1;
}

static __always_inline int parse(struct __sk_buff *skb, struct plain *packet) {
  if (skb->protocol == bpf_htons(ETH_P_IP)) return parse_plain(skb, packet, 0);
  if (skb->protocol == bpf_htons(ETH_P_IPV6)) return parse_plain(skb, packet, 1);
  return -1;
}

/* The coarse clock advances with jiffies, and these are read without a call. */
static __always_inline void read_clock(struct work *work) {
  const __u64 jiffies = bpf_jiffies64();
  if (work->jiffies == jiffies) return;
  work->jiffies = jiffies;
  work->now = bpf_ktime_get_coarse_ns();
  work->second = work->now / SECOND;
}

/* Null for all but plain packets, and when the time of the fast path is up. */
static __always_inline struct work *begin(struct __sk_buff *skb) {
  struct work *work = bpf_map_lookup_elem(&works, (const void *)&control.zero);
  if (!work || parse(skb, &work->packet)) return 0;
  read_clock(work);
  return work->now <= control.until ? work : 0;
}

/* The value of the end's own port, else of the one for every protocol and port. */
static __always_inline void *lookup_end(void *map, struct work *work, const struct fast_address *address, __u16 port) {
  work->end.address = *address;
  work->end.port = port;
  work->end.protocol = work->packet.protocol;
  work->end.is_v6 = work->packet.is_v6;
  void *found = bpf_map_lookup_elem(map, &work->end);
  if (found) return found;
  work->end.port = 0;
  work->end.protocol = 0;
  return bpf_map_lookup_elem(map, &work->end);
}

/* A source of the generation that is in force, and not silent for long. */
static __always_inline struct fast_source *lookup_source(struct work *work, const struct fast_address *source,
                                                         const struct fast_address *mask, __u32 scope, __u32 service) {
  work->source.source.high = source->high & mask->high;
  work->source.source.low = source->low & mask->low;
  work->source.scope = scope;
  work->source.service = service;
  struct fast_source *found = bpf_map_lookup_elem(&sources, &work->source);
  if (!found || found->generation != work->generation) return 0;
  const __s32 silent = work->second - found->seen;
  return silent <= FAST_SILENT_SECONDS ? found : 0;
}

/* Rare, and no part of the programs, where it would take the registers. */
static __noinline int is_in_watched(const struct fast_address *client, __u32 service, __u32 container) {
  if (control.sampled && bpf_get_prandom_u32() <= control.sampled) return 1;
  for (__u32 i = 0; i < FAST_WATCHES; i++) {
    const volatile struct fast_watch *watch = &control.watched[i];
    if (i < control.watches && (!watch->service || watch->service == service) &&
        (!watch->container || watch->container == container) &&
        (client->high & watch->mask.high) == watch->source.high && (client->low & watch->mask.low) == watch->source.low)
      return 1;
  }
  return 0;
}

static __always_inline int is_watched(const struct fast_address *client, __u32 service, __u32 container) {
  return (control.watches | control.sampled) && is_in_watched(client, service, container);
}

static __always_inline void count(struct fast_tally *tally, __u32 length) {
  tally->packets++;
  tally->bytes += length;
}

/* Unwritten, its cache line stays where it is. */
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

static __always_inline __u32 sum_offset(const struct plain *packet) {
  return packet->transport + (packet->protocol == IPPROTO_TCP ? __builtin_offsetof(struct tcphdr, check)
                                                              : __builtin_offsetof(struct udphdr, check));
}

/* UDP's zero stays zero, and a computed one goes out as ffff. */
static __always_inline __u64 sum_flags(const struct plain *packet) {
  return packet->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
}

/* The transport checksum by the difference only; a partial one follows the address and not the port. */
static __always_inline int replace_sum(struct __sk_buff *skb, const struct work *work, enum side side) {
  const struct plain *packet = &work->packet;
  const __u32 change = difference(side == SOURCE ? &packet->source : &packet->destination, &work->address);
  if (packet->is_v6) follow_header(skb, change);
  if (bpf_l4_csum_replace(skb, sum_offset(packet), 0, change, BPF_F_PSEUDO_HDR | sum_flags(packet))) return -1;
  const __u16 before = side == SOURCE ? packet->source_port : packet->destination_port;
  if (work->port == before) return 0;
  return bpf_l4_csum_replace(skb, sum_offset(packet), before, work->port, sizeof before | sum_flags(packet)) ? -1 : 0;
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

static __always_inline int write_port(struct udphdr *transport, const void *end, enum side side, __u16 port) {
  if ((void *)(transport + 1) > end) return -1;
  if (side == SOURCE)
    transport->source = port;
  else
    transport->dest = port;
  return 0;
}

/* One end and the hop. */
static __always_inline int rewrite(struct __sk_buff *skb, struct work *work, enum side side) {
  if (work->port == 0) work->port = side == SOURCE ? work->packet.source_port : work->packet.destination_port;
  if (replace_sum(skb, work, side)) return -1;
  void *network = (void *)(long)skb->data + ETH_HLEN;
  const void *end = (void *)(long)skb->data_end;
  if (work->packet.is_v6) {
    if (write_port(network + sizeof(struct ipv6hdr), end, side, work->port)) return -1;
    write_ipv6(network, side, &work->address);
  } else {
    if (write_port(network + sizeof(struct iphdr), end, side, work->port)) return -1;
    write_ipv4(network, side, &work->address);
  }
  return 0;
}

/* The longest IP packet that will be sent for this one: of what a device cuts into segments, each one counts. */
static __always_inline __u32 longest_sent(struct __sk_buff *skb, const struct plain *packet) {
  return skb->gso_size ? packet->transport - ETH_HLEN + packet->transport_length + skb->gso_size : packet->length;
}

static __always_inline int address_frame(struct __sk_buff *skb, const __u8 *destination, const __u8 *source) {
  struct ethhdr *ethernet = (void *)(long)skb->data;
  if ((void *)(ethernet + 1) > (void *)(long)skb->data_end) return -1;
  __builtin_memcpy(ethernet->h_dest, destination, ETH_ALEN);
  __builtin_memcpy(ethernet->h_source, source, ETH_ALEN);
  return 0;
}

/* A tag that the device took off stands beside the packet: its frame is of the VLAN's interface, not of this one. */
SEC("tc")
int request(struct __sk_buff *skb) {
  if (skb->pkt_type != PACKET_HOST || skb->vlan_present) return FALL_THROUGH;
  struct work *work = begin(skb);
  if (!work) return FALL_THROUGH;
  const struct plain *packet = &work->packet;
  const struct fast_front *front = lookup_end(&fronts, work, &packet->destination, packet->destination_port);
  if (!front) return FALL_THROUGH;
  work->port = front->target;
  work->generation = front->generation;
  struct fast_source *source = lookup_source(work, &packet->source, &front->mask, front->scope, front->service);
  if (!source) return FALL_THROUGH;
  work->place = source->target;
  const struct fast_target *target = bpf_map_lookup_elem(&targets, &work->place);
  if (!target || target->container != source->container || longest_sent(skb, packet) > target->mtu)
    return FALL_THROUGH;
  if (is_watched(&packet->source, target->service, target->container)) return FALL_THROUGH;

  work->address = target->address;
  if (source->port) work->port = source->port;
  if (rewrite(skb, work, DESTINATION) || address_frame(skb, target->destination, target->source)) return TC_ACT_SHOT;
  mark_seen(source, work->second);
  count_source(source, control.epoch, packet->length);
  struct fast_traffic *tallies = bpf_map_lookup_elem(&traffic, &source->target);
  if (tallies) count(&tallies->requests[source->is_pinned & 1], packet->length);
  return target->is_peer ? bpf_redirect_peer(target->interface, 0) : bpf_redirect(target->interface, 0);
}

static __always_inline int is_same(const struct fast_address *a, const struct fast_address *b) {
  return a->high == b->high && a->low == b->low;
}

/* Where the kernel would route a packet that comes from the public address. A length of 1 asks for the MTU. */
static __noinline int look_up_route(struct __sk_buff *skb, struct fast_route *route, struct work *work) {
  struct bpf_fib_lookup *asked = &work->asked;
  __builtin_memset(asked, 0, sizeof *asked);
  asked->ifindex = route->port.bridge;
  asked->tot_len = 1;
  if (work->packet.is_v6) {
    asked->family = ADDRESS_FAMILY_6;
    __builtin_memcpy(asked->ipv6_src, &route->address, sizeof route->address);
    __builtin_memcpy(asked->ipv6_dst, &route->client, sizeof route->client);
  } else {
    asked->family = ADDRESS_FAMILY_4;
    asked->ipv4_src = route->address.low >> 32;
    asked->ipv4_dst = route->client.low >> 32;
  }
  if (bpf_fib_lookup(skb, asked, sizeof *asked, 0) != BPF_FIB_LKUP_RET_SUCCESS) return -1;
  route->interface = asked->ifindex;
  route->mtu = asked->mtu_result;
  route->gateway.nh_family = asked->family; /* IPv4 routes may have an IPv6 gateway */
  __builtin_memcpy(route->gateway.ipv6_nh, asked->ipv6_dst, sizeof route->gateway.ipv6_nh);
  route->is_straight = bpf_map_lookup_elem(&straight, &route->interface) != 0;
  __builtin_memcpy(route->destination, asked->dmac, ETH_ALEN);
  __builtin_memcpy(route->source, asked->smac, ETH_ALEN);
  return 0;
}

/* The kernel's look-up costs more than all the rest. So it is asked once a second, and when its answer may be another one.
   Null where the neighbour is not known, or there is no route: that is the kernel's own business. */
static __always_inline struct fast_route *route_of(struct __sk_buff *skb, struct work *work) {
  const struct fast_address *client = &work->packet.destination, *address = &work->address;
  const __u64 mixed = (client->high ^ client->low ^ address->high ^ address->low) * 0x9e3779b97f4a7c15ull;
  work->place = mixed >> (64 - FAST_ROUTE_BITS);
  struct fast_route *route = bpf_map_lookup_elem(&routes, &work->place);
  if (!route) return 0;
  if (route->second == work->second && route->routes == control.routes && route->arrived == skb->ifindex &&
      is_same(&route->client, client) && is_same(&route->address, address))
    return route;
  route->second = 0; /* of nobody, should there be no route */
  route->routes = control.routes;
  route->arrived = skb->ifindex;
  route->client = *client;
  route->address = *address;
  const struct fast_port *port = bpf_map_lookup_elem(&ports, &route->arrived);
  if (!port) return 0;
  route->port = *port;
  if (look_up_route(skb, route, work)) return 0;
  route->second = work->second;
  return route;
}

/* Whether the frame is for this host to route, and not from one container on the bridge to its neighbour. */
static __always_inline int is_for_host(struct __sk_buff *skb, const struct fast_port *port) {
  const struct ethhdr *ethernet = (void *)(long)skb->data;
  if ((void *)(ethernet + 1) > (void *)(long)skb->data_end) return 0;
  for (int i = 0; i < ETH_ALEN; i++)
    if (ethernet->h_dest[i] != port->address[i]) return 0;
  return 1;
}

/* To the bridge's address it came as to somebody else's; where it goes on, it arrives. */
static __always_inline int go_straight(struct __sk_buff *skb, const struct fast_route *route) {
  if (address_frame(skb, route->destination, route->source) || bpf_skb_change_type(skb, PACKET_HOST))
    return TC_ACT_SHOT;
  return bpf_redirect_peer(route->interface, 0);
}

/* Through the neighbour's own entry: what is sent keeps it fresh. */
static __always_inline int leave(struct __sk_buff *skb, struct fast_route *route) {
  if (route->is_straight) return go_straight(skb, route);
  return bpf_redirect_neigh(route->interface, &route->gateway, sizeof route->gateway, 0);
}

SEC("tc")
int answer(struct __sk_buff *skb) {
  if (skb->vlan_present) return FALL_THROUGH;
  struct work *work = begin(skb);
  if (!work) return FALL_THROUGH;
  const struct plain *packet = &work->packet;
  const struct fast_endpoint *endpoint = lookup_end(&endpoints, work, &packet->source, packet->source_port);
  if (!endpoint) return FALL_THROUGH;
  work->address = endpoint->address;
  work->port = endpoint->port;
  work->generation = endpoint->generation;
  work->container = endpoint->container;
  struct fast_source *source =
      lookup_source(work, &packet->destination, &endpoint->mask, endpoint->scope, endpoint->service);
  if (!source || source->container != work->container) return FALL_THROUGH;
  if (is_watched(&packet->destination, work->source.service, work->container)) return FALL_THROUGH;
  struct fast_route *route = route_of(skb, work);
  if (!route || !is_for_host(skb, &route->port) || longest_sent(skb, packet) > route->mtu) return FALL_THROUGH;

  if (rewrite(skb, work, SOURCE)) return TC_ACT_SHOT;
  mark_seen(source, work->second);
  struct fast_traffic *tallies = bpf_map_lookup_elem(&traffic, &source->target);
  if (tallies) count(&tallies->answers, packet->length);
  return leave(skb, route);
}

/* The kernel's clock and routing helpers are for GPL programs only: loaded, these sources are under their GPL-2.0. */
char LICENSE[] SEC("license") = "GPL";
