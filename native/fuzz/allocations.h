// The memory that the engine asks for, seen through the sanitizer's hooks: what it must not ask for while it
// processes packets, and what has to be put back so that every execution starts from the same state. That costs a
// copy of a few kilobytes instead of a new engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace onehop::fuzz {

// Starts to listen; once a process.
void watch_allocations();
uint64_t allocations_so_far();

// What is allocated while `act` runs and not freed by `settle`.
class Allocations {
 public:
  template <typename Act, typename Settle>
  void record(Act act, Settle settle) {
    begin();
    act();
    stop();
    settle();
    keep();
  }
  // Writes back what stood in it at the end of `record`.
  void restore() const;

 private:
  struct Block {
    uint8_t* memory;
    std::vector<uint8_t> kept;
  };
  static void begin();
  static void stop();
  void keep();

  std::vector<Block> blocks_;
};

}  // namespace onehop::fuzz
