// The proven sources: open addressing with linear probing over a fixed array of slots, some three quarters of them in
// use when the table is full. Four slots of 32 bytes and, in a cache line behind them, what else is known of their
// entries make a group of 192 bytes: 63 bytes for each entry that fits. A key's probing starts with a whole group, so
// that mostly what a packet needs is there, and can be fetched, before it is known which slot is its own.
//
// Lookups take no lock. There is one writer at a time and a packet thread never waits for it: one that does
// not get the lock leaves its source on probation and tries again at the source's next packet. Readers notice
// writers by two counts: a slot's own version says that what was read there belongs together, and `shifts_`
// says that a miss may only be an entry on its way to another slot. In both cases they look again, a bounded
// number of times.
//
// Removing closes the gap by moving later entries back, so there are no tombstones and a lookup's length
// depends on what is in the table and not on its past. Entries only ever move to lower slots: the array does not wrap
// round but has some slots more at its end, so that who lists it downwards meets every entry.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "by_id.h"
#include "change_log.h"
#include "row.h"
#include "source.h"

namespace onehop {

// Told of memory of at least 2 MiB, aligned likewise, that is about to be read all over; null: nobody to tell. A
// system call, so io/ has it.
using PageAdvice = void (*)(void* memory, size_t bytes);

class Entries {
 public:
  static constexpr uint64_t kNone = ~uint64_t{0};
  static constexpr uint64_t kNoHint = 0;  // as good as any slot

  // `hash_key` is secret, so that nobody can choose sources that lie together.
  Entries(uint32_t capacity, const HashKey& hash_key, PageAdvice advice);

  uint32_t capacity() const { return capacity_; }
  uint64_t size() const { return size_.load(std::memory_order_relaxed); }
  const ChangeLog& changes() const { return changes_; }

  // Control thread: before the first packet or row of a scope, and before the first that goes to a container.
  void make_room(uint32_t scope) { sizes_.make_room(scope); }
  void make_container_room(uint32_t container) { sources_.make_room(container); }
  // Control thread: visits (scope, entries) of the scopes that have any.
  template <typename Visit>
  void for_each_scope(Visit visit) const;

  // Any thread. Waiting for memory takes longer than all the rest, so several keys' memory is fetched before the first is
  // looked up, in two steps: where probing starts, and from there where the key's entry is. That is a hint and no more, for
  // the entry may move before it is looked up.
  uint64_t approach(const SourceKey& key) const;
  uint64_t locate(const SourceKey& key, uint64_t home) const;
  // Any thread. The slot of a key's entry, kNone without one; looked for first where `hint` says. Fills in all of `value`
  // but `since` and `tally`, which lie apart and no decision needs.
  uint64_t lookup(const SourceKey& key, uint64_t hint, EntryValue& value) const {
    return read(hint, key, value) == Probe::kFound ? hint : search(key, value);
  }
  // Any thread: the entry was seen, or its source has sent more. `at` is where it was a moment ago; lost when it moves
  // just now.
  void touch(const SourceKey& key, uint64_t at, uint32_t now);
  void count(const SourceKey& key, uint64_t at, const EntryTally& more);

  // Any thread: how many entries lead to a container.
  uint32_t sources_on(uint32_t container) const { return sources_[container].load(std::memory_order_relaxed); }

  // kBusy: another thread writes just now. kFull, kOverQuota: only for a key that has no entry.
  enum class Written : uint8_t { kYes, kBusy, kFull, kOverQuota };
  // Any thread: makes or replaces the key's entry, unless it were one more than `quota` of its scope.
  Written store(const SourceKey& key, const EntryValue& value, uint32_t quota);
  // Any thread: gives an entry another container or origin; `since` stays. False when another thread writes
  // just now or the entry is gone.
  bool move(const SourceKey& key, uint32_t container, Origin origin, uint32_t now);

  // The rest is the control thread's.

  // Makes or replaces entries, quota or not. Returns how many rows found no room; with `is_whole` none is put then.
  uint64_t put(std::span<const Row> rows, bool is_whole);
  // Removes the entries of the rows' keys. Returns how many there were.
  uint64_t forget(std::span<const Row> rows);
  // Removes entries idle longer than idle_of(scope). Returns how many.
  template <typename IdleOf>
  uint64_t expire(uint32_t now, IdleOf idle_of);

