// The distribution table: proven sources in `Entries`, new ones on probation in a ring. What it promises is
// written in src/table/table.ts; this is the same for many threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "bucket_ring.h"
#include "entries.h"
#include "proof.h"

namespace onehop {

struct TableCounters {
  std::atomic<uint64_t> probation{0}, made{0}, moved{0}, full{0}, over_quota{0}, expired{0};
};

// What one packet thread counts of the entries that it met last. Adding to an entry, which others may do too, waits until
// all that was written before has reached the cache: so it is done for several entries in a row, and for a busy one once.
class PendingTally {
 public:
  void add(Entries& entries, const SourceKey& key, uint64_t at, uint32_t bytes) {
    if (used_ == 0 || tallies_[used_ - 1].at != at || tallies_[used_ - 1].key != key) {
      if (used_ == kMost) flush(entries);
      tallies_[used_++] = {key, at, {}};
    }
    EntryTally& tally = tallies_[used_ - 1].tally;
    tally.packets++;
    tally.bytes += bytes;
  }
  void flush(Entries& entries) {
    for (size_t i = 0; i < used_; i++) entries.count(tallies_[i].key, tallies_[i].at, tallies_[i].tally);
    used_ = 0;
  }

 private:
  static constexpr size_t kMost = 16;
  struct OfEntry {
    SourceKey key;
    uint64_t at;
    EntryTally tally;
  };
  OfEntry tallies_[kMost];
  size_t used_ = 0;
};

class DistributionTable {
 public:
  DistributionTable(uint32_t capacity, uint32_t probation, const HashKey& hash_key, PageAdvice advice)
      : entries_(capacity, hash_key, advice), probation_(probation), hash_key_(hash_key) {}

  // Where a source stands, and what is known of it there.
  struct Found {
    enum class Place : uint8_t { kNowhere, kProbation, kEntry } place = Place::kNowhere;
    EntryValue value{};      // unless kNowhere; `since` only on probation
    Challenge challenge{};   // on probation
    uint64_t ring_hash = 0;  // unless kEntry
    uint64_t at = Entries::kNone;  // kEntry: its slot
  };

  // `hint`: where `locate` saw its entry, or Entries::kNoHint.
  Found lookup(const SourceKey& key, uint64_t hint, uint32_t now, uint32_t idle) const {
    Found found;
    found.at = entries_.lookup(key, hint, found.value);
    if (found.at != Entries::kNone && !is_idle(found.value.seen, now, idle))
      found.place = Found::Place::kEntry;
    else
      lookup_on_probation(key, found, now, idle);
    return found;
  }

  // Control thread: what is on probation of the rows' keys, idle or not; `out` has room for all.
  uint32_t find_on_probation(std::span<const Row> rows, std::span<Row> out) const {
    uint32_t count = 0;
    for (const Row& row : rows) {
      Ring::Value value;
      if (probation_.lookup(row.key().ring_hash(hash_key_), ring_key(row.key()), value))
        out[count++] = row_of(row.key(), unpack(value));
    }
    return count;
  }

  // A source's packet goes to `container`: keeps the entry fresh, moves it, or brings the source closer to
  // one, which it gets unless its scope has `quota` of them. `found` is what lookup said for the same packet.
  void remember(const SourceKey& key, const Found& found, uint32_t container, Origin origin,
                const ParsedPacket& packet, uint32_t quota, uint32_t now, PendingTally& tally) {
    if (found.place == Found::Place::kEntry) {
      keep(key, found, container, origin, now);
      return tally.add(entries_, key, found.at, packet.length);
    }
    if (found.place == Found::Place::kNowhere || found.value.container != container)
      return admit(key, found, container, origin, now);
    if (found.challenge.is_proved_by(packet)) return promote(key, found, packet.length, quota, now);
    if (found.value.seen == now) return;
    put(key, found, {container, found.value.origin, found.value.since, now, {}}, found.challenge);
  }

  // A container answers: true when the source is known to have gone there.
  bool answered(const SourceKey& key, uint64_t hint, uint32_t container, const ParsedPacket& answer, uint32_t now,
                uint32_t idle) {
    const Found found = lookup(key, hint, now, idle);
    if (found.place == Found::Place::kNowhere || found.value.container != container) return false;
    if (found.place == Found::Place::kEntry) {
      if (found.value.seen != now) entries_.touch(key, found.at, now);
    } else if (found.challenge.is_none()) {
      const Challenge challenge = Challenge::of(answer);
      if (!challenge.is_none()) put(key, found, found.value, challenge);
    }
    return true;
  }

