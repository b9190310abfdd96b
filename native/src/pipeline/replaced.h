// What one snapshot has that the one before it has not.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace onehop {

struct Service;

struct Replaced {
  // The services that an update took out of a snapshot and brought into it; one that changed is in both.
  std::vector<std::shared_ptr<const Service>> gone, come;
  // Ids of those that stayed, or came, and of which some endpoint's flows have to be remembered from now on.
  std::vector<uint32_t> marked;
};

}  // namespace onehop
