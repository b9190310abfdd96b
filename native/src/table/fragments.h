// Fragmented packet → its first fragment's fate; src/table/fragments.ts says the rest.
#pragma once

#include <cstdint>
#include <cstring>

#include "../packet/address.h"
#include "bucket_ring.h"
#include "siphash.h"
#include "source.h"

namespace onehop {

// What the fragments of one packet have in common. Over IPv6 without the protocol (RFC 8200 section 4.5).
struct FragmentedPacket {
  Address source, destination;
  uint32_t identification;  // network order
  uint8_t protocol;         // IPv6: 0
  bool is_v6;
};

// What became of a first fragment, and so becomes of those that follow it.
struct Fate {
  uint8_t code;                 // position in REASONS
  uint32_t service, container;  // ids, below 2^24
  Address client;               // as the table knows it, or who sent the packet
  Address source, destination;  // the ends that it left with
};

class FragmentTable {
 public:
  FragmentTable(uint32_t capacity, const HashKey& hash_key) : ring_(capacity), hash_key_(hash_key) {}

  bool lookup(const FragmentedPacket& packet, uint32_t now, Fate& fate) const {
    Ring::Value value;
    if (!ring_.lookup(hash_of(packet), key_of(packet), value)) return false;
    const auto since = static_cast<uint32_t>(value[7]);
    if (is_idle(since, now, kLifeSeconds)) return false;
    fate = {.code = static_cast<uint8_t>(value[7] >> 32),
            .service = static_cast<uint32_t>(value[6]),
            .container = static_cast<uint32_t>(value[6] >> 32),
            .client = {value[0], value[1]},
            .source = {value[2], value[3]},
            .destination = {value[4], value[5]}};
    return true;
  }

  void remember(const FragmentedPacket& packet, const Fate& fate, uint32_t now) {
    ring_.store(hash_of(packet), key_of(packet),
                {fate.client.high, fate.client.low, fate.source.high, fate.source.low, fate.destination.high,
                 fate.destination.low, uint64_t{fate.container} << 32 | fate.service,
                 uint64_t{fate.code} << 32 | now});
  }

 private:
  using Ring = BucketRing<5, 8>;

  // All fragments of a packet leave their sender at once; its identification may be another packet's soon.
  static constexpr uint32_t kLifeSeconds = 5;

  static Ring::Key key_of(const FragmentedPacket& packet) {
    constexpr uint64_t kTaken = uint64_t{1} << 63;
    return {packet.source.high, packet.source.low, packet.destination.high, packet.destination.low,
            kTaken | uint64_t{packet.is_v6} << 40 | uint64_t{packet.protocol} << 32 | packet.identification};
  }

  // 40 bytes, as src/table/fragments.ts hashes them.
  uint64_t hash_of(const FragmentedPacket& packet) const {
    uint8_t bytes[40] = {};
    std::memcpy(bytes, &packet.source, 16);
    std::memcpy(bytes + 16, &packet.destination, 16);
    std::memcpy(bytes + 32, &packet.identification, 4);
    bytes[36] = packet.protocol;
    return siphash(hash_key_, bytes, sizeof bytes);
  }

  Ring ring_;
  HashKey hash_key_;
};

}  // namespace onehop
