// What the kernel wanted to give a TUN and could not: its queue was full, or nobody read it. No thread of ours sees any of
// it, so the interface's own count is asked for.
#pragma once

#include <cstdint>
#include <string>

#include "netlink.h"

namespace onehop {

class LinkDrops {
 public:
  // From now on; throws IoFailure.
  explicit LinkDrops(std::string name);

  // Packets so far. Of an interface that is gone what was known of it last.
  uint64_t count();

 private:
  uint64_t ask();

  const std::string name_;
  NetlinkSocket socket_;
  uint64_t last_ = 0, before_ = 0;
};

}  // namespace onehop
