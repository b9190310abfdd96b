// Who watches the packet threads' packets. Nobody, as a rule: then a packet costs one look at a flag.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "../watch/watch.h"
#include "published.h"

namespace onehop {

class Tap {
 public:
  using Watches = std::vector<std::shared_ptr<Watch>>;

  explicit Tap(size_t threads) : watches_(std::make_unique<Watches>(), threads) {}

  // Packet threads. Without a watch an earlier one may still be seen for a packet, and a new one be missed.
  bool is_watched() const { return is_watched_.load(std::memory_order_relaxed); }
  const Watches& acquire(size_t thread) { return watches_.acquire(thread); }
  void release(size_t thread) { watches_.release(thread); }

  // Control thread.
  void add(std::shared_ptr<Watch> watch) {
    current_.push_back(std::move(watch));
    publish();
  }
  void remove(const Watch* watch) {
    std::erase_if(current_, [watch](const auto& one) { return one.get() == watch; });
    publish();
  }
  const Watches& current() const { return current_; }

 private:
  void publish() {
    watches_.replace(std::make_unique<Watches>(current_));
    is_watched_.store(!current_.empty(), std::memory_order_relaxed);
  }

  std::atomic<bool> is_watched_ = false;
  Published<Watches> watches_;
  Watches current_;
};

}  // namespace onehop