  // The entries of the rows' keys, as many as there are; `out` has room for all.
  uint32_t find(std::span<const Row> rows, std::span<Row> out) const;

  struct Listed {
    uint64_t next;   // the cursor to go on from; 0 at the end
    uint32_t count;  // rows that were written
  };
  // Entries from cursor on, 0 for the first, as many as there are and fit. What is there all the time is listed, some of
  // it twice when it moves meanwhile.
  Listed list(uint64_t cursor, std::span<Row> out) const;

 private:
  // All of it written under the lock except `seen`.
  struct alignas(32) Slot {
    std::atomic<uint32_t> state;  // its kind in the low two bits, its version above
    std::atomic<uint32_t> container_origin;
    std::atomic<uint64_t> high, low;  // the source
    std::atomic<uint32_t> scope_word;
    std::atomic<uint32_t> seen;
  };
  static_assert(sizeof(Slot) == 32);

  struct History {
    std::atomic<uint32_t> since;
    std::atomic<uint32_t> packets;
    std::atomic<uint64_t> bytes;
  };
  static_assert(sizeof(History) == 16);

  static constexpr uint64_t kSlotsAGroup = 4;
  struct alignas(64) Group {
    Slot slots[kSlotsAGroup];
    History histories[kSlotsAGroup];
  };
  static_assert(sizeof(Group) == 192);

  enum Kind : uint32_t { kEmpty, kUsed, kWriting };
  static constexpr uint32_t kKindMask = 3, kOneVersion = 4;
  static constexpr int kAttempts = 64, kPatience = 100'000;
  static constexpr uint64_t kSlotsPerTurn = 8192;  // how many slots `expire` looks at under the lock
  static constexpr size_t kRowsPerTurn = 128;      // and `put` and `forget` rows

  enum class Probe : uint8_t { kFound, kAbsent, kOther, kTorn };

  Slot& slot(uint64_t at) const { return groups_[at / kSlotsAGroup].slots[at % kSlotsAGroup]; }
  History& history(uint64_t at) const { return groups_[at / kSlotsAGroup].histories[at % kSlotsAGroup]; }
  size_t bytes() const { return slots_ / kSlotsAGroup * sizeof(Group); }
  uint64_t home_of(const SourceKey& key) const;
  Kind kind_of(uint64_t at) const {
    return static_cast<Kind>(slot(at).state.load(std::memory_order_relaxed) & kKindMask);
  }
  static bool matches(const Slot& slot, const SourceKey& key) {
    return ((slot.low.load(std::memory_order_relaxed) ^ key.source.low) |
            (slot.high.load(std::memory_order_relaxed) ^ key.source.high) |
            (slot.scope_word.load(std::memory_order_relaxed) ^ key.scope_word())) == 0;
  }
  static SourceKey key_of(const Slot& slot);
  static EntryValue value_of(const Slot& slot);
  EntryValue whole_value_of(uint64_t at) const;
  Probe read(uint64_t at, const SourceKey& key, EntryValue& value) const;
  uint64_t search(const SourceKey& key, EntryValue& value) const;
  Probe probe(const SourceKey& key, EntryValue& value, uint64_t& at) const;
  uint64_t confirmed(const SourceKey& key, uint64_t at) const;
  bool read(uint64_t at, Row& row) const;

  // Under the lock.
  bool lock(int attempts);
  void unlock() { writing_.clear(std::memory_order_release); }
  uint64_t find(const SourceKey& key) const;
  Written insert(const SourceKey& key, const EntryValue& value, uint32_t quota);
  void write(uint64_t at, const SourceKey& key, const EntryValue& value);
  void fill(uint64_t at, const SourceKey& key, const EntryValue& value, uint32_t former);
  void replace(uint64_t at, const SourceKey& key, const EntryValue& value);
  void recount(uint32_t from, uint32_t to);
  void remove(uint64_t at, bool is_idle);
  void close_gap(uint64_t gap);
  template <typename Act>
  void in_turns(std::span<const Row> rows, Act act);

