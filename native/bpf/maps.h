/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * What the fast path's programs and native/src/fastpath share: the layout of keys and values. No padding anywhere, since
 * the kernel hashes and compares keys byte by byte. Ports and addresses are in network order, IPv4 addresses mapped into
 * IPv6 (::ffff:a.b.c.d), as in native/src/packet/address.h.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

struct fast_address {
  __u64 high, low;
};

/* Address, protocol and port of a public way in, or of a container's endpoint. Protocol and port 0: all. */
struct fast_end {
  struct fast_address address;
  __u16 port;
  __u8 protocol;
  __u8 is_v6;
  __u32 zero;
};

/* By fast_end: a public way in whose known sources may be forwarded here. */
struct fast_front {
  struct fast_address mask; /* the service's affinity prefix */
  __u32 scope;              /* with the family in its lowest bit */
  __u32 service;
  __u32 generation; /* a source of another generation was decided by another snapshot */
  __u16 target;     /* the containers' port; 0: the packet's own */
  __u16 zero;
};

/* By fast_end: a container's endpoint that exactly one way in leads to. */
struct fast_endpoint {
  struct fast_address address, mask; /* the public one; the service's affinity prefix */
  __u32 scope;
  __u32 service;
  __u32 generation;
  __u32 container;
  __u16 port; /* the public one; 0: the packet's own */
  __u16 zero[3];
};

struct fast_source_key {
  struct fast_address source; /* masked */
  __u32 scope;
  __u32 service;
};

/* A source silent for longer waits for the slow path to say again where it goes. */
#define FAST_SILENT_SECONDS 60

/* What a source has sent since an epoch began. */
struct fast_epoch_tally {
  __u32 epoch, packets;
  __u64 bytes;
};

/* A source that the table knows, and how its decision went. */
struct fast_source {
  __u32 generation;
  __u32 container;
  __u32 target; /* the place of both fast_target and fast_traffic */
  __u32 seen;   /* seconds of CLOCK_MONOTONIC; the slow path's for a new one */
  __u16 port;   /* the container's own for this service; 0: the way in's target */
  __u16 is_pinned;
  __u32 zero;
  struct fast_epoch_tally tallies[2]; /* by the epoch's lowest bit */
};

/* Places for the services' containers that known sources go to, in each family. Each costs 48 bytes, and as many again a
   processor. */
#define FAST_TARGETS (1 << 15)

/* How a service's packets to a container leave. */
struct fast_target {
  struct fast_address address;
  __u32 service, container; /* 0: the place is nobody's */
  __u32 interface;          /* the container's host-side link, or the bridge */
  __u32 mtu;                /* what the way there takes at most, in bytes of an IP packet; 0: there is none */
  __u16 is_v6;
  __u16 is_peer; /* the interface is a veth whose other end is in another namespace: straight into that */
  __u8 destination[6], source[6];
};

/* By index of an interface where containers' frames arrive. */
struct fast_port {
  __u32 bridge;
  __u8 address[6]; /* the bridge's: frames to others are not for this host to route */
  __u16 zero;
};

#define FAST_ROUTE_BITS 12

/* One of 2^FAST_ROUTE_BITS places, by a hash of both addresses; each processor has its own. Where an answer was routed to
   a moment ago, and whose frame it had to be. */
struct fast_route {
  struct fast_address client, address; /* the public one */
  __u32 arrived; /* the interface that it came in at */
  __u32 second;  /* of CLOCK_MONOTONIC, and fast_control's routes: as of when */
  __u32 routes;
  struct fast_port port;
  __u32 interface;
  __u32 mtu; /* what the way there takes at most, in bytes of an IP packet */
  struct bpf_redir_neigh gateway;
  __u16 is_straight, zero; /* the interface is a veth whose other end is in another namespace, and has nothing at its egress */
  __u8 destination[6], source[6];
};

struct fast_tally {
  __u64 packets, bytes;
};

/* Of one place, by a processor. */
struct fast_traffic {
  struct fast_tally requests[2]; /* by whether the source is pinned */
  struct fast_tally answers;
};

#define FAST_WATCHES 4

/* Whose packets an operator watches on the slow path: a prefix of clients; a service, a container, or 0 for any. */
struct fast_watch {
  struct fast_address source, mask;
  __u32 service, container;
};

/* The programs' only global variable, which no look-up is needed for. */
#define FAST_CONTROL ".data.control"
struct fast_control {
  __u64 until; /* nanoseconds of CLOCK_MONOTONIC: without a daemon to say otherwise, the fast path stands aside then */
  __u32 epoch; /* what sources have sent is read when it is over */
  __u32 routes; /* another one whenever routes may have changed */
  __u32 watches; /* how many of the following */
  __u32 zero;
  __u32 sampled; /* this part of 2^32 packets goes to the slow path, to be checked there */
  __u32 rest;
  struct fast_watch watched[FAST_WATCHES];
};
