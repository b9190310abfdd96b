// Flow → public end, kept only for endpoints that several public addresses or ports share.
#pragma once

#include <cstdint>
#include <cstring>

#include "../packet/address.h"
#include "bucket_ring.h"
#include "siphash.h"

namespace onehop {

struct Flow {
  Address client, endpoint;
  uint16_t client_port, endpoint_port;  // network order
  uint8_t protocol;
  bool is_v6;
};

struct PublicEnd {
  Address address;
  uint16_t port;  // network order
};

class FlowTable {
 public:
  FlowTable(uint32_t capacity, const HashKey& hash_key) : ring_(capacity), hash_key_(hash_key) {}

  bool lookup(const Flow& flow, PublicEnd& end) const {
    Ring::Value value;
    if (!ring_.lookup(hash_of(flow), key_of(flow), value)) return false;
    end = {{value[0], value[1]}, static_cast<uint16_t>(value[2])};
    return true;
  }

  // Stores only what changed: a flow's packets mostly repeat what is known.
  void remember(const Flow& flow, const PublicEnd& end) {
    PublicEnd known;
    if (lookup(flow, known) && known.address == end.address && known.port == end.port) return;
    ring_.store(hash_of(flow), key_of(flow), {end.address.high, end.address.low, end.port});
  }

 private:
  using Ring = BucketRing<5, 3>;

  static Ring::Key key_of(const Flow& flow) {
    constexpr uint64_t kTaken = uint64_t{1} << 63;
    return {flow.client.high, flow.client.low, flow.endpoint.high, flow.endpoint.low,
            kTaken | uint64_t{flow.is_v6} << 40 | uint64_t{flow.protocol} << 32 |
                uint64_t{flow.client_port} << 16 | flow.endpoint_port};
  }

  // 40 bytes, as src/table/flows.ts hashes them: ports little-endian.
  uint64_t hash_of(const Flow& flow) const {
    uint8_t bytes[40] = {};
    std::memcpy(bytes, &flow.client, 16);
    std::memcpy(bytes + 16, &flow.endpoint, 16);
    const uint16_t ports[2] = {swap16(flow.client_port), swap16(flow.endpoint_port)};
    std::memcpy(bytes + 32, ports, 4);
    bytes[36] = flow.protocol;
    return siphash(hash_key_, bytes, sizeof bytes);
  }

  Ring ring_;
  HashKey hash_key_;
};

}  // namespace onehop
