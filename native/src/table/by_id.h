// Values by small number. They grow by blocks that double in size and never move, so one thread may make room while
// others use what is there.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace onehop {

// `Value` is all zeroes to begin with, and needs no destructor. Ids are below 2^25 - 64.
template <typename Value>
class ById {
 public:
  // Control thread: for all ids up to this one.
  void make_room(uint32_t id) {
    for (uint32_t end = place_of(id).block + 1; end > 0 && memory_[end - 1] == nullptr; end--) {
      auto* made = static_cast<Value*>(std::calloc(size_t{kFirstBlock} << (end - 1), sizeof(Value)));
      if (made == nullptr) throw std::bad_alloc();
      memory_[end - 1].reset(made);
      blocks_[end - 1].store(made, std::memory_order_release);
    }
  }

  // Any thread, for an id that room was made for before it heard of the id.
  Value& operator[](uint32_t id) const {
    const Place place = place_of(id);
    return blocks_[place.block].load(std::memory_order_relaxed)[place.offset];
  }

  // Control thread: visits (id, value) of all ids that there is room for.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (uint32_t block = 0; block < kBlocks; block++) {
      const Value* values = blocks_[block].load(std::memory_order_acquire);
      const uint32_t length = kFirstBlock << block;
      for (uint32_t i = 0; values != nullptr && i < length; i++) visit(length - kFirstBlock + i, values[i]);
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
    void operator()(Value* memory) const { std::free(memory); }
  };
  std::atomic<Value*> blocks_[kBlocks]{};
  std::unique_ptr<Value, Free> memory_[kBlocks];
};

}  // namespace onehop
