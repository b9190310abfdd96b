#include "entries.h"

#include <new>

namespace onehop {

namespace {

// From the key, but not the key itself: 1 keeps a product from being always even.
HashKey derive(const HashKey& key) {
  const auto word = [&key](const char* purpose) { return siphash(key, purpose, 8) | 1; };
  return {word("entries0"), word("entries1")};
}

// 4 MB: what the first entries may touch.
constexpr uint32_t kFirstPlaces = 1 << 16;
// Beyond this all the room there may be is taken at once: what is copied holds up the control thread.
constexpr uint64_t kMostCopied = 1 << 20;

}  // namespace

Entries::Entries(uint32_t capacity, const HashKey& hash_key, PageAdvice advice)
    : capacity_(capacity), hash_key_(derive(hash_key)), advice_(advice), changes_(capacity) {
  slots_.store(&grown_.emplace_back(std::min(capacity, kFirstPlaces), advice), std::memory_order_release);
}

// Which array it was is part of it: the count of shifts comes first.
uint64_t Entries::search(const SourceKey& key, EntryValue& value) const {
  uint64_t at;
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    const uint32_t shifts = shifts_.load(std::memory_order_acquire);
    switch (probe(slots(), key, value, at)) {
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

Entries::Probe Entries::probe(const Slots& slots, const SourceKey& key, EntryValue& value, uint64_t& at) const {
  for (at = home_of(slots, key);; at++) {
    const Probe found = read(slots, at, key, value);
    if (found != Probe::kOther) return found;
  }
}

// Where the key's entry is, kNone when it is gone or moves just now.
uint64_t Entries::confirmed(const Slots& slots, const SourceKey& key, uint64_t at) const {
  EntryValue value;
  return slots.at(at).matches(key) || probe(slots, key, value, at) == Probe::kFound ? at : kNone;
}

void Entries::touch(const SourceKey& key, uint64_t at, uint32_t now) {
  const Slots& slots = this->slots();
  at = confirmed(slots, key, at);
  if (at != kNone) slots.at(at).seen.store(now, std::memory_order_relaxed);
}

void Entries::count(const SourceKey& key, uint64_t at, const EntryTally& more) {
  const Slots& slots = this->slots();
  at = confirmed(slots, key, at);
  if (at != kNone) slots.history(at).add(more);
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
  else if (size() + reserved_ >= capacity_)
    written = Written::kFull;
  else
    written = size() >= slots().places() ? Written::kBusy : insert(key, value, quota);
  unlock();
  return written;
}

bool Entries::move(const SourceKey& key, uint32_t container, Origin origin, uint32_t now) {
  if (!lock(1)) return false;
  const uint64_t own = find(key);
  if (own != kNone) {
    EntryValue value = slots().whole_value_of(own);
    const uint32_t former = value.container;
    recount(former, container);
    value.container = container;
    value.origin = origin;
    value.seen = now;
    write(slots().at(own), key, value);
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
    if (is_crowded()) grow();
    if (size() >= std::min(capacity_, slots().places()) || insert(key, row.value(), UINT32_MAX) != Written::kYes) lacking++;
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
  const Slots& slots = this->slots();
  for (uint64_t at = home_of(slots, key); slots.kind_of(at) != Slots::kEmpty; at++)
    if (slots.at(at).matches(key)) return at;
  return kNone;
}

Entries::Written Entries::insert(const SourceKey& key, const EntryValue& value, uint32_t quota) {
  std::atomic<uint32_t>& size = sizes_[key.scope];
  if (size.load(std::memory_order_relaxed) >= quota) return Written::kOverQuota;
  const Slots& slots = this->slots();
  uint64_t at = home_of(slots, key);
  while (slots.kind_of(at) != Slots::kEmpty) at++;
  if (at == slots.count() - 1) return Written::kFull;
  fill(at, key, value, 0);
  sources_[value.container].fetch_add(1, std::memory_order_relaxed);
  size.fetch_add(1, std::memory_order_relaxed);
  size_.fetch_add(1, std::memory_order_relaxed);
  return Written::kYes;
}

void Entries::write(Slot& own, const SourceKey& key, const EntryValue& value) {
  const uint32_t version = own.state.load(std::memory_order_relaxed) & ~kKindMask;
  own.state.store(version | Slots::kWriting, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  own.high.store(key.source.high, std::memory_order_relaxed);
  own.low.store(key.source.low, std::memory_order_relaxed);
  own.scope_word.store(key.scope_word(), std::memory_order_relaxed);
  own.container_origin.store(container_origin_of(value), std::memory_order_relaxed);
  own.seen.store(value.seen, std::memory_order_relaxed);
  own.state.store((version + kOneVersion) | Slots::kUsed, std::memory_order_release);
}

void Entries::replace(uint64_t at, const SourceKey& key, const EntryValue& value) {
  const uint32_t former = slots().at(at).value().container;
  recount(former, value.container);
  fill(at, key, value, former);
}

void Entries::recount(uint32_t from, uint32_t to) {
  sources_[from].fetch_sub(1, std::memory_order_relaxed);
  sources_[to].fetch_add(1, std::memory_order_relaxed);
}

void Entries::fill(uint64_t at, const SourceKey& key, const EntryValue& value, uint32_t former) {
  slots().history(at).set(value.since, value.tally);
  write(slots().at(at), key, value);
  changes_.add(row_of(key, value, change_word(former, false, false)));
}

void Entries::remove(uint64_t at, bool is_idle) {
  const SourceKey key = slots().at(at).key();
  const uint32_t former = slots().at(at).value().container;
  sources_[former].fetch_sub(1, std::memory_order_relaxed);
  close_gap(at);
  sizes_[key.scope].fetch_sub(1, std::memory_order_relaxed);
  size_.fetch_sub(1, std::memory_order_relaxed);
  changes_.add(gone_row(key, former, is_idle));
}

void Entries::shift_begins() {
  shifts_.fetch_add(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
}

// Every later entry of the run that may lie in the gap moves into it, and leaves a gap itself.
void Entries::close_gap(uint64_t gap) {
  const Slots& slots = this->slots();
  shift_begins();
  for (uint64_t at = gap + 1; slots.kind_of(at) != Slots::kEmpty; at++) {
    const SourceKey key = slots.at(at).key();
    if (home_of(slots, key) > gap) continue;
    const EntryValue value = slots.whole_value_of(at);
    slots.history(gap).set(value.since, value.tally);
    write(slots.at(gap), key, value);
    gap = at;
  }
  const uint32_t version = slots.at(gap).state.load(std::memory_order_relaxed) & ~kKindMask;
  slots.at(gap).state.store((version + kOneVersion) | Slots::kEmpty, std::memory_order_release);
  shift_ends();
}

// Five of eight: there is room for all that come until it is asked again.
bool Entries::is_crowded() const {
  const uint32_t places = slots().places();
  return places < capacity_ && size() >= uint64_t{places} * 5 / 8;
}

void Entries::grow_in_time() {
  if (!is_crowded() || !lock(kPatience)) return;
  grow();
  unlock();
}

// Without memory for a larger one, the table stays as it is until it is full.
void Entries::grow() {
  const Slots& from = slots();
  const uint64_t wanted = uint64_t{from.places()} * 3 / 2;
  try {
    grown_.emplace_back(wanted > kMostCopied ? capacity_ : static_cast<uint32_t>(std::min<uint64_t>(wanted, capacity_)), advice_);
  } catch (const std::bad_alloc&) {
    return;
  }
  const Slots& to = grown_.back();
  if (!copy(from, to)) return grown_.pop_back();
  shift_begins();
  slots_.store(&to, std::memory_order_release);
  shift_ends();
  add_what_came(from, to);
  from.release(advice_);
}

// What the entries are; what they have sent follows, for that is counted without the lock. False: there is no room.
bool Entries::copy(const Slots& from, const Slots& to) const {
  for (uint64_t at = 0; at < from.count(); at++) {
    if (from.kind_of(at) != Slots::kUsed) continue;
    const SourceKey key = from.at(at).key();
    uint64_t place = home_of(to, key);
    while (to.kind_of(place) != Slots::kEmpty) place++;
    if (place == to.count() - 1) return false;
    const EntryValue value = from.whole_value_of(at);
    to.history(place).set(value.since, {});
    write(to.at(place), key, value);
  }
  return true;
}

// A thread that had the old array in its hands for all that time counts for nobody.
void Entries::add_what_came(const Slots& from, const Slots& to) {
  for (uint64_t at = 0; at < from.count(); at++) {
    if (from.kind_of(at) != Slots::kUsed) continue;
    const uint64_t place = find(from.at(at).key());
    to.history(place).add(from.history(at).tally());
    const uint32_t seen = from.at(at).seen.load(std::memory_order_relaxed);
    std::atomic<uint32_t>& known = to.at(place).seen;
    if (static_cast<int32_t>(seen - known.load(std::memory_order_relaxed)) > 0) known.store(seen, std::memory_order_relaxed);
  }
}

// A cursor that is of a smaller array begins anew: entries lie elsewhere.
Entries::Listed Entries::list(uint64_t cursor, std::span<Row> out) const {
  const Slots& slots = this->slots();
  const uint64_t array = uint64_t{grown_.size() - 1} << kCursorBits;
  const uint64_t end = cursor >> kCursorBits << kCursorBits == array ? cursor - array : 0;
  uint32_t count = 0;
  for (uint64_t at = end == 0 ? slots.count() : std::min(end, slots.count()); at > 0; at--) {
    if (count == out.size()) return {array | at, count};
    if (read(slots, at - 1, out[count])) count++;
  }
  return {0, count};
}

uint32_t Entries::find(std::span<const Row> rows, std::span<Row> out) const {
  uint32_t count = 0;
  for (const Row& row : rows) {
    const SourceKey key = row.key();
    EntryValue value;
    const uint64_t at = lookup(key, kNoHint, value);
    if (at != kNone && read(slots(), at, out[count]) && out[count].key() == key) count++;
  }
  return count;
}

// A slot that is being written is read again: what is there all the time must not be missed.
bool Entries::read(const Slots& slots, uint64_t at, Row& row) {
  const Slot& own = slots.at(at);
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    const uint32_t state = own.state.load(std::memory_order_acquire);
    if ((state & kKindMask) == Slots::kEmpty) return false;
    row = row_of(own.key(), slots.whole_value_of(at));
    std::atomic_thread_fence(std::memory_order_acquire);
    if ((state & kKindMask) == Slots::kUsed && own.state.load(std::memory_order_relaxed) == state) return true;
  }
  return false;
}

}  // namespace onehop
