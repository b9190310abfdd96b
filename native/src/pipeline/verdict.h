// What happens to a packet, and why: the same list in the same order as src/pipeline/verdict.ts, which says
// what each means. A test compares the two.
#pragma once

#include <cstdint>

namespace onehop {

enum class Code : uint8_t {
  kForwardPinned,
  kForwardKnown,
  kForwardChosen,
  kForwardUnpinned,
  kForwardQuoted,
  kForwardFragment,
  kReplyEndpoint,
  kReplyFlow,
  kReplyQuoted,
  kReplyFragment,
  kAnswerEcho,
  kAnswerPortClosed,
  kAnswerNoContainer,
  kAnswerDenied,
  kPassNotOurs,
  kPassUnknownClient,
  kPassUnknownFlow,
  kDropShortPacket,
  kDropBadVersion,
  kDropBadHeaderLength,
  kDropBadTotalLength,
  kDropJumbogram,
  kDropShortTransport,
  kDropBadOffload,
  kDropNoChecksum,
  kDropAuthenticated,
  kDropFragment,
  kDropUnsupported,
  kDropPortClosed,
  kDropNoContainer,
  kDropDenied,
  kDropSourceLimit,
  kDropPrefixLimit,
  kDropUnknownFlow,
  kDropUnrelated,
  kDropAnswerLimit,
  kDropStrayAlias,
};

constexpr bool is_forward(Code code) { return code <= Code::kForwardFragment; }
constexpr bool is_reply(Code code) { return code >= Code::kReplyEndpoint && code <= Code::kReplyFragment; }

constexpr bool is_quoted(Code code) { return code == Code::kForwardQuoted || code == Code::kReplyQuoted; }

constexpr bool is_answered(Code code) { return code >= Code::kAnswerEcho && code <= Code::kAnswerDenied; }
constexpr bool is_drop(Code code) { return code >= Code::kDropShortPacket; }
// Dropped, or answered that nobody serves it.
constexpr bool is_refusal(Code code) {
  return is_drop(code) || (code >= Code::kAnswerPortClosed && code <= Code::kAnswerDenied);
}

// What a client is told of a drop for which a reset or an ICMP error may be sent instead.
constexpr Code answer_of(Code drop) {
  switch (drop) {
    case Code::kDropPortClosed: return Code::kAnswerPortClosed;
    case Code::kDropNoContainer: return Code::kAnswerNoContainer;
    case Code::kDropDenied: return Code::kAnswerDenied;
    default: return drop;
  }
}

constexpr bool is_pass(Code code) { return code >= Code::kPassNotOurs && code <= Code::kPassUnknownFlow; }

struct VerdictReason {
  const char* verdict;
  const char* reason;
};

inline constexpr VerdictReason kReasons[] = {
    {"forward", "pinned"},
    {"forward", "known"},
    {"forward", "chosen"},
    {"forward", "unpinned"},
    {"forward", "quoted"},
    {"forward", "fragment"},
    {"reply", "endpoint"},
    {"reply", "flow"},
    {"reply", "quoted"},
    {"reply", "fragment"},
    {"answer", "echo"},
    {"answer", "port-closed"},
    {"answer", "no-container"},
    {"answer", "denied"},
    {"pass", "not-ours"},
    {"pass", "unknown-client"},
    {"pass", "unknown-flow"},
    {"drop", "short-packet"},
    {"drop", "bad-version"},
    {"drop", "bad-header-length"},
    {"drop", "bad-total-length"},
    {"drop", "jumbogram"},
    {"drop", "short-transport"},
    {"drop", "bad-offload"},
    {"drop", "no-checksum"},
    {"drop", "authenticated"},
    {"drop", "fragment"},
    {"drop", "unsupported"},
    {"drop", "port-closed"},
    {"drop", "no-container"},
    {"drop", "denied"},
    {"drop", "source-limit"},
    {"drop", "prefix-limit"},
    {"drop", "unknown-flow"},
    {"drop", "unrelated"},
    {"drop", "answer-limit"},
    {"drop", "stray-alias"},
};
inline constexpr uint32_t kReasonCount = sizeof kReasons / sizeof kReasons[0];
static_assert(kReasonCount == static_cast<uint32_t>(Code::kDropStrayAlias) + 1);

}  // namespace onehop
