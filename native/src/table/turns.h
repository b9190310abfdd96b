// Weighted round robin: src/table/turns.ts, turn for turn.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "by_id.h"
#include "maglev.h"

namespace onehop {

// Whose turn it is, as positions; empty when there is no member.
std::vector<uint16_t> build_turns(std::span<const RingMember> members);

// Who has had the last turn, by service and family.
class TurnCounters {
 public:
  // Control thread: before the service's first packet.
  void make_room(uint32_t service) { next_.make_room(service); }

  // Any thread: whose turn it is, without taking it.
  uint32_t peek(uint32_t service, bool is_v6) const { return next_[service].of[is_v6].load(std::memory_order_relaxed); }
  void set(uint32_t service, bool is_v6, uint32_t turn) { next_[service].of[is_v6].store(turn, std::memory_order_relaxed); }
  uint32_t take(uint32_t service, bool is_v6) { return next_[service].of[is_v6].fetch_add(1, std::memory_order_relaxed); }

 private:
  struct Next {
    std::atomic<uint32_t> of[2];
  };
  ById<Next> next_;
};

}  // namespace onehop
