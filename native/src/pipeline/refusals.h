// The beginning of the last packet of each reason for which packets are dropped or refused. One packet thread writes its
// own, one reader looks at all; nobody waits for the other. src/pipeline/refusals.ts says the rest.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>

#include "verdict.h"

namespace onehop {

constexpr uint32_t kRefusalKeeps = 256;
constexpr uint32_t kRefusalEveryMs = 100;

struct Beginning {
  bool is_partial;  // the checksum was left to a device
  uint8_t bytes[kRefusalKeeps];

  // Whatever the packet's length: there is memory for more behind it (Packet::capacity).
  void keep(const uint8_t* packet, bool is_partially_summed) {
    is_partial = is_partially_summed;
    std::memcpy(bytes, packet, kRefusalKeeps);
  }
};

enum class Direction : uint8_t { kNone, kRequest, kAnswer };

struct Refusal {
  uint64_t at_ms;    // of the worker's clock
  uint32_t service;  // id; 0: none
  uint32_t length;   // of all the packet
  uint8_t code;
  Direction direction;
  uint8_t zero[5] = {};
  Beginning beginning;
};

class Refusals {
 public:
  // Writer: whether another one of this reason is to be kept by now.
  bool is_due(uint8_t code, uint64_t now_ms) const { return now_ms >= due_ms_[code]; }

  // Writer. Readers may be at work: they look again.
  void keep(const Refusal& refusal) {
    due_ms_[refusal.code] = refusal.at_ms + kRefusalEveryMs;
    Slot& slot = slots_[refusal.code];
    const uint32_t version = slot.version.load(std::memory_order_relaxed);
    slot.version.store(version + 1, std::memory_order_relaxed);
    uint64_t words[kWords];
    std::memcpy(words, &refusal, sizeof refusal);
    for (uint32_t i = 0; i < kWords; i++) slot.words[i].store(words[i], std::memory_order_release);
    slot.version.store(version + 2, std::memory_order_release);
  }

  // Reader: none when there has been none.
  std::optional<Refusal> last(uint8_t code) const {
    const Slot& slot = slots_[code];
    for (;;) {
      const uint32_t version = slot.version.load(std::memory_order_acquire);
      if (version == 0) return {};
      uint64_t words[kWords];
      for (uint32_t i = 0; i < kWords; i++) words[i] = slot.words[i].load(std::memory_order_acquire);
      if (version % 2 != 0 || slot.version.load(std::memory_order_relaxed) != version) continue;
      Refusal refusal;
      std::memcpy(static_cast<void*>(&refusal), words, sizeof refusal);
      return refusal;
    }
  }

 private:
  static constexpr uint32_t kWords = sizeof(Refusal) / sizeof(uint64_t);
  static_assert(sizeof(Refusal) == kWords * sizeof(uint64_t));

  struct Slot {
    std::atomic<uint32_t> version{0};  // odd while it is written
    std::atomic<uint64_t> words[kWords];
  };
  Slot slots_[kReasonCount];
  uint64_t due_ms_[kReasonCount] = {};  // the writer's
};

}  // namespace onehop
