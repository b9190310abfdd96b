// libFuzzer's entry to the decoder of snapshots: bytes that are none are refused, and what is taken can be looked up
// in. An execution is one snapshot.
#include <cstring>
#include <stdexcept>

#include "../src/pipeline/lookup.h"
#include "../src/pipeline/snapshot.h"
#include "invariants.h"

using namespace onehop;

namespace {

void look_up(const SnapshotLookup& lookup, const Address& address, bool is_v6, uint8_t protocol, uint16_t port) {
  ParsedPacket packet{};
  packet.is_v6 = is_v6;
  packet.protocol = protocol;
  packet.source = packet.destination = address;
  packet.source_port = packet.destination_port = port;
  const auto [is_public, front] = lookup.destination(packet);
  fuzz::expect(front == nullptr || is_public, "a way in is at a public address");
  const EndpointWays ways = lookup.endpoint_ways(packet);
  for (const auto& list : {ways.exact, ways.every})
    for (const EndpointWay& way : list)
      fuzz::expect(way.front < lookup.snapshot().fronts.size(), "a way leads to a front");
}

void look_up_all(const SnapshotLookup& lookup) {
  const Snapshot& snapshot = lookup.snapshot();
  for (const Front& front : snapshot.fronts) {
    look_up(lookup, front.address, front.is_v6, front.protocol, front.port);
    lookup.pinned(front.service, front.address, front.is_v6);
    for (const Member& member : snapshot.members) {
      lookup.usable_member(front.service, member.container, front.is_v6);
      look_up(lookup, member.address[front.is_v6], front.is_v6, front.protocol, member.port);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t length) {
  try {
    Snapshot snapshot = decode_snapshot({input, length});
    for (const SnapshotService& service : snapshot.services)
      for (const Range& ring : service.ring)
        for (uint32_t i = 0; i < ring.count; i++)
          fuzz::expect(snapshot.rows[ring.first + i] < service.members.count, "a row leads to a member");
    look_up_all(SnapshotLookup(std::move(snapshot)));
  } catch (const std::invalid_argument& error) {
    fuzz::expect(std::strncmp(error.what(), "snapshot: ", 10) == 0, "a refusal says what it is about");
  }
  return 0;
}
