// Whether a packet thread that finds nothing looks again or sleeps. Sleeping, it wakes up late for a packet that comes
// soon; looking, it takes processor time for nothing where none comes. So it goes by how long it had to wait before.
#pragma once

#include <algorithm>
#include <chrono>

namespace onehop {

class Spin {
 public:
  // `longest`: how long it looks again at most; 0: it sleeps at once.
  explicit Spin(std::chrono::nanoseconds longest) : longest_(longest) {}

  // Nothing was found. False: sleep, and say so afterwards.
  bool may_look_again() {
    if (longest_.count() == 0) return false;
    const auto now = Clock::now();
    if (!is_waiting_) begin(now);
    // Somebody else had the processor meanwhile, who needs it more.
    else if (now - looked_ > kElsewhere) score_ = kLeast;
    looked_ = now;
    is_asleep_ = score_ <= 0 || now - since_ >= longest_;
    return !is_asleep_;
  }
  void woke() {
    if (is_waiting_) looked_ = Clock::now();
  }

  // Something was found.
  void found() {
    if (!is_waiting_) return;
    is_waiting_ = false;
    // Whoever sleeps hears of a packet late.
    const bool is_soon = looked_ - since_ < (is_asleep_ ? 2 : 1) * longest_;
    score_ = std::clamp(score_ + (is_soon ? 1 : -1), kLeast, kMost);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int kLeast = -16, kMost = 8;
  static constexpr auto kElsewhere = std::chrono::microseconds(100);

  void begin(Clock::time_point now) {
    is_waiting_ = true;
    since_ = looked_ = now;
  }

  const std::chrono::nanoseconds longest_;
  Clock::time_point since_{}, looked_{};  // when the wait began, and its latest look
  bool is_waiting_ = false, is_asleep_ = false;
  int score_ = 1;  // how many waits were short lately, less those that were long
};

}  // namespace onehop
