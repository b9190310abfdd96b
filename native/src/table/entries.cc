#include "entries.h"

#include <bit>
#include <cstdlib>
#include <new>

namespace onehop {

namespace {

constexpr uintptr_t kCacheLine = 64, kHugePage = 2 << 20;

// What a small table would only waste on huge pages' sake.
constexpr uintptr_t alignment_of(size_t bytes) { return bytes < kHugePage ? kCacheLine : kHugePage; }

uint8_t* aligned(uint8_t* memory, uintptr_t alignment) {
  return reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(memory) + alignment - 1) & ~(alignment - 1));
}

// Zeroed memory that costs nothing until it is touched.
void* zeroed(size_t bytes) {
  void* memory = std::calloc(1, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

__extension__ using Wide = unsigned __int128;

uint64_t mix(uint64_t a, uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// From the key, but not the key itself: 1 keeps a product from being always even.
HashKey derive(const HashKey& key) {
  const auto word = [&key](const char* purpose) { return siphash(key, purpose, 8) | 1; };
  return {word("entries0"), word("entries1")};
}

}  // namespace

Entries::Entries(uint32_t capacity, const HashKey& hash_key, PageAdvice advice)
    : capacity_(capacity),
      mask_(std::bit_ceil(uint64_t{capacity} + capacity / 2 + 1) - 1),
      hash_key_(derive(hash_key)),
      memory_(static_cast<uint8_t*>(zeroed(slot_bytes() + alignment_of(slot_bytes()))), std::free),
      slots_(reinterpret_cast<Slot*>(aligned(memory_.get(), alignment_of(slot_bytes())))),
      since_(static_cast<std::atomic<uint32_t>*>(zeroed((mask_ + 1) * sizeof(uint32_t))), std::free) {
  // Before the first touch: a lookup of a random source misses the translation cache too, unless pages are huge.
  if (advice != nullptr && slot_bytes() >= kHugePage) advice(slots_, slot_bytes());
}

// The first slot of a cache line. Two multiplications: SipHash would cost more than all the rest of a lookup.
uint64_t Entries::home_of(const SourceKey& key) const {
  const uint64_t source = mix(key.source.low ^ hash_key_.k0, key.source.high ^ hash_key_.k1);
  return mix(source ^ hash_key_.k0, key.scope_word() ^ hash_key_.k1) & mask_ & ~uint64_t{1};
}

bool Entries::lookup(const SourceKey& key, EntryValue& value) const {
  uint64_t at;
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    const uint32_t shifts = shifts_.load(std::memory_order_acquire);
    switch (probe(key, value, at)) {
      case Probe::kFound:
        return true;
      case Probe::kTorn:
        continue;
      case Probe::kAbsent:
        std::atomic_thread_fence(std::memory_order_acquire);
        if ((shifts & 1) == 0 && shifts_.load(std::memory_order_relaxed) == shifts) return false;
    }
  }
  return false;
}

Entries::Probe Entries::probe(const SourceKey& key, EntryValue& value, uint64_t& at) const {
  for (at = home_of(key);; at = next(at)) {
    const Slot& slot = slots_[at];
    const uint32_t state = slot.state.load(std::memory_order_acquire);
    if ((state & kKindMask) == kEmpty) return Probe::kAbsent;
    if (!matches(slot, key)) continue;
    value = value_of(slot);
    std::atomic_thread_fence(std::memory_order_acquire);
    const bool is_whole =
        (state & kKindMask) == kUsed && slot.state.load(std::memory_order_relaxed) == state;
    return is_whole ? Probe::kFound : Probe::kTorn;
  }
}

void Entries::touch(const SourceKey& key, uint32_t now) {
  EntryValue value;
  uint64_t at;
  if (probe(key, value, at) == Probe::kFound) slots_[at].seen.store(now, std::memory_order_relaxed);
}

bool Entries::lock(int attempts) {
  while (writing_.test_and_set(std::memory_order_acquire))
    if (--attempts <= 0) return false;
  return true;
}

Entries::Written Entries::store(const SourceKey& key, const EntryValue& value) {
  if (!lock(1)) return Written::kBusy;
  Written written = Written::kYes;
  if (const uint64_t own = find(key); own != kNone) {
    write(own, key, value);
  } else if (size() >= capacity_) {
    written = Written::kFull;
  } else {
    uint64_t at = home_of(key);
    while (kind_of(at) != kEmpty) at = next(at);
    write(at, key, value);
    size_.fetch_add(1, std::memory_order_relaxed);
  }
  unlock();
  return written;
}

bool Entries::move(const SourceKey& key, uint32_t container, Origin origin, uint32_t now) {
  if (!lock(1)) return false;
  const uint64_t own = find(key);
  if (own != kNone)
    write(own, key, {container, origin, since_.get()[own].load(std::memory_order_relaxed), now});
  unlock();
  return own != kNone;
}

uint64_t Entries::find(const SourceKey& key) const {
  for (uint64_t at = home_of(key); kind_of(at) != kEmpty; at = next(at))
    if (matches(slots_[at], key)) return at;
  return kNone;
}

void Entries::write(uint64_t at, const SourceKey& key, const EntryValue& value) {
  Slot& slot = slots_[at];
  const uint32_t version = slot.state.load(std::memory_order_relaxed) & ~kKindMask;
  slot.state.store(version | kWriting, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  slot.high.store(key.source.high, std::memory_order_relaxed);
  slot.low.store(key.source.low, std::memory_order_relaxed);
  slot.scope_word.store(key.scope_word(), std::memory_order_relaxed);
  slot.container_origin.store(value.container | uint32_t{static_cast<uint8_t>(value.origin)} << 30,
                              std::memory_order_relaxed);
  slot.seen.store(value.seen, std::memory_order_relaxed);
  since_.get()[at].store(value.since, std::memory_order_relaxed);
  slot.state.store((version + kOneVersion) | kUsed, std::memory_order_release);
}

// Every later entry of the run that may lie in the gap moves into it, and leaves a gap itself.
void Entries::erase(uint64_t gap) {
  shifts_.fetch_add(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  for (uint64_t at = next(gap); kind_of(at) != kEmpty; at = next(at)) {
    const SourceKey key = key_of(slots_[at]);
    const uint64_t displacement = (at - home_of(key)) & mask_;
    if (displacement < ((at - gap) & mask_)) continue;  // its home lies behind the gap
    EntryValue value = value_of(slots_[at]);
    value.since = since_.get()[at].load(std::memory_order_relaxed);
    write(gap, key, value);
    gap = at;
  }
  const uint32_t version = slots_[gap].state.load(std::memory_order_relaxed) & ~kKindMask;
  slots_[gap].state.store((version + kOneVersion) | kEmpty, std::memory_order_release);
  size_.fetch_sub(1, std::memory_order_relaxed);
  shifts_.fetch_add(1, std::memory_order_release);
}

SourceKey Entries::key_of(const Slot& slot) {
  const uint32_t scope_word = slot.scope_word.load(std::memory_order_relaxed);
  return {{slot.high.load(std::memory_order_relaxed), slot.low.load(std::memory_order_relaxed)},
          scope_word >> 1,
          (scope_word & 1) != 0};
}

EntryValue Entries::value_of(const Slot& slot) {
  const uint32_t packed = slot.container_origin.load(std::memory_order_relaxed);
  return {packed & 0x3fffffff, static_cast<Origin>(packed >> 30), 0,
          slot.seen.load(std::memory_order_relaxed)};
}

uint64_t Entries::list(uint64_t cursor, uint32_t most, std::vector<View>& out) const {
  for (uint64_t at = cursor; at <= mask_; at++) {
    if (out.size() >= most) return at;
    const Slot& slot = slots_[at];
    const uint32_t state = slot.state.load(std::memory_order_acquire);
    if ((state & kKindMask) != kUsed) continue;
    View view{key_of(slot), value_of(slot)};
    view.value.since = since_.get()[at].load(std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (slot.state.load(std::memory_order_relaxed) == state) out.push_back(view);
  }
  return 0;
}

}  // namespace onehop
