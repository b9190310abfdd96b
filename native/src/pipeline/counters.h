// What one packet thread counts. It alone writes, the control thread reads at any time: relaxed loads and
// stores suffice, and nothing is shared between packet threads.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>

#include "engine.h"
#include "verdict.h"

namespace onehop {

class Tally {
 public:
  void add(uint64_t bytes) {
    packets_.store(packets_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    bytes_.store(bytes_.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
  }
  Traffic read() const {
    return {packets_.load(std::memory_order_relaxed), bytes_.load(std::memory_order_relaxed)};
  }

 private:
  std::atomic<uint64_t> packets_{0}, bytes_{0};
};

struct BothWays {
  Tally in, out;
};

// Tallies by id. They grow by blocks that double in size and never move, so the packet thread may count while
// the control thread makes room: a block is there before the snapshot that has ids in it.
class TallyById {
 public:
  // Control thread.
  void make_room(uint32_t id) {
    std::atomic<BothWays*>& block = blocks_[place_of(id).block];
    if (block.load(std::memory_order_relaxed) != nullptr) return;
    const Place place = place_of(id);
    auto* made = static_cast<BothWays*>(std::calloc(size_t{kFirstBlock} << place.block, sizeof(BothWays)));
    if (made == nullptr) throw std::bad_alloc();
    memory_[place.block].reset(made);
    block.store(made, std::memory_order_release);
  }

  // Packet thread, for an id that room was made for.
  BothWays& operator[](uint32_t id) {
    const Place place = place_of(id);
    return blocks_[place.block].load(std::memory_order_relaxed)[place.offset];
  }

  // Control thread: visits (id, tallies) of all ids that there is room for.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (uint32_t block = 0; block < kBlocks; block++) {
      const BothWays* tallies = blocks_[block].load(std::memory_order_acquire);
      const uint32_t length = kFirstBlock << block;
      for (uint32_t i = 0; tallies != nullptr && i < length; i++) visit(length - kFirstBlock + i, tallies[i]);
    }
  }

 private:
  // Block n holds the ids from 64 * (2^n - 1) on.
  static constexpr uint32_t kFirstBlock = 64, kBlocks = 19;
  struct Place {
    uint32_t block, offset;
  };
  static Place place_of(uint32_t id) {
    const uint32_t shifted = id + kFirstBlock;
    const auto block = static_cast<uint32_t>(std::bit_width(shifted)) - std::bit_width(kFirstBlock);
    return {block, shifted - (kFirstBlock << block)};
  }

  struct Free {
    void operator()(BothWays* memory) const { std::free(memory); }
  };
  std::atomic<BothWays*> blocks_[kBlocks]{};
  std::unique_ptr<BothWays, Free> memory_[kBlocks];
};

struct alignas(64) WorkerCounters {
  Tally reasons[kReasonCount];
  TallyById services, containers;

  void count(const Result& result, uint32_t bytes) {
    const auto code = static_cast<Code>(result.code);
    reasons[result.code].add(bytes);
    if (is_forward(code)) {
      services[result.service].in.add(bytes);
      containers[result.container].in.add(bytes);
    } else if (is_reply(code)) {
      services[result.service].out.add(bytes);
      containers[result.container].out.add(bytes);
    }
  }
};

}  // namespace onehop
