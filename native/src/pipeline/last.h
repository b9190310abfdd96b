// The last value that a thread wrote, for others to read: a seqlock. Nobody waits for the other; a reader that meets the
// writer looks again.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

namespace onehop {

// `Value`: without padding or pointers, a multiple of eight bytes.
template <typename Value>
class Last {
 public:
  // One thread.
  void write(const Value& value) {
    const uint32_t version = version_.load(std::memory_order_relaxed);
    version_.store(version + 1, std::memory_order_relaxed);
    uint64_t words[kWords];
    std::memcpy(words, &value, sizeof value);
    for (uint32_t i = 0; i < kWords; i++) words_[i].store(words[i], std::memory_order_release);
    version_.store(version + 2, std::memory_order_release);
  }

  // Any thread: none when nothing was ever written.
  std::optional<Value> read() const {
    for (;;) {
      const uint32_t version = version_.load(std::memory_order_acquire);
      if (version == 0) return {};
      uint64_t words[kWords];
      for (uint32_t i = 0; i < kWords; i++) words[i] = words_[i].load(std::memory_order_acquire);
      if (version % 2 != 0 || version_.load(std::memory_order_relaxed) != version) continue;
      Value value;
      std::memcpy(&value, words, sizeof value);
      return value;
    }
  }

 private:
  static constexpr uint32_t kWords = sizeof(Value) / sizeof(uint64_t);
  static_assert(sizeof(Value) == kWords * sizeof(uint64_t) && std::has_unique_object_representations_v<Value>);
  static_assert(std::is_trivially_copyable_v<Value> && std::is_trivially_default_constructible_v<Value>);

  std::atomic<uint32_t> version_{0};  // odd while it is written
  std::atomic<uint64_t> words_[kWords];
};

}  // namespace onehop
