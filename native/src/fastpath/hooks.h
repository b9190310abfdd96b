// Where the programs hang: tc's filters at the ingress of interfaces (tc-bpf(8)). Filters of others stay, and run before
// or after by their priority; what onehop made for its own goes with it.
#pragma once

#include <cstdint>
#include <string>

namespace onehop {

class Hooks {
 public:
  // Each TUN has its own filters, so that several daemons may have an uplink in common.
  explicit Hooks(const std::string& tun);

  // In the place of what an earlier daemon of this TUN left there, if anything. Returns errno's value.
  int attach(int program, int interface) const;
  // Also takes away the qdisc that was made for it, unless others use it by now. ENOENT: nothing of this TUN is there.
  // Returns errno's value.
  int detach(int interface) const;
  // Anybody's.
  static bool has_egress_filters(int interface);
  // From all interfaces.
  void detach_all() const;

 private:
  bool has_filter(int interface, uint32_t handle) const;

  // The filter's number says who made the qdisc it hangs in, so that a daemon that finds a crashed one's filter knows
  // what to take away in the end.
  const uint32_t in_others_qdisc_, in_our_qdisc_;
};

}  // namespace onehop
