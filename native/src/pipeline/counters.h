// What one packet thread counts. It alone writes, the control thread reads at any time: relaxed loads and
// stores suffice, and nothing is shared between packet threads.
#pragma once

#include <atomic>
#include <cstdint>

#include "../table/by_id.h"
#include "engine.h"
#include "verdict.h"

namespace onehop {

class Tally {
 public:
  void add(uint64_t bytes) {
    packets_.store(packets_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    bytes_.store(bytes_.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
  }
  Traffic read() const {
    return {packets_.load(std::memory_order_relaxed), bytes_.load(std::memory_order_relaxed)};
  }

 private:
  std::atomic<uint64_t> packets_{0}, bytes_{0};
};

struct BothWays {
  Tally in, out;
};

using TallyById = ById<BothWays>;

struct alignas(64) WorkerCounters {
  Tally reasons[kReasonCount];
  TallyById services, containers;

  void count(const Result& result, uint32_t bytes) {
    const auto code = static_cast<Code>(result.code);
    reasons[result.code].add(bytes);
    if (is_forward(code)) {
      services[result.service].in.add(bytes);
      containers[result.container].in.add(bytes);
    } else if (is_reply(code)) {
      services[result.service].out.add(bytes);
      containers[result.container].out.add(bytes);
    }
  }
};

}  // namespace onehop
