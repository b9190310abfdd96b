// A token bucket for each prefix of a length: src/table/token-buckets.ts says what it promises. Shared by the packet threads
// without waiting: a bucket is one word, and who changes one that another has changed meanwhile looks again.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>

#include "../packet/address.h"
#include "siphash.h"

namespace onehop {

// So many tokens a second, and those of so many seconds at once: their product is below 2^24.
struct Rate {
  uint32_t per_second, burst_seconds;

  uint32_t most() const { return per_second * burst_seconds; }
};

class TokenBuckets {
 public:
  explicit TokenBuckets(const HashKey& hash_key)
      : hash_key_(hash_key), words_(std::make_unique<std::atomic<uint64_t>[]>(kSets * kWays)) {}

  // `prefix`: masked to its first `length` bits, counted within the family.
  bool has_token(const Address& prefix, uint32_t length, const Rate& rate, uint32_t now) const {
    const uint64_t hash = hash_of(prefix, length);
    return find(hash, rate, now).spent < rate.most();
  }

  // Spends one, if there is one.
  void take(const Address& prefix, uint32_t length, const Rate& rate, uint32_t now) {
    const uint64_t hash = hash_of(prefix, length);
    for (int attempt = 0; attempt < kAttempts; attempt++) {
      Found found = find(hash, rate, now);
      const uint64_t spent = std::min(found.spent + 1, rate.most());
      const uint64_t word = tag_of(hash) << kTagShift | uint64_t{now & kSecondsMask} << kSecondShift | spent;
      if (words_[found.at].compare_exchange_weak(found.word, word, std::memory_order_relaxed)) return;
    }
  }

 private:
  static constexpr uint32_t kSets = 16'384, kWays = 4;
  // A word: 20 bits of the prefix's hash, 20 of the second in which `spent` was right, 24 of `spent`. All zero: unused.
  static constexpr uint32_t kTagShift = 44, kSecondShift = 24, kSecondsMask = (1 << 20) - 1, kSpentMask = (1 << 24) - 1;
  static constexpr uint32_t kAheadSeconds = 64;
  // Whoever fails as often meets many who succeed; one token more does not count then.
  static constexpr int kAttempts = 64;

  // Its bucket, or the one that it takes the place of.
  struct Found {
    size_t at;
    uint64_t word;
    uint32_t spent;
  };

  Found find(uint64_t hash, const Rate& rate, uint32_t now) const {
    const size_t set = (hash & (kSets - 1)) * kWays;
    size_t least_at = set;
    uint64_t least_word = 0;
    uint32_t least = UINT32_MAX;
    for (size_t at = set; at < set + kWays; at++) {
      const uint64_t word = words_[at].load(std::memory_order_relaxed);
      const uint32_t spent = spent_of(word, rate, now);
      if (word >> kTagShift == tag_of(hash)) return {at, word, spent};
      if (spent >= least) continue;
      least = spent;
      least_at = at;
      least_word = word;
    }
    return {least_at, least_word, 0};
  }

  uint64_t hash_of(const Address& prefix, uint32_t length) const {
    uint8_t bytes[20];
    std::memcpy(bytes, &prefix, 16);
    std::memcpy(bytes + 16, &length, 4);
    return siphash(hash_key_, bytes, sizeof bytes);
  }

  static uint64_t tag_of(uint64_t hash) { return hash >> kTagShift; }

  static uint32_t spent_of(uint64_t word, const Rate& rate, uint32_t now) {
    const auto spent = static_cast<uint32_t>(word & kSpentMask);
    const uint32_t elapsed = (now - static_cast<uint32_t>(word >> kSecondShift)) & kSecondsMask;
    if (elapsed > kSecondsMask - kAheadSeconds) return spent;
    const uint64_t regained = uint64_t{elapsed} * rate.per_second;
    return regained >= spent ? 0 : spent - static_cast<uint32_t>(regained);
  }

  const HashKey hash_key_;
  const std::unique_ptr<std::atomic<uint64_t>[]> words_;
};

}  // namespace onehop
