// System calls: netlink.cc's.
#include "link_queue.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace onehop {

LinkQueue::LinkQueue(std::string name) : name_(std::move(name)) {
  ask();
  before_ = last_.dropped;
}

LinkQueue::Look LinkQueue::look() {
  ask();
  // Deleted and made again, an interface begins anew.
  if (last_.dropped < before_) before_ = 0;
  return {last_.dropped - before_, last_.length};
}

void LinkQueue::ask() {
  socket_.begin(RTM_GETLINK, 0, ifinfomsg{});
  socket_.attribute(IFLA_IFNAME, {reinterpret_cast<const uint8_t*>(name_.c_str()), name_.size() + 1});
  socket_.exchange([this](size_t, const NetlinkMessage* message) {
    if (message == nullptr || message->type != RTM_NEWLINK) return;
    for_each_attribute(message->payload, sizeof(ifinfomsg), [this](uint16_t type, Bytes value) {
      rtnl_link_stats64 stats{};
      if (type == IFLA_TXQLEN) std::memcpy(&last_.length, value.data(), std::min(value.size(), sizeof last_.length));
      if (type != IFLA_STATS64) return;
      std::memcpy(&stats, value.data(), std::min(value.size(), sizeof stats));
      last_.dropped = stats.tx_dropped;
    });
  });
}

}  // namespace onehop
