// The beginning of the last packet of each reason for which packets are dropped or refused. src/pipeline/refusals.ts says
// the rest.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>

#include "last.h"
#include "verdict.h"

namespace onehop {

constexpr uint32_t kBeginningAtMost = 256;
constexpr uint32_t kRefusalEveryMs = 100;

// Of a packet, which the pipeline may then change in its place.
struct Beginning {
  uint8_t is_partial;  // the checksum was left to a device
  uint8_t bytes[kBeginningAtMost];

  // Whatever the packet's length: there is memory for more behind it (Packet::capacity).
  void keep(const uint8_t* packet, bool is_partially_summed) {
    is_partial = is_partially_summed;
    std::memcpy(bytes, packet, kBeginningAtMost);
  }
};

enum class Direction : uint8_t { kNone, kRequest, kAnswer };
constexpr size_t kDirections = 3;

struct Refusal {
  uint64_t at_ms;    // of the worker's clock
  uint32_t service;  // id; 0: none
  uint32_t length;   // of all the packet
  uint8_t code;
  Direction direction;
  uint8_t zero[5];
  Beginning beginning;
};

// Of one packet thread, for any to read.
class Refusals {
 public:
  // The thread's: whether another one of this reason is to be kept by now.
  bool is_due(uint8_t code, uint64_t now_ms) const { return now_ms >= due_ms_[code]; }
  void keep(const Refusal& refusal) {
    due_ms_[refusal.code] = refusal.at_ms + kRefusalEveryMs;
    last_[refusal.code].write(refusal);
  }

  std::optional<Refusal> last(uint8_t code) const { return last_[code].read(); }

 private:
  Last<Refusal> last_[kReasonCount];
  uint64_t due_ms_[kReasonCount] = {};
};

}  // namespace onehop
