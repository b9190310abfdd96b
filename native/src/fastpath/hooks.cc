// System calls: rtnetlink, by libbpf and netlink.cc.
#include "hooks.h"

#include <bpf/libbpf.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include "../io/netlink.h"

namespace onehop {

namespace {

// Among the filters of an interface; tc's own numbers start at 49152, most programs' at 1.
constexpr uint32_t kPriority = 111;

// FNV-1a, with the lowest bit left for who made the qdisc, and never 0, which would leave the number to the kernel.
uint32_t handle_of(const std::string& tun) {
  uint32_t hash = 2166136261;
  for (const char letter : tun) hash = (hash ^ static_cast<uint8_t>(letter)) * 16777619;
  return (hash | 2) & ~uint32_t{1};
}

bpf_tc_hook hook_of(int interface) {
  bpf_tc_hook hook{};
  hook.sz = sizeof hook;
  hook.ifindex = interface;
  hook.attach_point = BPF_TC_INGRESS;
  return hook;
}

bpf_tc_opts filter_of(uint32_t handle) {
  bpf_tc_opts filter{};
  filter.sz = sizeof filter;
  filter.handle = handle;
  filter.priority = kPriority;
  return filter;
}

// libbpf complains aloud of what is answered by errno, too.
template <typename Act>
int quietly(Act act) {
  const auto print = libbpf_set_print(nullptr);
  const int error = act();
  libbpf_set_print(print);
  return -error;
}

// Filters of any program on one side of the qdisc.
bool has_filters(int interface, uint32_t side) {
  NetlinkSocket socket;
  tcmsg header{};
  header.tcm_family = AF_UNSPEC;
  header.tcm_ifindex = interface;
  header.tcm_parent = TC_H_MAKE(TC_H_CLSACT, side);
  socket.begin(RTM_GETTFILTER, NLM_F_DUMP, header);
  bool is_any = false;
  const int error = socket.dump([&is_any](const NetlinkMessage&) { is_any = true; });
  return is_any || error != 0;
}

std::vector<int> all_interfaces() {
  NetlinkSocket socket;
  socket.begin(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  std::vector<int> interfaces;
  socket.dump([&interfaces](const NetlinkMessage& message) {
    if (const auto header = message.header<ifinfomsg>()) interfaces.push_back(header->ifi_index);
  });
  return interfaces;
}

}  // namespace

Hooks::Hooks(const std::string& tun) : in_others_qdisc_(handle_of(tun)), in_our_qdisc_(handle_of(tun) | 1) {}

int Hooks::attach(int program, int interface) const {
  bpf_tc_hook hook = hook_of(interface);
  const bool was_ours = has_filter(interface, in_our_qdisc_);
  const int made = quietly([&] { return bpf_tc_hook_create(&hook); });
  if (made != 0 && made != EEXIST) return made;
  bpf_tc_opts filter = filter_of(made == 0 || was_ours ? in_our_qdisc_ : in_others_qdisc_);
  filter.flags = BPF_TC_F_REPLACE;
  filter.prog_fd = program;
  return quietly([&] { return bpf_tc_attach(&hook, &filter); });
}

int Hooks::detach(int interface) const {
  const bool is_ours = has_filter(interface, in_our_qdisc_);
  const bpf_tc_hook hook = hook_of(interface);
  const bpf_tc_opts filter = filter_of(is_ours ? in_our_qdisc_ : in_others_qdisc_);
  if (const int error = quietly([&] { return bpf_tc_detach(&hook, &filter); })) return error;
  if (!is_ours || has_filters(interface, TC_H_MIN_INGRESS) || has_filters(interface, TC_H_MIN_EGRESS)) return 0;
  bpf_tc_hook whole = hook_of(interface);
  whole.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
  return quietly([&] { return bpf_tc_hook_destroy(&whole); });
}

bool Hooks::has_egress_filters(int interface) { return has_filters(interface, TC_H_MIN_EGRESS); }

void Hooks::detach_all() const {
  for (const int interface : all_interfaces()) detach(interface);
}

bool Hooks::has_filter(int interface, uint32_t handle) const {
  const bpf_tc_hook hook = hook_of(interface);
  bpf_tc_opts filter = filter_of(handle);
  return quietly([&] { return bpf_tc_query(&hook, &filter); }) == 0;
}

}  // namespace onehop
