// How a source proves that it exists before it may take a place in the table; src/table/proof.ts says why.
#pragma once

#include <cstdint>

#include "../packet/packet.h"

namespace onehop {

// A container's answer, as far as the proof needs it, packed into one word; 0: none yet.
class Challenge {
 public:
  Challenge() = default;
  explicit Challenge(uint64_t word) : word_(word) {}

  // Empty when the answer can prove nothing (a TCP reset).
  static Challenge of(const ParsedPacket& answer) {
    if (answer.protocol != tcp::kNumber) return pack(answer.protocol, 0);
    if ((answer.tcp_flags & (tcp::kRst | tcp::kAck)) != tcp::kAck) return {};
    return pack(tcp::kNumber, answer.sequence + (answer.tcp_flags & tcp::kSyn ? 1u : 0u));
  }

  bool is_proved_by(const ParsedPacket& packet) const {
    if (is_none() || packet.protocol != protocol()) return false;
    if (packet.protocol != tcp::kNumber) return true;
    if ((packet.tcp_flags & (tcp::kRst | tcp::kSyn | tcp::kAck)) != tcp::kAck) return false;
    return packet.acknowledgment - expected() < kAcknowledgedAhead;
  }

  bool is_none() const { return word_ == 0; }
  uint64_t word() const { return word_; }

 private:
  // Acknowledgments this far beyond are believed: the answer may be followed by a window of data.
  static constexpr uint32_t kAcknowledgedAhead = 0x10000;

  static Challenge pack(uint8_t protocol, uint32_t expected) {
    return Challenge{uint64_t{1} << 40 | uint64_t{protocol} << 32 | expected};
  }
  uint8_t protocol() const { return static_cast<uint8_t>(word_ >> 32); }
  uint32_t expected() const { return static_cast<uint32_t>(word_); }

  uint64_t word_ = 0;
};

}  // namespace onehop
