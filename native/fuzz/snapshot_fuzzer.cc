// libFuzzer's entry to the decoder of updates: bytes that are none are refused, and what is taken can be looked up
// in. An execution is one whole snapshot, and the same again as an update to it.
#include <cstring>
#include <stdexcept>

#include "../src/pipeline/lookup.h"
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
      fuzz::expect(way.front->service->member(way.container) != nullptr, "a way leads from a front of its service");
}

void look_up_all(const SnapshotLookup& lookup, const Service& service) {
  for (const auto& ring : service.ring)
    for (const uint16_t row : *ring) fuzz::expect(row < service.members.size(), "a row leads to a member");
  for (const PinSet& set : service.pin_sets)
    for (const Ring& ring : set.ring)
      for (const uint16_t row : ring) fuzz::expect(row < service.members.size(), "a pin's row leads to a member");
  for (const Front& front : service.fronts) {
    look_up(lookup, front.address, front.is_v6, front.protocol, front.port);
    if (front.has_pins)
      service.pins->for_each_covering(front.address, front.is_v6, [&](uint16_t number) {
        fuzz::expect(number < service.pin_sets.size(), "a pin leads to a set");
        return false;
      });
    for (const Member& member : service.members)
      look_up(lookup, member.address[front.is_v6], front.is_v6, front.protocol, member.port);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t length) {
  try {
    Replaced first, second;
    const SnapshotLookup before(nullptr, decode_update({input, length}), first);
    const SnapshotLookup after(&before, decode_update({input, length}), second);
    fuzz::expect(first.come.size() == second.gone.size(), "what came goes again when it comes anew");
    for (const auto& service : first.come) look_up_all(before, *service);
    for (const auto& service : second.come) look_up_all(after, *service);
  } catch (const std::invalid_argument& error) {
    fuzz::expect(std::strncmp(error.what(), "snapshot: ", 10) == 0, "a refusal says what it is about");
  }
  return 0;
}
