#include "entries.h"

#include <cstdlib>
#include <new>

namespace onehop {

namespace {

constexpr uintptr_t kCacheLine = 64, kHugePage = 2 << 20;

// What a small table would only waste on huge pages' sake.
constexpr uintptr_t alignment_of(size_t bytes) { return bytes < kHugePage ? kCacheLine : kHugePage; }

// Zeroed memory that costs nothing until it is touched.
uint8_t* zeroed(size_t bytes) {
  void* memory = std::calloc(1, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<uint8_t*>(memory);
}

uint8_t* aligned(uint8_t* memory, uintptr_t alignment) {
  return reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(memory) + alignment - 1) & ~(alignment - 1));
}

// From the key, but not the key itself: 1 keeps a product from being always even.
HashKey derive(const HashKey& key) {
  const auto word = [&key](const char* purpose) { return siphash(key, purpose, 8) | 1; };
  return {word("entries0"), word("entries1")};
}

// Five slots for four entries, and a little more: 1.3125 slots, of 48 bytes each, are 63 bytes an entry.
constexpr uint64_t slots_for(uint32_t capacity) { return uint64_t{capacity} + uint64_t{capacity} * 5 / 16; }
// Beyond the last home: longer than a run grows at that load, however many slots there are.
constexpr uint64_t kTail = 512;

constexpr uint64_t round_up(uint64_t value, uint64_t step) { return (value + step - 1) / step * step; }

}  // namespace

Entries::Entries(uint32_t capacity, const HashKey& hash_key, PageAdvice advice)
    : capacity_(capacity),
      homes_(slots_for(capacity) / kSlotsAGroup + 1),
      slots_(round_up(homes_ * kSlotsAGroup + std::min<uint64_t>(kTail, capacity + 1), kSlotsAGroup)),
      hash_key_(derive(hash_key)),
      memory_(zeroed(bytes() + alignment_of(bytes())), std::free),
      groups_(reinterpret_cast<Group*>(aligned(memory_.get(), alignment_of(bytes())))),
      changes_(capacity) {
  // Before the first touch: a lookup of a random source misses the translation cache too, unless pages are huge.
  if (advice != nullptr && bytes() >= kHugePage) advice(groups_, bytes());
}

uint64_t Entries::search(const SourceKey& key, EntryValue& value) const {
  uint64_t at;
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    const uint32_t shifts = shifts_.load(std::memory_order_acquire);
    switch (probe(key, value, at)) {
      case Probe::kFound:
        return at;
      case Probe::kTorn:
      case Probe::kOther:
        continue;
      case Probe::kAbsent:
        std::atomic_thread_fence(std::memory_order_acquire);
        if ((shifts & 1) == 0 && shifts_.load(std::memory_order_relaxed) == shifts) return kNone;
    }
  }
  return kNone;
}

Entries::Probe Entries::probe(const SourceKey& key, EntryValue& value, uint64_t& at) const {
  for (at = home_of(key);; at++) {
    const Probe found = read(at, key, value);
    if (found != Probe::kOther) return found;
  }
}

// Where the key's entry is, kNone when it is gone or moves just now.
uint64_t Entries::confirmed(const SourceKey& key, uint64_t at) const {
  EntryValue value;
  return matches(slot(at), key) || probe(key, value, at) == Probe::kFound ? at : kNone;
}

void Entries::touch(const SourceKey& key, uint64_t at, uint32_t now) {
  at = confirmed(key, at);
  if (at != kNone) slot(at).seen.store(now, std::memory_order_relaxed);
}

void Entries::count(const SourceKey& key, uint64_t at, const EntryTally& more) {
  at = confirmed(key, at);
  if (at == kNone) return;
  History& own = history(at);
  uint32_t packets = own.packets.load(std::memory_order_relaxed);
  while (!own.packets.compare_exchange_weak(packets, packets + std::min(more.packets, UINT32_MAX - packets),
                                            std::memory_order_relaxed)) {
  }
  own.bytes.fetch_add(more.bytes, std::memory_order_relaxed);
}

bool Entries::lock(int attempts) {
  while (writing_.test_and_set(std::memory_order_acquire))
    if (--attempts <= 0) return false;
  return true;
}

