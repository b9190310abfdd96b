// Whether a packet's checksums are still what they were: right, or wrong by the same.
#pragma once

#include "../packet/residues.h"
#include "engine.h"
#include "verdict.h"

namespace onehop {

enum class SumFault : uint8_t { kNone, kHeader, kTransport, kQuoted };

inline const char* name_of(SumFault fault) {
  constexpr const char* kNames[] = {"none", "header", "transport", "quoted"};
  return kNames[static_cast<int>(fault)];
}

class SumCheck {
 public:
  // Of a packet as it arrived.
  explicit SumCheck(const Packet& packet)
      : before_(residues_of(packet.data, packet.length, packet.offload)), was_partial_(packet.offload.needs_checksum) {}

  // Of the same as it leaves: a fault that it did not come with.
  SumFault fault_in(const Packet& packet, const Result& result) const {
    const Residues after = residues_of(packet.data, result.length, packet.offload);
    const Residues expected = expected_of(static_cast<Code>(result.code), after);
    if (after.version != expected.version || after.header != expected.header) return SumFault::kHeader;
    if (after.is_summed != expected.is_summed || after.transport != expected.transport) return SumFault::kTransport;
    return after == expected ? SumFault::kNone : SumFault::kQuoted;
  }

 private:
  Residues expected_of(Code code, const Residues& after) const {
    if (!is_answered(code)) return before_;
    // An answer's headers are made anew, an echo's payload is what came.
    Residues expected = after;
    expected.version = before_.version;
    expected.header = 0;
    expected.transport = code == Code::kAnswerEcho && !was_partial_ ? before_.transport : 0;
    return expected;
  }

  const Residues before_;
  const bool was_partial_;
};

}  // namespace onehop
