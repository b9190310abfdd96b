#include "reply.h"

#include "asked.h"
#include "outcome.h"
#include "quoted.h"
#include "rewrite.h"

namespace onehop {

namespace {

bool has_asked(const ParsedPacket& packet, const EndpointWay& way, uint64_t hint, const PipelineState& state) {
  const Front& front = *way.front;
  const SourceKey key = source_key(front, packet.destination);
  return state.table.answered(key, hint, way.container, packet, state.now, front.idle);
}

Result rewritten(Code code, const ParsedPacket& packet, const EndpointWay& way, bool is_partial) {
  if (lacks_checksum(packet) && !is_partial) return dropped(Code::kDropNoChecksum, packet, packet.destination);
  const Front& front = *way.front;
  const SourceKey key = source_key(front, packet.destination);
  rewrite_end(packet, Side::kSource, front.address, front.port, is_partial);
  return left(code, Way::kTun, packet, front, way.container, key.source);
}

template <typename IsOfFlow>
Asked ask(const ParsedPacket& packet, const EndpointWays& ways, const PipelineState& state, IsOfFlow is_of_flow) {
  return asked_of(ways, [&](const EndpointWay& way) { return has_asked(packet, way, Entries::kNoHint, state); }, is_of_flow);
}

Result flow_reply(const ParsedPacket& packet, const EndpointWays& ways, bool is_partial,
                  const PipelineState& state) {
  const Asked asked = ask(packet, ways, state, FlowEnd(packet, state.flows));
  if (!asked.is_any) return passed(Code::kPassUnknownClient, packet);
  if (asked.way != nullptr) return rewritten(Code::kReplyFlow, packet, *asked.way, is_partial);
  if (const EndpointWay* only = asked.only()) return rewritten(Code::kReplyEndpoint, packet, *only, is_partial);
  return asked.is_only_by_flow ? passed(Code::kPassUnknownFlow, packet)
                               : dropped(Code::kDropUnknownFlow, packet, packet.destination);
}

// Without its first, a later fragment may be anyone's answer, or none.
Result portless_reply(const ParsedPacket& packet, const EndpointWays& ways, const PipelineState& state) {
  const Asked asked = ask(packet, ways, state, [](const Front&) { return false; });
  return asked.is_any ? dropped(Code::kDropFragment, packet, packet.destination)
                      : passed(Code::kPassUnknownClient, packet);
}

}  // namespace

Result reply(const ParsedPacket& packet, const EndpointWays& ways, uint64_t hint, bool is_partial,
             const PipelineState& state) {
  if (is_icmp_error(packet)) return reply_quoted(packet, is_partial, state);
  if (ways.size() == 0) return passed(Code::kPassNotOurs, packet);
  if (packet.is_later_fragment && !state.lookup.is_one_way(ways)) return portless_reply(packet, ways, state);
  if (state.lookup.needs_flow(ways)) return flow_reply(packet, ways, is_partial, state);
  const EndpointWay& way = first_of(ways);
  if (!has_asked(packet, way, hint, state)) return passed(Code::kPassUnknownClient, packet);
  return rewritten(Code::kReplyEndpoint, packet, way, is_partial);
}

Result reply_to_alias(const ParsedPacket& packet, const EndpointWays& ways, uint64_t hint, bool is_partial,
                      const PipelineState& state) {
  const Result result = reply(packet, ways, hint, is_partial, state);
  if (is_pass(static_cast<Code>(result.code))) return dropped(Code::kDropStrayAlias, packet, packet.source);
  if (result.way != Way::kNone) rewrite_end(packet, Side::kDestination, packet.destination, 0, is_partial);
  return result;
}

}  // namespace onehop
