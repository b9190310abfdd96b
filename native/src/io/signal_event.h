// An eventfd two threads meet at: one raises it, others poll for it.
#pragma once

#include <sys/eventfd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "descriptor.h"
#include "failure.h"

namespace onehop {

class SignalEvent {
 public:
  SignalEvent() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!descriptor_.is_open()) throw system_failure("eventfd", errno);
  }

  int number() const { return descriptor_.number(); }

  // Without a system call, for those too busy to poll.
  bool is_raised() const { return is_raised_.load(std::memory_order_relaxed); }

  // Stays raised, for every poller, until somebody lowers it. Cannot fail: the counter would have to be raised
  // 2^64 - 1 times.
  void raise() {
    is_raised_.store(true, std::memory_order_relaxed);
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(number(), &one, sizeof one);
  }
  void lower() {
    is_raised_.store(false, std::memory_order_relaxed);
    uint64_t raised;
    [[maybe_unused]] const ssize_t read = ::read(number(), &raised, sizeof raised);
  }

 private:
  Descriptor descriptor_;
  std::atomic<bool> is_raised_ = false;
};

}  // namespace onehop
