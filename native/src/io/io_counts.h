// What one packet thread counts of its reads and writes.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace onehop {

// Written by one thread, read by any.
class Count {
 public:
  void add(uint64_t more) { value_.store(value() + more, std::memory_order_relaxed); }
  void add_one() { add(1); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

// By errno.
class ErrorCounts {
 public:
  // Linux has 133 of them; place 0 is for what it may have some day.
  static constexpr size_t kErrors = 134;

  void add(int error, uint64_t more) { counts_[error > 0 && error < int{kErrors} ? error : 0].add(more); }
  uint64_t of(size_t error) const { return counts_[error].value(); }

 private:
  std::array<Count, kErrors> counts_;
};

struct IoCounts {
  Count bridge_writes;
  Count tun_writes;  // in place of a bridge write: no neighbour, or too large for the way to it
  Count tun_emptied;  // times that a queue was found empty
  Count joined;      // packets that left as part of another's write
  ErrorCounts tun_read_errors, tun_write_errors, bridge_write_errors;
};

}  // namespace onehop
