// The proven sources: open addressing with linear probing over a fixed array of 32-byte slots, at most two
// thirds of them in use. Two slots make a cache line and a key's probing starts with a whole line.
//
// Lookups take no lock. There is one writer at a time and a packet thread never waits for it: one that does
// not get the lock leaves its source on probation and tries again at the source's next packet. Readers notice
// writers by two counts: a slot's own version says that what was read there belongs together, and `shifts_`
// says that a miss may only be an entry on its way to another slot. In both cases they look again, a bounded
// number of times.
//
// Removing closes the gap by moving later entries back, so there are no tombstones and a lookup's length
// depends on what is in the table and not on its past.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "source.h"

namespace onehop {

// Told of memory of at least 2 MiB, aligned likewise, that is about to be read all over; null: nobody to tell. A
// system call, so io/ has it.
using PageAdvice = void (*)(void* memory, size_t bytes);

class Entries {
 public:
  // `hash_key` is secret, so that nobody can choose sources that lie together.
  Entries(uint32_t capacity, const HashKey& hash_key, PageAdvice advice);

  uint32_t capacity() const { return capacity_; }
  uint64_t size() const { return size_.load(std::memory_order_relaxed); }

  // Any thread. Fills in all of `value` but `since`, which lies apart and no packet needs.
  bool lookup(const SourceKey& key, EntryValue& value) const;
  // Any thread: brings what `lookup` will read first into the cache.
  void prefetch(const SourceKey& key) const { __builtin_prefetch(&slots_[home_of(key)]); }
  // Any thread: the entry was seen.
  void touch(const SourceKey& key, uint32_t now);

  // kBusy: another thread writes just now. kFull: only for a key that has no entry.
  enum class Written : uint8_t { kYes, kBusy, kFull };
  // Any thread: makes or replaces the key's entry.
  Written store(const SourceKey& key, const EntryValue& value);
  // Any thread: gives an entry another container or origin; `since` stays. False when another thread writes
  // just now or the entry is gone.
  bool move(const SourceKey& key, uint32_t container, Origin origin, uint32_t now);

  // Control thread: removes entries idle longer than idle_of(scope). Returns how many.
  template <typename IdleOf>
  uint32_t expire(uint32_t now, IdleOf idle_of);

  struct View {
    SourceKey key;
    EntryValue value;
  };
  // Any thread: up to `most` entries from slot `cursor` on; returns the next cursor, 0 at the end. An entry
  // that moves between two calls may be missed or seen twice.
  uint64_t list(uint64_t cursor, uint32_t most, std::vector<View>& out) const;

 private:
  // A slot is 32 bytes, all of it written under the lock except `seen`.
  struct alignas(32) Slot {
    std::atomic<uint32_t> state;             // its kind in the low two bits, its version above
    std::atomic<uint32_t> container_origin;  // origin in the top two bits
    std::atomic<uint64_t> high, low;         // the source
    std::atomic<uint32_t> scope_word;
    std::atomic<uint32_t> seen;
  };
  static_assert(sizeof(Slot) == 32);

  enum Kind : uint32_t { kEmpty, kUsed, kWriting };
  static constexpr uint32_t kKindMask = 3, kOneVersion = 4;
  static constexpr uint64_t kNone = ~uint64_t{0};
  static constexpr int kAttempts = 64;
  static constexpr uint64_t kSlotsPerTurn = 8192;  // how many slots `expire` looks at under the lock

  enum class Probe : uint8_t { kFound, kAbsent, kTorn };

  size_t slot_bytes() const { return (mask_ + 1) * sizeof(Slot); }
  uint64_t home_of(const SourceKey& key) const;
  uint64_t next(uint64_t at) const { return (at + 1) & mask_; }
  Kind kind_of(uint64_t at) const {
    return static_cast<Kind>(slots_[at].state.load(std::memory_order_relaxed) & kKindMask);
  }
  static bool matches(const Slot& slot, const SourceKey& key) {
    return slot.low.load(std::memory_order_relaxed) == key.source.low &&
           slot.high.load(std::memory_order_relaxed) == key.source.high &&
           slot.scope_word.load(std::memory_order_relaxed) == key.scope_word();
  }
  static SourceKey key_of(const Slot& slot);
  static EntryValue value_of(const Slot& slot);
  Probe probe(const SourceKey& key, EntryValue& value, uint64_t& at) const;

  // Under the lock.
  bool lock(int attempts);
  void unlock() { writing_.clear(std::memory_order_release); }
  uint64_t find(const SourceKey& key) const;
  void write(uint64_t at, const SourceKey& key, const EntryValue& value);
  void erase(uint64_t at);

  uint32_t capacity_;
  uint64_t mask_;
  HashKey hash_key_;
  std::unique_ptr<uint8_t, void (*)(void*)> memory_;
  Slot* slots_;
  std::unique_ptr<std::atomic<uint32_t>, void (*)(void*)> since_;  // by slot
  alignas(64) std::atomic<uint32_t> shifts_{0};                    // odd while entries move
  std::atomic<uint64_t> size_{0};
  std::atomic_flag writing_ = ATOMIC_FLAG_INIT;
};

template <typename IdleOf>
uint32_t Entries::expire(uint32_t now, IdleOf idle_of) {
  constexpr int kPatience = 100'000;
  uint32_t expired = 0;
  for (uint64_t start = 0; start <= mask_; start += kSlotsPerTurn) {
    if (!lock(kPatience)) continue;  // its owner sleeps: these slots wait for the next sweep
    for (uint64_t at = start; at <= mask_ && at < start + kSlotsPerTurn;) {
      const Slot& slot = slots_[at];
      const uint32_t seen = slot.seen.load(std::memory_order_relaxed);
      const uint32_t scope = slot.scope_word.load(std::memory_order_relaxed) >> 1;
      if (kind_of(at) != kUsed || !is_idle(seen, now, idle_of(scope))) {
        at++;
        continue;
      }
      erase(at);  // and look at the same slot again: another entry may have come here
      expired++;
    }
    unlock();
  }
  return expired;
}

}  // namespace onehop
