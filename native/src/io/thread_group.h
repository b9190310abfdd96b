// Threads with a common end.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "signal_event.h"

namespace onehop {

// Threads that run until the group is destroyed. Signals are blocked in them: they are JavaScript's.
class ThreadGroup {
 public:
  ThreadGroup() = default;
  ThreadGroup(const ThreadGroup&) = delete;
  ThreadGroup& operator=(const ThreadGroup&) = delete;
  // Raises the stop event and waits for all of them.
  ~ThreadGroup();

  // `run` returns when the stop event is raised. `name`: up to 15 bytes. Throws IoFailure.
  void start(const std::string& name, std::function<void(const SignalEvent& stop)> run);

 private:
  SignalEvent stop_;
  std::vector<std::thread> threads_;
};

}  // namespace onehop