Entries::Written Entries::store(const SourceKey& key, const EntryValue& value, uint32_t quota) {
  if (!lock(1)) return Written::kBusy;
  Written written = Written::kYes;
  if (const uint64_t own = find(key); own != kNone)
    replace(own, key, value);
  else
    written = size() + reserved_ >= capacity_ ? Written::kFull : insert(key, value, quota);
  unlock();
  return written;
}

bool Entries::move(const SourceKey& key, uint32_t container, Origin origin, uint32_t now) {
  if (!lock(1)) return false;
  const uint64_t own = find(key);
  if (own != kNone) {
    EntryValue value = whole_value_of(own);
    const uint32_t former = value.container;
    recount(former, container);
    value.container = container;
    value.origin = origin;
    value.seen = now;
    write(own, key, value);
    changes_.add(row_of(key, value, change_word(former, false, false)));
  }
  unlock();
  return own != kNone;
}

// In turns short enough that a packet thread finds the lock free soon. Their memory comes before the lock is taken.
template <typename Act>
void Entries::in_turns(std::span<const Row> rows, Act act) {
  for (size_t start = 0; start < rows.size(); start += kRowsPerTurn) {
    const std::span<const Row> turn = rows.subspan(start, std::min(kRowsPerTurn, rows.size() - start));
    for (const Row& row : turn) approach(row.key());
    while (!lock(kPatience)) {
    }
    for (const Row& row : turn) act(row);
    unlock();
  }
}

// The places are reserved before the first row is put: packets that come meanwhile can only take what is left. Rows may
// name a key twice, or one that gets its entry meanwhile; then they need fewer.
uint64_t Entries::put(std::span<const Row> rows, bool is_whole) {
  if (is_whole) {
    uint64_t wanted = 0;
    in_turns(rows, [&](const Row& row) { wanted += find(row.key()) == kNone; });
    while (!lock(kPatience)) {
    }
    const uint64_t room = capacity_ - size();
    if (wanted <= room) reserved_ = wanted;
    unlock();
    if (wanted > room) return wanted - room;
  }
  uint64_t lacking = 0;
  in_turns(rows, [&](const Row& row) {
    const SourceKey key = row.key();
    if (const uint64_t own = find(key); own != kNone) return replace(own, key, row.value());
    if (size() >= capacity_ || insert(key, row.value(), UINT32_MAX) != Written::kYes) lacking++;
    if (reserved_ > 0) reserved_--;
  });
  while (!lock(kPatience)) {
  }
  reserved_ = 0;
  unlock();
  return lacking;
}

uint64_t Entries::forget(std::span<const Row> rows) {
  uint64_t forgotten = 0;
  in_turns(rows, [&](const Row& row) {
    const uint64_t at = find(row.key());
    if (at == kNone) return;
    remove(at, false);
    forgotten++;
  });
  return forgotten;
}

uint64_t Entries::find(const SourceKey& key) const {
  for (uint64_t at = home_of(key); kind_of(at) != kEmpty; at++)
    if (matches(slot(at), key)) return at;
  return kNone;
}

Entries::Written Entries::insert(const SourceKey& key, const EntryValue& value, uint32_t quota) {
  std::atomic<uint32_t>& size = sizes_[key.scope];
  if (size.load(std::memory_order_relaxed) >= quota) return Written::kOverQuota;
  uint64_t at = home_of(key);
  while (kind_of(at) != kEmpty) at++;
  if (at == slots_ - 1) return Written::kFull;
  fill(at, key, value, 0);
  sources_[value.container].fetch_add(1, std::memory_order_relaxed);
  size.fetch_add(1, std::memory_order_relaxed);
  size_.fetch_add(1, std::memory_order_relaxed);
  return Written::kYes;
}

