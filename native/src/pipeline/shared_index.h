// Key → value for the keys of all services. A copy shares its parts with the original until one of the two writes to
// a part, so a snapshot made from the one before costs what changed in it. Once published it is only read.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "index.h"

namespace onehop {

// A value that is false stands for none.
template <typename Value>
class SharedIndex {
 public:
  const Value* find(const IndexKey& key) const {
    const uint64_t hash = key.hash();
    const Part& part = parts_[part_of(hash)];
    if (part.slots == nullptr) return nullptr;
    const Slot& slot = part.slots[slot_of(part, key, hash)];
    return slot.value ? &slot.value : nullptr;
  }

  // Calls `edit` with the key's value, a new one when it had none; one that it leaves false is gone. Control thread.
  template <typename Edit>
  void change(const IndexKey& key, Edit edit) {
    const uint64_t hash = key.hash();
    Part& part = parts_[part_of(hash)];
    make_own(part);
    const size_t at = slot_of(part, key, hash);
    Slot& slot = part.slots[at];
    const bool was_there = static_cast<bool>(slot.value);
    slot.key = key;
    edit(slot.value);
    const bool is_there = static_cast<bool>(slot.value);
    part.used += is_there;
    part.used -= was_there;
    if (was_there && !is_there) close_gap(part, at);
  }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Part& part : parts_)
      for (size_t at = 0; part.slots != nullptr && at <= part.mask; at++)
        if (part.slots[at].value) visit(part.slots[at].value);
  }

 private:
  // As many parts as make one of them small where there are a hundred thousand keys.
  static constexpr size_t kParts = 1024;

  struct Slot {
    IndexKey key{};
    Value value{};
  };
  // Open addressing with linear probing, at most two thirds of the slots in use.
  struct Part {
    std::shared_ptr<Slot[]> slots;
    uint32_t mask = 0, used = 0;
  };

  static size_t part_of(uint64_t hash) { return hash >> 40 & (kParts - 1); }

  // Where the key is, or the free slot where it would be.
  static size_t slot_of(const Part& part, const IndexKey& key, uint64_t hash) {
    size_t at = hash & part.mask;
    while (part.slots[at].value && !(part.slots[at].key == key)) at = (at + 1) & part.mask;
    return at;
  }

  // The part as this index's own, with room for one more. The control thread alone makes and drops owners.
  static void make_own(Part& part) {
    const uint32_t room = std::bit_ceil((part.used + 1) + (part.used + 1) / 2 + 1);
    if (part.slots != nullptr && part.slots.use_count() == 1 && part.mask + 1 >= room) return;
    Part own{std::make_shared<Slot[]>(room), room - 1, part.used};
    for (size_t at = 0; part.slots != nullptr && at <= part.mask; at++)
      if (const Slot& slot = part.slots[at]; slot.value) own.slots[slot_of(own, slot.key, slot.key.hash())] = slot;
    part = std::move(own);
  }

  // Every later slot of the run that may lie in the gap moves into it, and leaves a gap itself.
  static void close_gap(Part& part, size_t gap) {
    for (size_t at = (gap + 1) & part.mask; part.slots[at].value; at = (at + 1) & part.mask) {
      const size_t home = part.slots[at].key.hash() & part.mask;
      if (((at - home) & part.mask) < ((at - gap) & part.mask)) continue;  // its home lies behind the gap
      part.slots[gap] = std::exchange(part.slots[at], {});
      gap = at;
    }
  }

  std::vector<Part> parts_ = std::vector<Part>(kParts);
};

}  // namespace onehop
