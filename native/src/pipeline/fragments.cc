#include "fragments.h"

#include "outcome.h"
#include "rewrite.h"

namespace onehop {

namespace {

Address end_of(const ParsedPacket& packet, Side side) {
  const bool is_source = side == Side::kSource;
  return packet.is_v6 ? address_from(packet.bytes + (is_source ? ipv6::kSource : ipv6::kDestination), true)
                      : address_from(packet.bytes + (is_source ? ipv4::kSource : ipv4::kDestination), false);
}

struct Followed {
  Code code;
  Way way;
};

Followed followed(Code first) {
  if (is_forward(first)) return {Code::kForwardFragment, Way::kContainer};
  if (is_reply(first)) return {Code::kReplyFragment, Way::kTun};
  return is_pass(first) ? Followed{first, Way::kTun} : Followed{Code::kDropFragment, Way::kNone};
}

}  // namespace

FragmentedPacket whole_of(const ParsedPacket& packet) {
  return {end_of(packet, Side::kSource), end_of(packet, Side::kDestination), packet.identification,
          packet.is_v6 ? uint8_t{0} : packet.protocol, packet.is_v6};
}

std::optional<Result> follow_first(const ParsedPacket& packet, const PipelineState& state) {
  const FragmentedPacket whole = whole_of(packet);
  Fate fate;
  if (!state.fragments.lookup(whole, state.now, fate)) return {};
  const auto [code, way] = followed(static_cast<Code>(fate.code));
  Result result = leaving(code, way, way == Way::kNone ? 0 : packet.length, packet, fate.client);
  result.service = fate.service;
  result.container = fate.container;
  if (way == Way::kNone) return result;
  if (fate.source != whole.source) rewrite_end(packet, Side::kSource, fate.source, 0, false);
  if (fate.destination != whole.destination) rewrite_end(packet, Side::kDestination, fate.destination, 0, false);
  return result;
}

void remember_first(const ParsedPacket& packet, const FragmentedPacket& whole, const Result& result,
                    const PipelineState& state) {
  const Fate fate{.code = result.code,
                  .service = result.service,
                  .container = result.container,
                  .client = result.source,
                  .source = end_of(packet, Side::kSource),
                  .destination = end_of(packet, Side::kDestination)};
  state.fragments.remember(whole, fate, state.now);
}

}  // namespace onehop