void Entries::write(uint64_t at, const SourceKey& key, const EntryValue& value) {
  Slot& own = slot(at);
  const uint32_t version = own.state.load(std::memory_order_relaxed) & ~kKindMask;
  own.state.store(version | kWriting, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  own.high.store(key.source.high, std::memory_order_relaxed);
  own.low.store(key.source.low, std::memory_order_relaxed);
  own.scope_word.store(key.scope_word(), std::memory_order_relaxed);
  own.container_origin.store(container_origin_of(value), std::memory_order_relaxed);
  own.seen.store(value.seen, std::memory_order_relaxed);
  own.state.store((version + kOneVersion) | kUsed, std::memory_order_release);
}

void Entries::replace(uint64_t at, const SourceKey& key, const EntryValue& value) {
  const uint32_t former = value_of(slot(at)).container;
  recount(former, value.container);
  fill(at, key, value, former);
}

void Entries::recount(uint32_t from, uint32_t to) {
  sources_[from].fetch_sub(1, std::memory_order_relaxed);
  sources_[to].fetch_add(1, std::memory_order_relaxed);
}

void Entries::fill(uint64_t at, const SourceKey& key, const EntryValue& value, uint32_t former) {
  History& own = history(at);
  own.since.store(value.since, std::memory_order_relaxed);
  own.packets.store(value.tally.packets, std::memory_order_relaxed);
  own.bytes.store(value.tally.bytes, std::memory_order_relaxed);
  write(at, key, value);
  changes_.add(row_of(key, value, change_word(former, false, false)));
}

void Entries::remove(uint64_t at, bool is_idle) {
  const SourceKey key = key_of(slot(at));
  const uint32_t former = value_of(slot(at)).container;
  sources_[former].fetch_sub(1, std::memory_order_relaxed);
  close_gap(at);
  sizes_[key.scope].fetch_sub(1, std::memory_order_relaxed);
  size_.fetch_sub(1, std::memory_order_relaxed);
  changes_.add(gone_row(key, former, is_idle));
}

// Every later entry of the run that may lie in the gap moves into it, and leaves a gap itself.
void Entries::close_gap(uint64_t gap) {
  shifts_.fetch_add(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  for (uint64_t at = gap + 1; kind_of(at) != kEmpty; at++) {
    const SourceKey key = key_of(slot(at));
    if (home_of(key) > gap) continue;
    const EntryValue value = whole_value_of(at);
    History& moved = history(gap);
    moved.since.store(value.since, std::memory_order_relaxed);
    moved.packets.store(value.tally.packets, std::memory_order_relaxed);
    moved.bytes.store(value.tally.bytes, std::memory_order_relaxed);
    write(gap, key, value);
    gap = at;
  }
  const uint32_t version = slot(gap).state.load(std::memory_order_relaxed) & ~kKindMask;
  slot(gap).state.store((version + kOneVersion) | kEmpty, std::memory_order_release);
  shifts_.fetch_add(1, std::memory_order_release);
}

SourceKey Entries::key_of(const Slot& slot) {
  const uint32_t scope_word = slot.scope_word.load(std::memory_order_relaxed);
  return {{slot.high.load(std::memory_order_relaxed), slot.low.load(std::memory_order_relaxed)},
          scope_word >> 1,
          (scope_word & 1) != 0};
}

EntryValue Entries::whole_value_of(uint64_t at) const {
  EntryValue value = value_of(slot(at));
  const History& own = history(at);
  value.since = own.since.load(std::memory_order_relaxed);
  value.tally = {own.packets.load(std::memory_order_relaxed), own.bytes.load(std::memory_order_relaxed)};
  return value;
}

Entries::Listed Entries::list(uint64_t cursor, std::span<Row> out) const {
  uint32_t count = 0;
  for (uint64_t at = cursor == 0 ? slots_ : std::min(cursor, slots_); at > 0; at--) {
    if (count == out.size()) return {at, count};
    if (read(at - 1, out[count])) count++;
  }
  return {0, count};
}

uint32_t Entries::find(std::span<const Row> rows, std::span<Row> out) const {
  uint32_t count = 0;
  for (const Row& row : rows) {
    const SourceKey key = row.key();
    EntryValue value;
    const uint64_t at = lookup(key, kNoHint, value);
    if (at != kNone && read(at, out[count]) && out[count].key() == key) count++;
  }
  return count;
}

// A slot that is being written is read again: what is there all the time must not be missed.
bool Entries::read(uint64_t at, Row& row) const {
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    const uint32_t state = slot(at).state.load(std::memory_order_acquire);
    if ((state & kKindMask) == kEmpty) return false;
    row = row_of(key_of(slot(at)), whole_value_of(at));
    std::atomic_thread_fence(std::memory_order_acquire);
    if ((state & kKindMask) == kUsed && slot(at).state.load(std::memory_order_relaxed) == state) return true;
  }
  return false;
}

}  // namespace onehop
