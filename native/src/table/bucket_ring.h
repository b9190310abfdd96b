// A bounded store that forgets: a key hashes to a bucket of four places; when all are taken the new key takes
// the place whose turn it is. A flood can only churn it, never make it grow.
//
// Shared by the packet threads without waiting: a bucket is a seqlock. A reader that meets a writer looks
// again a few times and then counts the key as absent; a writer that meets a writer gives up. Both only make
// a source stay on probation for one packet longer.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace onehop {

// Key and value are words; the key's last word is never zero, for there that marks a free place.
template <size_t kKeyWords, size_t kValueWords>
class BucketRing {
 public:
  using Key = std::array<uint64_t, kKeyWords>;
  using Value = std::array<uint64_t, kValueWords>;

  // `capacity` is rounded up to a power of two, at least one bucket.
  explicit BucketRing(uint32_t capacity)
      : mask_(std::bit_ceil((capacity + kWays - 1) / kWays) - 1), buckets_(new Bucket[size_t{mask_} + 1]) {}

  bool lookup(uint64_t hash, const Key& key, Value& value) const {
    const Bucket& bucket = bucket_of(hash);
    for (int attempt = 0; attempt < kAttempts; attempt++) {
      const uint32_t before = bucket.version.load(std::memory_order_acquire);
      if (is_being_written(before)) continue;
      const int place = find(bucket, key);
      if (place >= 0)
        for (size_t i = 0; i < kValueWords; i++)
          value[i] = bucket.words[place][kKeyWords + i].load(std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_acquire);
      if (bucket.version.load(std::memory_order_relaxed) == before) return place >= 0;
    }
    return false;
  }

  // Stores under a key, in its own place when it has one.
  void store(uint64_t hash, const Key& key, const Value& value) {
    Bucket& bucket = bucket_of(hash);
    if (!lock(bucket)) return;
    int place = find(bucket, key);
    if (place < 0) place = free_place(bucket);
    for (size_t i = 0; i < kKeyWords; i++) bucket.words[place][i].store(key[i], std::memory_order_relaxed);
    for (size_t i = 0; i < kValueWords; i++)
      bucket.words[place][kKeyWords + i].store(value[i], std::memory_order_relaxed);
    unlock(bucket);
  }

  void remove(uint64_t hash, const Key& key) {
    Bucket& bucket = bucket_of(hash);
    if (!lock(bucket)) return;
    const int place = find(bucket, key);
    if (place >= 0) bucket.words[place][kKeyWords - 1].store(0, std::memory_order_relaxed);
    unlock(bucket);
  }

 private:
  static constexpr uint32_t kWays = 4;
  static constexpr int kAttempts = 64;

  struct Bucket {
    std::atomic<uint32_t> version{0};  // odd while being written
    std::atomic<uint32_t> next{0};
    std::atomic<uint64_t> words[kWays][kKeyWords + kValueWords]{};
  };

  Bucket& bucket_of(uint64_t hash) const { return buckets_[static_cast<uint32_t>(hash) & mask_]; }
  static constexpr bool is_being_written(uint32_t version) { return (version & 1) != 0; }

  static int find(const Bucket& bucket, const Key& key) {
    for (uint32_t place = 0; place < kWays; place++) {
      bool is_same = true;
      for (size_t i = 0; i < kKeyWords && is_same; i++)
        is_same = bucket.words[place][i].load(std::memory_order_relaxed) == key[i];
      if (is_same) return static_cast<int>(place);
    }
    return -1;
  }

  static int free_place(Bucket& bucket) {
    for (uint32_t place = 0; place < kWays; place++)
      if (bucket.words[place][kKeyWords - 1].load(std::memory_order_relaxed) == 0)
        return static_cast<int>(place);
    const uint32_t turn = bucket.next.load(std::memory_order_relaxed);
    bucket.next.store((turn + 1) % kWays, std::memory_order_relaxed);
    return static_cast<int>(turn);
  }

  // The fence keeps the words from being written before the version says so.
  static bool lock(Bucket& bucket) {
    uint32_t version = bucket.version.load(std::memory_order_relaxed);
    if (is_being_written(version)) return false;
    if (!bucket.version.compare_exchange_strong(version, version + 1, std::memory_order_acquire)) return false;
    std::atomic_thread_fence(std::memory_order_release);
    return true;
  }
  static void unlock(Bucket& bucket) { bucket.version.fetch_add(1, std::memory_order_release); }

  uint32_t mask_;
  std::unique_ptr<Bucket[]> buckets_;
};

}  // namespace onehop
