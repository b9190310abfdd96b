// The worlds that packets are sent into: engines with services to reach every branch, as test/support/fuzz/worlds.ts
// wrote them beside the fuzzer.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "../src/pipeline/engine.h"
#include "../src/pipeline/update.h"
#include "allocations.h"

namespace onehop::fuzz {

class World {
 public:
  // Snapshots are states of the same services; the first is in force whenever a run starts.
  World(const TableSizes& sizes, std::vector<std::vector<uint8_t>> snapshots);

  Engine& engine() { return *engine_; }
  Worker& worker() { return *worker_; }
  void publish(size_t snapshot);
  // Forgets all that happened since the world was made.
  void restore();

  // What is worth finding in a packet, for the mutator.
  struct End {
    bool is_v6;
    Address address;
    uint16_t port;  // host order; 0: any
  };
  const std::vector<End>& ends() const { return ends_; }

 private:
  void list_ends();

  const std::vector<std::vector<uint8_t>> snapshots_;
  const std::unique_ptr<Engine> engine_;
  std::unique_ptr<Worker> worker_;
  Allocations allocations_;
  std::vector<End> ends_;
  size_t published_ = 0;
};

// Reads the file `worlds` in the folder of the program.
std::vector<std::unique_ptr<World>> load_worlds(const std::string& program);

}  // namespace onehop::fuzz
