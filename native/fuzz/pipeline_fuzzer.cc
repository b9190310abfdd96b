// libFuzzer's entry to the native pipeline. An execution is one input (steps.h): up to twelve steps in one world,
// most of them packets. Nothing is allocated for it, and every execution starts from the same state.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "../src/pipeline/verdict.h"
#include "invariants.h"
#include "mutator.h"
#include "run.h"
#include "steps.h"
#include "worlds.h"

using namespace onehop::fuzz;

namespace {

std::vector<std::unique_ptr<World>> worlds;

World& world_of(const uint8_t* input) { return *worlds[input[0] % worlds.size()]; }

void check_counters(World& world, uint32_t packets) {
  const onehop::Counters counters = world.engine().counters();
  uint64_t sum = 0;
  for (const onehop::Traffic& reason : counters.reasons) sum += reason.packets;
  expect(counters.received.packets == packets && sum == packets, "received is the sum of the verdicts");
  expect(counters.entries <= counters.capacity, "the table holds no more than its capacity");
}

// A line for each reason: what was never reached was never tested.
void print_reasons() {
  for (uint32_t code = 0; code < onehop::kReasonCount; code++) {
    const auto& [verdict, reason] = onehop::kReasons[code];
    std::fprintf(stderr, "reason: %s %s: %lu\n", verdict, reason, packets_by_reason()[code]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** arguments) {
  std::atexit(print_reasons);
  watch_allocations();
  worlds = load_worlds((*arguments)[0]);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t length) {
  if (length < kInputHeader) return 0;
  World& world = world_of(input);
  const bool is_checked_twice = is_twice(input[1]);
  const std::span<const uint8_t> steps{input + kInputHeader, length - kInputHeader};
  world.restore();
  const Played first = play(world, steps, Handing::kSeveral, is_checked_twice);
  if (!is_checked_twice) return 0;
  check_counters(world, first.packets);
  world.restore();
  const Played second = play(world, steps, Handing::kOneByOne, true);
  expect(first.hash == second.hash, "the outcome depends on nothing but packets, services and time");
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* input, size_t length, size_t most, unsigned seed) {
  return length < kInputHeader ? mutate_bytes(input, length, most)
                               : mutate(world_of(input), input, length, most, seed);
}
