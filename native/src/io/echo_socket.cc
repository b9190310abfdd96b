// System calls: socket, setsockopt, sendto, recv.
#include "echo_socket.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "../packet/address.h"
#include "../packet/checksum.h"
#include "../packet/icmp.h"
#include "failure.h"

namespace onehop {

namespace {

constexpr uint32_t kNonce = icmp::kHeaderLength, kLength = kNonce + sizeof(EchoSocket::Nonce);
// The largest IPv4 header comes before it; what is longer is not ours and may be cut off.
constexpr uint32_t kReadBytes = 60 + kLength;

// A flood of replies to others must not keep the caller from its own work.
constexpr int kReadsAtOnce = 64;

// All else that the host is sent never wakes this process up.
void let_in_replies_only(int number, bool is_v6) {
  icmp_filter filter4{~(1u << icmp::kEchoReply4)};
  icmp6_filter filter6;
  ICMP6_FILTER_SETBLOCKALL(&filter6);
  ICMP6_FILTER_SETPASS(icmp::kEchoReply6, &filter6);
  const int failed = is_v6 ? ::setsockopt(number, IPPROTO_ICMPV6, ICMP6_FILTER, &filter6, sizeof filter6)
                           : ::setsockopt(number, SOL_RAW, ICMP_FILTER, &filter4, sizeof filter4);
  if (failed < 0) throw system_failure(is_v6 ? "setsockopt ICMP6_FILTER" : "setsockopt ICMP_FILTER", errno);
}

}  // namespace

EchoSocket EchoSocket::open(bool is_v6) {
  const int family = is_v6 ? AF_INET6 : AF_INET;
  EchoSocket socket(Descriptor(::socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, icmp::number(is_v6))), is_v6);
  if (socket.number() < 0)
    throw system_failure(is_v6 ? "socket IPPROTO_ICMPV6" : "socket IPPROTO_ICMP", errno, remedy_for_refusal(errno, "CAP_NET_RAW"));
  let_in_replies_only(socket.number(), is_v6);
  return socket;
}

int EchoSocket::send(const uint8_t* address, const Nonce& nonce) {
  uint8_t request[kLength] = {is_v6_ ? icmp::kEchoRequest6 : icmp::kEchoRequest4};
  std::memcpy(request + kNonce, nonce.data(), nonce.size());
  // The kernel sums ICMPv6 by itself (RFC 3542 section 3.1), ICMP not.
  if (!is_v6_) put_raw16(request + icmp::kChecksum, checksum_of(sum_of(request, kLength)));
  sockaddr_in to4{};
  to4.sin_family = AF_INET;
  sockaddr_in6 to6{};
  to6.sin6_family = AF_INET6;
  std::memcpy(is_v6_ ? static_cast<void*>(&to6.sin6_addr) : &to4.sin_addr, address, address_length(is_v6_));
  const auto* to = is_v6_ ? reinterpret_cast<const sockaddr*>(&to6) : reinterpret_cast<const sockaddr*>(&to4);
  const socklen_t length = is_v6_ ? sizeof to6 : sizeof to4;
  return ::sendto(number(), request, sizeof request, 0, to, length) < 0 ? errno : 0;
}

std::vector<EchoSocket::Nonce> EchoSocket::receive() {
  std::vector<Nonce> nonces;
  for (int i = 0; i < kReadsAtOnce; i++) {
    uint8_t packet[kReadBytes];
    const ssize_t length = ::recv(number(), packet, sizeof packet, 0);
    if (length < 0) break;
    // Over IPv4 the IP header comes along, which the kernel has checked.
    const uint32_t start = is_v6_ ? 0 : (packet[0] & 0xfu) * 4;
    if (static_cast<uint32_t>(length) < start + kLength) continue;
    std::memcpy(nonces.emplace_back().data(), packet + start + kNonce, sizeof(Nonce));
  }
  return nonces;
}

}  // namespace onehop
