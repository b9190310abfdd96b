// flock(2), which Node has no word for.
#pragma once

namespace onehop {

// Locks an open file for as long as it is open. False when another open file of the same has the lock. Throws IoFailure.
bool try_lock(int file);

}  // namespace onehop
