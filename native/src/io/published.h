// One value that a writer replaces while readers use it: hazard pointers (M. Michael, IEEE TPDS 15(6), 2004)
// with one slot a reader. Reading takes no lock and never waits; the writer frees a replaced value once no
// reader's slot names it.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

namespace onehop {

template <typename Value>
class Published {
 public:
  Published(std::unique_ptr<const Value> first, size_t readers)
      : current_(first.release()), slots_(readers) {}
  // No reader may be left.
  ~Published() { delete current_.load(); }

  // The value in force, which stays alive until `release` by the same reader.
  const Value& acquire(size_t reader) {
    auto& slot = slots_[reader].value;
    for (;;) {
      const Value* value = current_.load(std::memory_order_acquire);
      slot.store(value);  // sequentially consistent: seen by `replace` before the check below reads
      if (current_.load() == value) return *value;
    }
  }
  void release(size_t reader) { slots_[reader].value.store(nullptr, std::memory_order_release); }

  // The writer's thread only.
  void replace(std::unique_ptr<const Value> next) {
    replaced_.emplace_back(current_.exchange(next.release()));
    std::erase_if(replaced_, [this](const auto& value) { return !is_read(value.get()); });
  }

 private:
  // A line each: readers write their slots once a batch.
  struct alignas(64) Slot {
    std::atomic<const Value*> value{nullptr};
  };

  bool is_read(const Value* value) const {
    return std::ranges::any_of(slots_, [value](const Slot& slot) { return slot.value.load() == value; });
  }

  std::atomic<const Value*> current_;
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<const Value>> replaced_;
};

}  // namespace onehop
