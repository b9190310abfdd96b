// What one packet thread hands to the fast path's thread: a ring that only the one writes and only the other reads.
#pragma once

#include <atomic>
#include <cstdint>

#include "../pipeline/engine.h"

namespace onehop {

// A settled source, and where its last packet went.
struct Offer {
  SourceKey key;
  uint32_t service, container;
  uint32_t version;  // of the snapshot that decided
  bool is_pinned;

  bool operator==(const Offer& other) const {
    return key.source == other.key.source && key.scope_word() == other.key.scope_word() && service == other.service &&
           container == other.container && version == other.version;
  }
};

class Offers {
 public:
  // Packet thread. False when it is full, or the same has been offered a moment ago: a source that has to stay slow would
  // be offered with each packet. The source's next packet tries again.
  bool push(const Offer& offer, uint32_t now_seconds) {
    Recent& recent = recent_[offer.key.source.low * kOdd >> (64 - kRecentBits)];
    if (recent.seconds == now_seconds && recent.offer == offer) return false;
    const uint32_t at = written_.load(std::memory_order_relaxed);
    if (at - read_.load(std::memory_order_acquire) == kPlaces) return false;
    recent = {offer, now_seconds};
    places_[at % kPlaces] = offer;
    written_.store(at + 1, std::memory_order_release);
    return true;
  }

  // The fast path's thread.
  bool pop(Offer& offer) {
    const uint32_t at = read_.load(std::memory_order_relaxed);
    if (at == written_.load(std::memory_order_acquire)) return false;
    offer = places_[at % kPlaces];
    read_.store(at + 1, std::memory_order_release);
    return true;
  }

  bool is_empty() const {
    return read_.load(std::memory_order_relaxed) == written_.load(std::memory_order_acquire);
  }

 private:
  static constexpr uint32_t kPlaces = 4096, kRecentBits = 8;
  static constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;  // 2^64 by the golden ratio: its product's top bits are mixed
  struct Recent {
    Offer offer{};
    uint32_t seconds = 0;
  };

  Offer places_[kPlaces];
  Recent recent_[1 << kRecentBits];
  alignas(64) std::atomic<uint32_t> written_{0};
  alignas(64) std::atomic<uint32_t> read_{0};
};

}  // namespace onehop