  // Control thread: removes what has been idle longer than its scope's `idle_of`.
  template <typename IdleOf>
  uint64_t expire(uint32_t now, IdleOf idle_of) {
    const uint64_t expired = entries_.expire(now, idle_of);
    counters.expired.fetch_add(expired, std::memory_order_relaxed);
    return expired;
  }

  // Any thread: an entry's source has sent more, and was seen at `seen`.
  void heard(const SourceKey& key, const EntryTally& more, uint32_t seen) {
    EntryValue value;
    const uint64_t at = entries_.lookup(key, Entries::kNoHint, value);
    if (at == Entries::kNone) return;
    if (static_cast<int32_t>(seen - value.seen) > 0) entries_.touch(key, at, seen);
    if (more.packets > 0) entries_.count(key, at, more);
  }

  Entries& entries() { return entries_; }
  const Entries& entries() const { return entries_; }

  TableCounters counters;

 private:
  using Ring = BucketRing<3, 3>;

  static Ring::Key ring_key(const SourceKey& key) {
    constexpr uint64_t kTaken = uint64_t{1} << 63;
    return {key.source.high, key.source.low, key.scope_word() | kTaken};
  }
  static EntryValue unpack(const Ring::Value& value) {
    return {static_cast<uint32_t>(value[0]), static_cast<Origin>(value[0] >> 32),
            static_cast<uint32_t>(value[1] >> 32), static_cast<uint32_t>(value[1]), {}};
  }

  // Never inline: sources that have an entry would pay for it.
  [[gnu::noinline]] void lookup_on_probation(const SourceKey& key, Found& found, uint32_t now, uint32_t idle) const {
    Ring::Value value;
    found.ring_hash = key.ring_hash(hash_key_);
    if (!probation_.lookup(found.ring_hash, ring_key(key), value)) return;
    found.value = unpack(value);
    found.challenge = Challenge{value[2]};
    if (!is_idle(found.value.seen, now, idle)) found.place = Found::Place::kProbation;
  }

  // Writes only what changed: a busy entry's cache line stays shared between the threads for a whole second.
  void keep(const SourceKey& key, const Found& found, uint32_t container, Origin origin, uint32_t now) {
    const EntryValue& known = found.value;
    const bool is_moved = known.container != container;
    if (!is_moved && known.origin == origin) {
      if (known.seen != now) entries_.touch(key, found.at, now);
    } else if (entries_.move(key, container, origin, now) && is_moved) {
      counters.moved.fetch_add(1, std::memory_order_relaxed);
    }
  }

  void admit(const SourceKey& key, const Found& found, uint32_t container, Origin origin, uint32_t now) {
    counters.probation.fetch_add(1, std::memory_order_relaxed);
    put(key, found, {container, origin, now, now, {}}, {});
  }

  void promote(const SourceKey& key, const Found& found, uint32_t bytes, uint32_t quota, uint32_t now) {
    EntryValue value = found.value;
    value.seen = now;
    value.tally = {1, bytes};
    switch (entries_.store(key, value, quota)) {
      case Entries::Written::kYes:
        counters.made.fetch_add(1, std::memory_order_relaxed);
        return probation_.remove(found.ring_hash, ring_key(key));
      case Entries::Written::kFull:
        counters.full.fetch_add(1, std::memory_order_relaxed);
        break;
      case Entries::Written::kOverQuota:
        counters.over_quota.fetch_add(1, std::memory_order_relaxed);
        break;
      case Entries::Written::kBusy:
        break;
    }
    put(key, found, value, found.challenge);
  }

  void put(const SourceKey& key, const Found& found, const EntryValue& value, Challenge challenge) {
    probation_.store(found.ring_hash, ring_key(key),
                     {uint64_t{static_cast<uint8_t>(value.origin)} << 32 | value.container,
                      uint64_t{value.since} << 32 | value.seen, challenge.word()});
  }

  Entries entries_;
  Ring probation_;
  HashKey hash_key_;
};

}  // namespace onehop
