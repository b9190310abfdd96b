// What a packet thread has decided and not yet written: onto bridges, or into the TUN. Packets leave in the order in which
// they were added, but for UDP datagrams that join the train of their flow; those of one flow always do.
#pragma once

#include <array>
#include <cstdint>

#include "io_counts.h"
#include "packet_socket.h"
#include "train.h"
#include "tun.h"
#include "write.h"

namespace onehop {

class Outbox {
 public:
  Outbox(TunQueue& tun, PacketSocket& socket, IoCounts& counts) : tun_(tun), socket_(socket), counts_(counts) {}

  // The first `length` bytes of `packet`, read into `place`: to `neighbour`, or into the TUN when that is null. At most
  // PacketRoom::kPackets until `flush`, which all of them outlive. `may_join`: rewritten, so that it may leave in a train.
  void add(const PacketPlace& place, const Packet& packet, uint32_t length, const Neighbour* neighbour, bool may_join);

  // Writes it all. Returns errno of the last write that failed, or 0.
  int flush();

 private:
  static constexpr uint8_t kNone = 0xff;
  static_assert(PacketRoom::kPackets < kNone);
  // So many trains side by side; a flow between more begins a train with each datagram.
  static constexpr uint8_t kTrainsOpen = 8;

  struct Item {
    PacketPlace place;
    const Packet* packet;
    const Neighbour* neighbour;
    uint32_t length, payload;  // payload: 0 for what takes part in no train
    uint8_t next;              // of its train
  };
  // One packet, or several.
  struct Train {
    uint8_t first, last, packets;
    bool is_open;
    uint32_t payload;
  };

  bool join(uint8_t number);
  bool may_join(const Train& train, const Item& item) const;
  Write write_of(const Train& train, iovec* parts);
  void count(const Train& train, int error);

  TunQueue& tun_;
  PacketSocket& socket_;
  IoCounts& counts_;
  uint8_t items_used_ = 0, trains_used_ = 0;
  std::array<Item, PacketRoom::kPackets> items_;
  std::array<Train, PacketRoom::kPackets> trains_;
  std::array<Write, PacketRoom::kPackets> writes_;
  std::array<int, PacketRoom::kPackets> errors_;
  std::array<iovec, PacketRoom::kPackets> parts_;
};

}  // namespace onehop
