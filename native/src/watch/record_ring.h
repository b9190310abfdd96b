// Records from one thread that writes to one that reads, bounded, without a lock. Each lies in one piece: where too
// little is left before the ring's end it starts anew at the beginning.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

namespace onehop {

class RecordRing {
 public:
  // A power of two, from 8 bytes on.
  explicit RecordRing(uint32_t capacity) : capacity_(capacity), bytes_(std::make_unique<uint8_t[]>(capacity)) {}

  // Writer: room for a record of `length` bytes, a multiple of 8, or null. What is not committed is free again.
  uint8_t* reserve(uint32_t length) {
    const uint64_t at = written_.load(std::memory_order_relaxed);
    const uint32_t before_end = capacity_ - place(at);
    skipped_ = length > before_end ? before_end : 0;
    if (at + skipped_ + length - read_.load(std::memory_order_acquire) > capacity_) return nullptr;
    return bytes_.get() + place(at + skipped_);
  }

  // Writer: the record reserved last is whole. `length`: as reserved, or less. Its first four bytes say the same.
  void commit(uint32_t length) {
    const uint64_t at = written_.load(std::memory_order_relaxed);
    if (skipped_ > 0) std::memcpy(bytes_.get() + place(at), &kNone, sizeof kNone);
    written_.store(at + skipped_ + length, std::memory_order_release);
  }

  // Reader: the oldest record, valid until `pop`; empty when there is none.
  std::span<const uint8_t> front() {
    uint64_t at = read_.load(std::memory_order_relaxed);
    const uint64_t end = written_.load(std::memory_order_acquire);
    if (at != end && length_at(at) == kNone) {
      at += capacity_ - place(at);
      read_.store(at, std::memory_order_release);
    }
    if (at == end) return {};
    return {bytes_.get() + place(at), length_at(at)};
  }
  void pop(uint32_t length) {
    read_.store(read_.load(std::memory_order_relaxed) + length, std::memory_order_release);
  }

 private:
  static constexpr uint32_t kNone = 0;

  uint32_t place(uint64_t at) const { return static_cast<uint32_t>(at & (capacity_ - 1)); }
  uint32_t length_at(uint64_t at) const {
    uint32_t length;
    std::memcpy(&length, bytes_.get() + place(at), sizeof length);
    return length;
  }

  const uint32_t capacity_;
  const std::unique_ptr<uint8_t[]> bytes_;
  uint32_t skipped_ = 0;  // the writer's
  alignas(64) std::atomic<uint64_t> written_{0};
  alignas(64) std::atomic<uint64_t> read_{0};
};

}  // namespace onehop