  const uint32_t capacity_;
  const uint64_t homes_;  // groups where probing may start
  const uint64_t slots_;  // the last is never used: it ends every run
  const HashKey hash_key_;
  std::unique_ptr<uint8_t, void (*)(void*)> memory_;
  Group* groups_;
  ById<std::atomic<uint32_t>> sizes_;    // entries by scope
  ById<std::atomic<uint32_t>> sources_;  // and by container
  ChangeLog changes_;
  uint64_t reserved_ = 0;                        // places that a `put` under way has a right to
  alignas(64) std::atomic<uint32_t> shifts_{0};  // odd while entries move
  std::atomic<uint64_t> size_{0};
  std::atomic_flag writing_ = ATOMIC_FLAG_INIT;
};

// Two slots are a cache line. Histories are fetched where the entry turns out to be.
inline uint64_t Entries::approach(const SourceKey& key) const {
  const uint64_t home = home_of(key);
  __builtin_prefetch(&slot(home));
  __builtin_prefetch(&slot(home + 2));
  return home;
}

// A group's slots are compared without a branch, for no processor can guess which of them it is.
inline uint64_t Entries::locate(const SourceKey& key, uint64_t home) const {
  for (uint64_t group = home; group < slots_ && kind_of(group) != kEmpty; group += kSlotsAGroup) {
    uint32_t same = 0;
    for (uint32_t i = 0; i < kSlotsAGroup; i++) same |= uint32_t{matches(slot(group + i), key)} << i;
    if (same == 0) continue;
    const uint64_t at = group + static_cast<uint64_t>(std::countr_zero(same));
    __builtin_prefetch(&history(at), 1);
    return at;
  }
  return home;
}

// The first slot of a group. Two multiplications: SipHash would cost more than all the rest of a lookup. A third
// brings the hash into the range of homes (D. Lemire, ACM TOMACS 29(1), 2019), which needs be no power of two then.
inline uint64_t Entries::home_of(const SourceKey& key) const {
  __extension__ using Wide = unsigned __int128;
  const auto high_of = [](Wide product) { return static_cast<uint64_t>(product >> 64); };
  const auto mix = [high_of](uint64_t a, uint64_t b) {
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<uint64_t>(product) ^ high_of(product);
  };
  const uint64_t source = mix(key.source.low ^ hash_key_.k0, key.source.high ^ hash_key_.k1);
  const uint64_t hash = mix(source ^ hash_key_.k0, key.scope_word() ^ hash_key_.k1);
  return high_of(static_cast<Wide>(hash) * homes_) * kSlotsAGroup;
}

inline EntryValue Entries::value_of(const Slot& slot) {
  const uint32_t packed = slot.container_origin.load(std::memory_order_relaxed);
  return {container_of(packed), origin_of(packed), 0, slot.seen.load(std::memory_order_relaxed), {}};
}

inline Entries::Probe Entries::read(uint64_t at, const SourceKey& key, EntryValue& value) const {
  const Slot& found = slot(at);
  const uint32_t state = found.state.load(std::memory_order_acquire);
  if ((state & kKindMask) == kEmpty) return Probe::kAbsent;
  if (!matches(found, key)) return Probe::kOther;
  value = value_of(found);
  std::atomic_thread_fence(std::memory_order_acquire);
  const bool is_whole = (state & kKindMask) == kUsed && found.state.load(std::memory_order_relaxed) == state;
  return is_whole ? Probe::kFound : Probe::kTorn;
}

template <typename Visit>
void Entries::for_each_scope(Visit visit) const {
  sizes_.for_each([&visit](uint32_t scope, const std::atomic<uint32_t>& size) {
    if (const uint32_t entries = size.load(std::memory_order_relaxed); entries > 0) visit(scope, entries);
  });
}

template <typename IdleOf>
uint64_t Entries::expire(uint32_t now, IdleOf idle_of) {
  uint64_t expired = 0;
  for (uint64_t start = 0; start < slots_; start += kSlotsPerTurn) {
    if (!lock(kPatience)) continue;  // its owner sleeps: these slots wait for the next sweep
    for (uint64_t at = start; at < std::min(slots_, start + kSlotsPerTurn);) {
      const uint32_t seen = slot(at).seen.load(std::memory_order_relaxed);
      const uint32_t scope = slot(at).scope_word.load(std::memory_order_relaxed) >> 1;
      if (kind_of(at) != kUsed || !is_idle(seen, now, idle_of(scope))) {
        at++;
        continue;
      }
      remove(at, true);  // and look at the same slot again: another entry may have come here
      expired++;
    }
    unlock();
  }
  return expired;
}

}  // namespace onehop
