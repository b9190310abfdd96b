// So many a second at most.
#pragma once

#include <atomic>
#include <cstdint>

namespace onehop {

// ICMP errors, as RFC 1812 section 4.3.2.8 and RFC 4443 section 2.4 (f) ask for.
constexpr uint64_t kErrorsPerSecond = 1000;

// Counts what is spent of one second, by all packet threads together.
class SecondBudget {
 public:
  // Below 2^20.
  explicit SecondBudget(uint64_t per_second) : per_second_(per_second) {}

  // True when one more may be spent in the second `now`.
  bool take(uint32_t now) {
    const uint64_t second = (uint64_t{now} + 1) << kSpentBits;  // + 1: no second is the one of the start
    uint64_t word = word_.load(std::memory_order_relaxed);
    uint64_t next;
    do {
      const bool is_same_second = word >> kSpentBits << kSpentBits == second;
      if (is_same_second && word - second >= per_second_) return false;
      next = (is_same_second ? word : second) + 1;
    } while (!word_.compare_exchange_weak(word, next, std::memory_order_relaxed));
    return true;
  }

 private:
  static constexpr int kSpentBits = 20;
  const uint64_t per_second_;
  alignas(64) std::atomic<uint64_t> word_{0};  // the second, and below it how much was spent of it
};

}  // namespace onehop
