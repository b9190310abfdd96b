// What the daemon may ask of the kernel, from its first instruction on: few capabilities, no way to more of them, and the
// system calls of system_calls.h.
//
// Capabilities belong to threads, and Node has several before a line of ours runs. So the process is replaced by
// itself: execve(2) gives the new one what the calling thread is left with, and every thread of it starts with that.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace onehop {

// The same for this process as confine() would leave it: its capabilities are among `capabilities` (numbers of
// linux/capability.h), and it can get no others (no_new_privs).
bool is_confined(const std::vector<int>& capabilities);

// Gives up all other capabilities and system calls, and runs `arguments` (the first: a program's path) in the
// place of this process. Returns only by throwing IoFailure.
[[noreturn]] void confine(const std::vector<int>& capabilities, const std::vector<std::string>& arguments);

// Leaves bytes for the process that confine() makes of this one: the number of a file that is open there, at its beginning.
int leave(std::span<const uint8_t> bytes);

}  // namespace onehop
