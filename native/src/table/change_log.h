// What became of the entries, in order, for whoever keeps a copy of them: the last so many changes in a ring. Writing
// never waits for a reader. Any number of readers keep a position of their own; one that fell behind so far that
// changes were overwritten learns that, and has to read the whole table again.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "row.h"

namespace onehop {

class ChangeLog {
 public:
  // Keeps as many changes as there can be entries, at most 65,536: three megabytes.
  explicit ChangeLog(uint32_t entries)
      : capacity_(std::clamp<uint64_t>(std::bit_ceil(entries), kLeast, kMost)), changes_(new Change[capacity_]) {}

  // One thread at a time. The fence keeps a change from being overwritten before `begun_` says so.
  void add(const Row& row) {
    const uint64_t at = ended_.load(std::memory_order_relaxed);
    begun_.store(at + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    const Words words = std::bit_cast<Words>(row);
    for (size_t i = 0; i < words.size(); i++) changes_[at & (capacity_ - 1)][i].store(words[i], std::memory_order_relaxed);
    ended_.store(at + 1, std::memory_order_release);
  }

  struct Batch {
    uint64_t next;   // the position to go on from
    uint32_t count;  // rows that were read
    bool is_lost;    // changes were overwritten before they were read: none was, and `next` is where newer ones begin
  };
  // Any thread: the changes from a position on, 0 being the first ever, as many as there are and fit.
  Batch read(uint64_t position, std::span<Row> out) const {
    const uint64_t end = ended_.load(std::memory_order_acquire);
    uint32_t count = 0;
    for (uint64_t at = position; at < end && count < out.size(); at++) {
      Words words;
      for (size_t i = 0; i < words.size(); i++) words[i] = changes_[at & (capacity_ - 1)][i].load(std::memory_order_relaxed);
      out[count++] = std::bit_cast<Row>(words);
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    if (begun_.load(std::memory_order_relaxed) > position + capacity_) return {end, 0, true};
    return {position + count, count, false};
  }

 private:
  static constexpr uint64_t kLeast = 64, kMost = 1 << 16;
  using Words = std::array<uint64_t, sizeof(Row) / sizeof(uint64_t)>;
  using Change = std::array<std::atomic<uint64_t>, std::tuple_size_v<Words>>;

  const uint64_t capacity_;  // a power of two
  const std::unique_ptr<Change[]> changes_;
  std::atomic<uint64_t> begun_{0}, ended_{0};
};

}  // namespace onehop
