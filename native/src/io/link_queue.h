// The queue in which packets wait for a TUN's reader: how long the kernel lets it grow, and what it wanted to put there and
// could not, for it was full or nobody read it. No thread of ours sees any of that, so the interface is asked for it.
#pragma once

#include <cstdint>
#include <string>

#include "netlink.h"

namespace onehop {

class LinkQueue {
 public:
  // Drops count from now on; throws IoFailure.
  explicit LinkQueue(std::string name);

  struct Look {
    uint64_t dropped;
    uint32_t length;  // of each queue, in packets
  };
  // Of an interface that is gone what was known of it last.
  Look look();

 private:
  void ask();

  const std::string name_;
  NetlinkSocket socket_;
  Look last_{};
  uint64_t before_ = 0;
};

}  // namespace onehop
