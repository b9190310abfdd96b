// System calls: flock.
#include "file_lock.h"

#include <sys/file.h>

#include <cerrno>

#include "failure.h"

namespace onehop {

bool try_lock(int file) {
  if (::flock(file, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno != EWOULDBLOCK) throw system_failure("flock", errno);
  return false;
}

}  // namespace onehop
