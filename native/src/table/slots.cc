#include "slots.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace onehop {

namespace {

constexpr uintptr_t kCacheLine = 64, kHugePage = 2 << 20;

// What a small table would only waste on huge pages' sake.
constexpr uintptr_t alignment_of(size_t bytes) { return bytes < kHugePage ? kCacheLine : kHugePage; }

uint8_t* zeroed(size_t bytes) {
  void* memory = std::calloc(1, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<uint8_t*>(memory);
}

uint8_t* aligned(uint8_t* memory, uintptr_t alignment) {
  return reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(memory) + alignment - 1) & ~(alignment - 1));
}

// Five slots for four entries, and a little more: 1.3125 slots, of 48 bytes each, are 63 bytes an entry.
constexpr uint64_t slots_for(uint32_t places) { return uint64_t{places} + uint64_t{places} * 5 / 16; }
// Beyond the last home: longer than a run grows at that load, however many slots there are.
constexpr uint64_t kTail = 512;

constexpr uint64_t round_up(uint64_t value, uint64_t step) { return (value + step - 1) / step * step; }

}  // namespace

Slots::Slots(uint32_t places, PageAdvice advice)
    : places_(places),
      homes_(slots_for(places) / kInGroup + 1),
      count_(round_up(homes_ * kInGroup + std::min<uint64_t>(kTail, uint64_t{places} + 1), kInGroup)),
      memory_(zeroed(bytes() + alignment_of(bytes())), std::free),
      groups_(reinterpret_cast<Group*>(aligned(memory_.get(), alignment_of(bytes())))) {
  // Before the first touch: a lookup of a random source misses the translation cache too, unless pages are huge.
  if (advice != nullptr && bytes() >= kHugePage) advice(groups_, bytes(), PageUse::kAllOver);
}

void Slots::release(PageAdvice advice) const {
  if (advice != nullptr && bytes() >= kHugePage) advice(groups_, bytes(), PageUse::kNone);
}

SourceKey Slot::key() const {
  const uint32_t word = scope_word.load(std::memory_order_relaxed);
  return {{high.load(std::memory_order_relaxed), low.load(std::memory_order_relaxed)}, word >> 1, (word & 1) != 0};
}

EntryValue Slots::whole_value_of(uint64_t at) const {
  EntryValue value = this->at(at).value();
  const History& own = history(at);
  value.since = own.since.load(std::memory_order_relaxed);
  value.tally = own.tally();
  return value;
}

void History::set(uint32_t when, const EntryTally& tally) {
  since.store(when, std::memory_order_relaxed);
  packets.store(tally.packets, std::memory_order_relaxed);
  bytes.store(tally.bytes, std::memory_order_relaxed);
}

void History::add(const EntryTally& more) {
  uint32_t before = packets.load(std::memory_order_relaxed);
  while (!packets.compare_exchange_weak(before, before + std::min(more.packets, UINT32_MAX - before),
                                        std::memory_order_relaxed)) {
  }
  bytes.fetch_add(more.bytes, std::memory_order_relaxed);
}

}  // namespace onehop
