// System calls: open, ioctl (TUNSETIFF, TUNSETVNETHDRSZ, TUNSETOFFLOAD, TUNSETSTEERINGEBPF), bpf, read, writev.
#include "tun.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>

#include "failure.h"

namespace onehop {

namespace {

constexpr char kClone[] = "/dev/net/tun";

// Missing from Debian 12's headers (Linux 6.2). The kernel takes both or none.
constexpr unsigned kUso4 = 0x20, kUso6 = 0x40;

struct OffloadName {
  unsigned flag;
  const char* name;
};
constexpr OffloadName kOffloadNames[] = {
    {TUN_F_CSUM, "csum"}, {TUN_F_TSO4, "tso4"}, {TUN_F_TSO6, "tso6"}, {TUN_F_TSO_ECN, "tso-ecn"},
    {kUso4, "uso4"},      {kUso6, "uso6"},
};

// From the most a kernel can leave to us down to nothing: an unknown flag makes it refuse the whole set.
constexpr unsigned kOffloadSteps[] = {
    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | kUso4 | kUso6,
    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6,
    TUN_F_CSUM,
    0,
};

std::string remedy_for_open(int error) {
  switch (error) {
    case ENOENT:
      return "make it: mkdir -p /dev/net && mknod /dev/net/tun c 10 200; to a container give it with "
             "--device /dev/net/tun";
    case ENODEV:
    case ENXIO:
      return "the kernel has no TUN driver: modprobe tun";
    default:
      return remedy_for_refusal(error, "CAP_NET_ADMIN");
  }
}

std::string remedy_for_attach(const std::string& name, int error) {
  switch (error) {
    case EINVAL:
      return "an interface of that name is there, but it is no multi-queue TUN: delete it (ip link del " + name +
             ") or choose another name";
    case EBUSY:
      return "another process holds it";
    case E2BIG:
      return "it has as many queues as a TUN can have";
    default:
      return remedy_for_refusal(error, "CAP_NET_ADMIN");
  }
}

Descriptor open_clone() {
  Descriptor clone(::open(kClone, O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!clone.is_open()) throw system_failure(std::string("open ") + kClone, errno, remedy_for_open(errno));
  return clone;
}

void attach(int number, const std::string& name) {
  ifreq request{};
  if (name.empty() || name.size() >= sizeof request.ifr_name)
    throw IoFailure(IoFailure::Cause::kNetwork, "interface name '" + name + "': expected 1 to 15 bytes");
  std::memcpy(request.ifr_name, name.data(), name.size());
  // Multi-queue always: the flag must match on every later attach, however many queues that one wants.
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
  if (::ioctl(number, TUNSETIFF, &request) < 0)
    throw system_failure("TUNSETIFF " + name, errno, remedy_for_attach(name, errno));
}

void set_header_length(int number, const std::string& name) {
  int length = sizeof(virtio_net_hdr);
  if (::ioctl(number, TUNSETVNETHDRSZ, &length) < 0) throw system_failure("TUNSETVNETHDRSZ " + name, errno);
}

unsigned set_offloads(int number, const std::string& name) {
  for (const unsigned flags : kOffloadSteps)
    if (::ioctl(number, TUNSETOFFLOAD, flags) == 0) return flags;
  throw system_failure("TUNSETOFFLOAD " + name, errno);
}

std::vector<std::string> names_of(unsigned flags) {
  std::vector<std::string> names;
  for (const auto& [flag, name] : kOffloadNames)
    if (flags & flag) names.emplace_back(name);
  return names;
}

// `return 0`, as an eBPF program (linux/bpf.h); what it returns is the number of a queue. By the system call itself, for libbpf is
// not everywhere. Needs CAP_BPF.
Descriptor load_first_queue() {
  const bpf_insn program[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attributes.insns = reinterpret_cast<uint64_t>(program);
  attributes.insn_cnt = std::size(program);
  attributes.license = reinterpret_cast<uint64_t>("GPL");
  return Descriptor(static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes)));
}

}  // namespace

bool TunQueue::steer_to_first() {
  const Descriptor program = load_first_queue();
  int fd = program.number();
  return program.is_open() && ::ioctl(number(), TUNSETSTEERINGEBPF, &fd) == 0;
}

void TunQueue::steer_evenly() {
  int none = -1;
  ::ioctl(number(), TUNSETSTEERINGEBPF, &none);
}

TunQueue TunQueue::open(const std::string& name) {
  TunQueue queue(open_clone());
  attach(queue.number(), name);
  set_header_length(queue.number(), name);
  queue.offloads_ = names_of(set_offloads(queue.number(), name));
  return queue;
}

int TunQueue::read(const PacketPlace& place, Packet& packet) {
  const ssize_t count = ::read(number(), place.vnet_header(), sizeof(virtio_net_hdr) + PacketPlace::kCapacity);
  if (count < 0) return errno;
  if (count < static_cast<ssize_t>(sizeof(virtio_net_hdr))) return EBADMSG;
  virtio_net_hdr header;
  std::memcpy(&header, place.vnet_header(), sizeof header);
  packet = {
      .data = place.packet(),
      .length = static_cast<uint32_t>(count - sizeof header),
      .capacity = PacketPlace::kCapacity,
      .offload = offload_from(header),
  };
  return 0;
}

int TunQueue::write(const Write& write) {
  std::memcpy(write.place.vnet_header(), &write.header, sizeof write.header);
  iovec& first = write.parts.front();
  first = {write.place.vnet_header(), sizeof write.header + first.iov_len};
  return ::writev(number(), write.parts.data(), static_cast<int>(write.parts.size())) < 0 ? errno : 0;
}

}  // namespace onehop
