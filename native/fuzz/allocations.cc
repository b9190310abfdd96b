#include "allocations.h"

#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "invariants.h"

namespace onehop::fuzz {

namespace {

// The hooks must not allocate themselves, so what they write down has its place from the start.
struct Region {
  const volatile void* memory;
  size_t bytes;
};
constexpr size_t kRegionsAtMost = 64;
std::array<Region, kRegionsAtMost> recorded;
size_t recorded_count = 0;
// This thread's alone: libFuzzer has one of its own, which may begin while a packet is on its way.
thread_local bool is_recording = false;
thread_local uint64_t allocations = 0;

void on_malloc(const volatile void* memory, size_t bytes) {
  allocations++;
  if (!is_recording) return;
  expect(recorded_count < recorded.size(), "an engine is made of a few allocations");
  recorded[recorded_count++] = {memory, bytes};
}

void on_free(const volatile void* memory) {
  if (recorded_count == 0) return;
  const auto end = recorded.begin() + static_cast<ptrdiff_t>(recorded_count);
  const auto kept = std::remove_if(recorded.begin(), end, [memory](const Region& one) { return one.memory == memory; });
  recorded_count = static_cast<size_t>(kept - recorded.begin());
}

}  // namespace

void watch_allocations() {
  expect(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) != 0, "the sanitizer takes hooks");
}

uint64_t allocations_so_far() { return allocations; }

void Allocations::begin() { is_recording = true; }

void Allocations::stop() { is_recording = false; }

void Allocations::keep() {
  const std::array<Region, kRegionsAtMost> regions = recorded;
  const size_t count = std::exchange(recorded_count, 0);
  for (size_t i = 0; i < count; i++) {
    auto* memory = static_cast<uint8_t*>(const_cast<void*>(regions[i].memory));
    blocks_.push_back({memory, {memory, memory + regions[i].bytes}});
  }
}

void Allocations::restore() const {
  for (const Block& block : blocks_) std::memcpy(block.memory, block.kept.data(), block.kept.size());
}

}  // namespace onehop::fuzz
