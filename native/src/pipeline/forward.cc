#include "forward.h"

#include "answer.h"
#include "decide.h"
#include "outcome.h"
#include "quoted.h"
#include "rewrite.h"

namespace onehop {

namespace {

// Of ICMP only echo requests have an end to rewrite.
bool is_forwardable(const ParsedPacket& packet) {
  return is_rewritable(packet) && (!is_icmp(packet) || packet.is_later_fragment || is_echo_request(packet));
}

// Returns whether the source is a local one, which goes by its alias.
bool rewrite_to_container(const ParsedPacket& packet, const Front& front, const Member& member, bool is_partial,
                          const PipelineState& state) {
  const Address& address = member.address[packet.is_v6];
  const uint16_t port = endpoint_port(front, member);
  if (member.is_by_flow[packet.is_v6].load(std::memory_order_relaxed) && !packet.is_later_fragment) {
    const uint16_t port_there = port != 0 ? port : packet.destination_port;
    if (state.lookup.needs_flow(address, packet.is_v6, packet.protocol, port_there))
      state.flows.remember(flow_to(packet, address, port_there), {packet.destination, packet.destination_port});
  }
  rewrite_end(packet, Side::kDestination, address, port, is_partial);
  return disguise(packet, Side::kSource, state.lookup.aliases(), is_partial);
}

Result answered(Code code, uint32_t length, const ParsedPacket& packet, Offload& offload) {
  offload = {};
  return leaving(code, Way::kTun, length, packet, packet.source);
}

// A reset for TCP, an ICMP error for the rest.
Result reject(const ParsedPacket& packet, Code drop, Offload& offload, const PipelineState& state) {
  if (!is_answerable(packet, offload)) return dropped(drop, packet, packet.source);
  state.refused.keep(packet.bytes, offload.needs_checksum);
  if (packet.protocol == tcp::kNumber) return answered(answer_of(drop), tcp_reset(packet), packet, offload);
  if (!state.errors.take(state.now)) return dropped(Code::kDropAnswerLimit, packet, packet.source);
  return answered(answer_of(drop), unreachable(packet, drop), packet, offload);
}

// A public address, but no service on that port.
Result without_service(const ParsedPacket& packet, Offload& offload, const PipelineState& state) {
  const auto drop = [&packet](Code code) { return dropped(code, packet, packet.source); };
  if (packet.is_later_fragment) return drop(Code::kDropFragment);
  if (!packet.has_transport || packet.is_routed) return drop(Code::kDropUnsupported);
  if (is_echo_request(packet) && !packet.is_fragment)
    return answered(Code::kAnswerEcho, echo_reply(packet, is_partial(packet, offload)), packet, offload);
  if (is_icmp(packet)) return drop(Code::kDropUnsupported);
  return state.lookup.is_dropping_unserved() ? drop(Code::kDropPortClosed)
                                           : reject(packet, Code::kDropPortClosed, offload, state);
}

// Whether whom a service does not serve, for this reason, hears of it. Who is new beyond the limits does not: he asks again by
// himself when there may be a place, and answers to made-up sources would go to others.
bool is_told(const Service& service, Code drop) {
  if (drop == Code::kDropDenied) return !service.admission.is_dropping;
  return drop == Code::kDropNoContainer && !service.is_dropping_when_empty;
}

// There is a service, but not for this source.
Result not_served(const ParsedPacket& packet, const Front& front, Code drop, Offload& offload,
                  const PipelineState& state) {
  Result result = is_told(*front.service, drop) ? reject(packet, drop, offload, state)
                                                : dropped(drop, packet, packet.source);
  result.service = front.service_id;
  return result;
}

// On probation a source has not proved that it exists, and a pin that cannot be followed is asked each time.
bool is_settled(const Decision& decision, const DistributionTable::Found& found) {
  return found.place == DistributionTable::Found::Place::kEntry && decision.code != Code::kForwardUnpinned &&
         found.value.container == decision.member->container;
}

}  // namespace

Result forward(const ParsedPacket& packet, const Front* front, uint64_t hint, Offload& offload,
               const PipelineState& state) {
  if (state.lookup.aliases().is_alias(packet.source, packet.is_v6))
    return dropped(Code::kDropStrayAlias, packet, packet.source);
  if (is_icmp_error(packet)) return forward_quoted(packet, is_partial(packet, offload), state);
  if (is_authenticated(packet)) return dropped(Code::kDropAuthenticated, packet, packet.source);
  if (lacks_checksum(packet) && !is_partial(packet, offload))
    return dropped(Code::kDropNoChecksum, packet, packet.source);
  if (front == nullptr) return without_service(packet, offload, state);
  if (!is_forwardable(packet)) return dropped(Code::kDropUnsupported, packet, packet.source);

  const SourceKey key = source_key(*front, packet.source);
  const DistributionTable::Found found = state.table.lookup(key, hint, state.now, front->idle);
  const Past past{state.table.entries(), state.turns, true, nullptr, &state.new_sources, state.now};
  const Decision decision = decide(packet, *front, state.lookup, key, found, past);
  if (decision.member == nullptr) return not_served(packet, *front, decision.code, offload, state);
  if (found.place == DistributionTable::Found::Place::kNowhere)
    state.new_sources.take(packet.source, packet.is_v6, state.lookup.new_sources(), state.now);

  const Member& member = *decision.member;
  state.table.remember(key, found, member.container, decision.origin, packet, front->quota, state.now,
                       state.tally);
  const bool is_local = rewrite_to_container(packet, *front, member, is_partial(packet, offload), state);
  Result result = left(decision.code, Way::kContainer, packet, *front, member.container, key.source);
  result.is_settled = is_settled(decision, found) && !is_local;
  result.scope = key.scope;
  return result;
}

}  // namespace onehop
