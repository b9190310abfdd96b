#include "reply.h"

#include "outcome.h"
#include "quoted.h"
#include "rewrite.h"

namespace onehop {

namespace {

Result pass(Code code, const ParsedPacket& packet) {
  return leaving(code, Way::kTun, packet.length, packet, packet.source);
}

bool has_asked(const ParsedPacket& packet, const EndpointWay& way, const PipelineState& state) {
  const Front& front = *way.front;
  const SourceKey key = source_key(front, packet.destination);
  return state.table.answered(key, way.container, packet, state.now, front.idle);
}

Result rewritten(Code code, const ParsedPacket& packet, const EndpointWay& way, bool is_partial,
                 const PipelineState& state) {
  if (lacks_checksum(packet) && !is_partial) return dropped(Code::kDropNoChecksum, packet, packet.destination);
  const Front& front = *way.front;
  const SourceKey key = source_key(front, packet.destination);
  rewrite_end(packet, Side::kSource, front.address, front.port, is_partial);
  Result result = leaving(code, Way::kTun, packet.length, packet, key.source);
  result.service = front.service_id;
  result.container = way.container;
  return result;
}

// What was found among the ways that lead to an endpoint.
struct Asked {
  bool is_any = false;
  bool is_only_by_flow = true;
  const EndpointWay* way = nullptr;  // the first that the flow went through
};

// Every way hears of the answer: each may be the one whose source has to prove itself.
void ask(std::span<const EndpointWay> ways, const PublicEnd* end, const ParsedPacket& packet,
         const PipelineState& state, Asked& asked) {
  for (const EndpointWay& way : ways) {
    if (!has_asked(packet, way, state)) continue;
    asked.is_any = true;
    const Front& front = *way.front;
    asked.is_only_by_flow &= front.is_by_flow;
    const bool is_of_flow = end != nullptr && front.address == end->address &&
                            (front.protocol == 0 || front.port == end->port);
    if (is_of_flow && asked.way == nullptr) asked.way = &way;
  }
}

Result flow_reply(const ParsedPacket& packet, const EndpointWays& ways, bool is_partial,
                  const PipelineState& state) {
  PublicEnd end;
  const bool has_flow = state.flows.lookup(flow_from(packet), end);
  Asked asked;
  ask(ways.exact, has_flow ? &end : nullptr, packet, state, asked);
  ask(ways.every, has_flow ? &end : nullptr, packet, state, asked);
  if (!asked.is_any) return pass(Code::kPassUnknownClient, packet);
  if (asked.way != nullptr) return rewritten(Code::kReplyFlow, packet, *asked.way, is_partial, state);
  return asked.is_only_by_flow ? pass(Code::kPassUnknownFlow, packet)
                               : dropped(Code::kDropUnknownFlow, packet, packet.destination);
}

// Without its first, a later fragment may be anyone's answer, or none.
Result portless_reply(const ParsedPacket& packet, const EndpointWays& ways, const PipelineState& state) {
  Asked asked;
  ask(ways.exact, nullptr, packet, state, asked);
  ask(ways.every, nullptr, packet, state, asked);
  return asked.is_any ? dropped(Code::kDropFragment, packet, packet.destination)
                      : pass(Code::kPassUnknownClient, packet);
}

}  // namespace

Result reply(const ParsedPacket& packet, const EndpointWays& ways, bool is_partial, const PipelineState& state) {
  if (is_icmp_error(packet)) return reply_quoted(packet, is_partial, state);
  if (ways.size() == 0) return pass(Code::kPassNotOurs, packet);
  if (packet.is_later_fragment && !state.lookup.is_one_way(ways)) return portless_reply(packet, ways, state);
  if (state.lookup.needs_flow(ways)) return flow_reply(packet, ways, is_partial, state);
  const EndpointWay& way = first_of(ways);
  if (!has_asked(packet, way, state)) return pass(Code::kPassUnknownClient, packet);
  return rewritten(Code::kReplyEndpoint, packet, way, is_partial, state);
}

Result reply_to_alias(const ParsedPacket& packet, const EndpointWays& ways, bool is_partial,
                      const PipelineState& state) {
  const Result result = reply(packet, ways, is_partial, state);
  if (is_pass(static_cast<Code>(result.code))) return dropped(Code::kDropStrayAlias, packet, packet.source);
  if (result.way != Way::kNone) rewrite_end(packet, Side::kDestination, packet.destination, 0, is_partial);
  return result;
}

}  // namespace onehop
