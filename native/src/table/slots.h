// Where entries lie: groups of four slots of 32 bytes and, in a cache line behind them, what else is known of their entries.
// Nothing here locks; entries.h says who may write.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "source.h"

namespace onehop {

// What is about to become of memory of many pages: it is read all over, or nobody wants it any more (and whoever still
// reads it finds zeros).
enum class PageUse : uint8_t { kAllOver, kNone };
// Told of it; null: nobody to tell. A system call, so io/ has it.
using PageAdvice = void (*)(void* memory, size_t bytes, PageUse use);

// All of it written under the lock of Entries except `seen`.
struct alignas(32) Slot {
  std::atomic<uint32_t> state;  // its kind in the low two bits, its version above
  std::atomic<uint32_t> container_origin;
  std::atomic<uint64_t> high, low;  // the source
  std::atomic<uint32_t> scope_word;
  std::atomic<uint32_t> seen;

  SourceKey key() const;
  EntryValue value() const;  // all but `since` and `tally`
  bool matches(const SourceKey& key) const {
    return ((low.load(std::memory_order_relaxed) ^ key.source.low) |
            (high.load(std::memory_order_relaxed) ^ key.source.high) |
            (scope_word.load(std::memory_order_relaxed) ^ key.scope_word())) == 0;
  }
};
static_assert(sizeof(Slot) == 32);

struct History {
  std::atomic<uint32_t> since;
  std::atomic<uint32_t> packets;
  std::atomic<uint64_t> bytes;

  EntryTally tally() const { return {packets.load(std::memory_order_relaxed), bytes.load(std::memory_order_relaxed)}; }
  void set(uint32_t since, const EntryTally& tally);
  void add(const EntryTally& more);
};
static_assert(sizeof(History) == 16);

class Slots {
 public:
  static constexpr uint64_t kInGroup = 4;
  enum Kind : uint32_t { kEmpty, kUsed, kWriting };
  static constexpr uint32_t kKindMask = 3;

  // For so many entries; zeroed, and costs nothing until it is touched. Throws std::bad_alloc.
  Slots(uint32_t places, PageAdvice advice);

  uint32_t places() const { return places_; }
  uint64_t count() const { return count_; }
  Slot& at(uint64_t at) const { return groups_[at / kInGroup].slots[at % kInGroup]; }
  History& history(uint64_t at) const { return groups_[at / kInGroup].histories[at % kInGroup]; }
  Kind kind_of(uint64_t at) const {
    return static_cast<Kind>(this->at(at).state.load(std::memory_order_relaxed) & kKindMask);
  }
  EntryValue whole_value_of(uint64_t at) const;
  // The first slot of a group. A multiplication brings the hash into the range of homes (D. Lemire, ACM TOMACS 29(1), 2019),
  // which needs be no power of two then; and whatever that is, homes are in the order of the hashes.
  uint64_t home_of(uint64_t hash) const {
    __extension__ using Wide = unsigned __int128;
    return static_cast<uint64_t>(static_cast<Wide>(hash) * homes_ >> 64) * kInGroup;
  }
  // Nobody wants it any more, but who is late may still read it.
  void release(PageAdvice advice) const;

 private:
  struct alignas(64) Group {
    Slot slots[kInGroup];
    History histories[kInGroup];
  };
  static_assert(sizeof(Group) == 192);
  size_t bytes() const { return count_ / kInGroup * sizeof(Group); }

  const uint32_t places_;
  const uint64_t homes_;  // groups where probing may start
  const uint64_t count_;  // the last is never used: it ends every run
  const std::unique_ptr<uint8_t, void (*)(void*)> memory_;
  Group* const groups_;
};

inline EntryValue Slot::value() const {
  const uint32_t packed = container_origin.load(std::memory_order_relaxed);
  return {container_of(packed), origin_of(packed), 0, seen.load(std::memory_order_relaxed), {}};
}

}  // namespace onehop
