// System calls: pthread_sigmask, pthread_setname_np, those of std::thread.
#include "thread_group.h"

#include <pthread.h>
#include <signal.h>

#include <system_error>
#include <utility>

#include "failure.h"

namespace onehop {

namespace {

// New threads inherit the mask, so it is set around their creation: no signal can reach them in between.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

ThreadGroup::~ThreadGroup() {
  stop_.raise();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadGroup::start(const std::string& name, std::function<void(const SignalEvent&)> run) {
  const AllSignalsBlocked blocked;
  try {
    threads_.emplace_back([this, run = std::move(run)] { run(stop_); });
  } catch (const std::system_error& error) {
    throw system_failure("pthread_create", error.code().value());
  }
  pthread_setname_np(threads_.back().native_handle(), name.c_str());
}

}  // namespace onehop
