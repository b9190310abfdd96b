// The kernel's clocks, from the vDSO: no system call as a rule.
#pragma once

#include <time.h>

#include <cstdint>

namespace onehop {

inline uint64_t nanoseconds_of(clockid_t clock) {
  timespec now;
  ::clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace onehop
