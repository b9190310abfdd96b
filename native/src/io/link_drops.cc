// System calls: netlink.cc's.
#include "link_drops.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace onehop {

LinkDrops::LinkDrops(std::string name) : name_(std::move(name)) { before_ = ask(); }

uint64_t LinkDrops::count() {
  const uint64_t now = ask();
  // Deleted and made again, an interface begins anew.
  if (now < before_) before_ = 0;
  return now - before_;
}

uint64_t LinkDrops::ask() {
  socket_.begin(RTM_GETLINK, 0, ifinfomsg{});
  socket_.attribute(IFLA_IFNAME, {reinterpret_cast<const uint8_t*>(name_.c_str()), name_.size() + 1});
  socket_.exchange([this](size_t, const NetlinkMessage* message) {
    if (message == nullptr || message->type != RTM_NEWLINK) return;
    for_each_attribute(message->payload, sizeof(ifinfomsg), [this](uint16_t type, Bytes value) {
      rtnl_link_stats64 stats{};
      if (type != IFLA_STATS64) return;
      std::memcpy(&stats, value.data(), std::min(value.size(), sizeof stats));
      last_ = stats.tx_dropped;
    });
  });
  return last_;
}

}  // namespace onehop
