// System calls: socket, bind, setsockopt, send, recv.
#include "netlink.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>

#include "failure.h"

namespace onehop {

namespace {

// The kernel fills dumps up to 32 KB a datagram when the reader's buffer allows (netlink_dump).
constexpr size_t kReceiveBytes = 64 << 10;
// The socket's queue: some ten thousand neighbour events.
constexpr int kQueueBytes = 8 << 20;
// rtnetlink answers within the sending call; this only keeps a stop from hanging should it ever not.
constexpr timeval kAnswerTimeout = {.tv_sec = 2, .tv_usec = 0};

constexpr size_t align(size_t length) { return (length + NLMSG_ALIGNTO - 1) & ~size_t{NLMSG_ALIGNTO - 1}; }

}  // namespace

int for_each_message(Bytes datagram, const UseMessage& use) {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, datagram.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) return EBADMSG;
    use(header, {header.nlmsg_type, datagram.subspan(sizeof header, header.nlmsg_len - sizeof header)});
    datagram = datagram.subspan(std::min(align(header.nlmsg_len), datagram.size()));
  }
  return 0;
}

void for_each_attribute(Bytes payload, size_t offset, const std::function<void(uint16_t, Bytes)>& use) {
  if (align(offset) > payload.size()) return;
  Bytes rest = payload.subspan(align(offset));
  while (rest.size() >= sizeof(nlattr)) {
    nlattr header;
    std::memcpy(&header, rest.data(), sizeof header);
    if (header.nla_len < sizeof header || header.nla_len > rest.size()) return;
    use(header.nla_type & NLA_TYPE_MASK, rest.subspan(sizeof header, header.nla_len - sizeof header));
    rest = rest.subspan(std::min(align(header.nla_len), rest.size()));
  }
}

NetlinkSocket::NetlinkSocket(std::span<const int> groups, int protocol)
    : descriptor_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)), received_(kReceiveBytes) {
  if (!descriptor_.is_open()) throw system_failure("socket AF_NETLINK", errno);
  const auto set = [this](int level, int option, const auto& value, const char* name) {
    if (::setsockopt(number(), level, option, &value, sizeof value) < 0)
      throw system_failure(std::string("setsockopt ") + name, errno, remedy_for_refusal(errno, "CAP_NET_ADMIN"));
  };
  set(SOL_SOCKET, SO_RCVBUFFORCE, kQueueBytes, "SO_RCVBUFFORCE");
  set(SOL_SOCKET, SO_RCVTIMEO, kAnswerTimeout, "SO_RCVTIMEO");
  sockaddr_nl local{};
  local.nl_family = AF_NETLINK;
  if (::bind(number(), reinterpret_cast<const sockaddr*>(&local), sizeof local) < 0)
    throw system_failure("bind AF_NETLINK", errno);
  for (const int group : groups) set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group, "NETLINK_ADD_MEMBERSHIP");
}

void NetlinkSocket::attribute(uint16_t type, Bytes value) {
  const nlattr header = {static_cast<uint16_t>(sizeof(nlattr) + value.size()), type};
  append(&header, sizeof header);
  append(value.data(), value.size());
}

int NetlinkSocket::exchange(const std::function<void(size_t, const NetlinkMessage*)>& use) {
  uint32_t missing = next_ - first_;
  bool more = missing > 0;
  if (!more) return 0;
  if (const int error = send()) return error;
  return receive_answers(more, [&](const nlmsghdr& header, const NetlinkMessage& message) {
    use(header.nlmsg_seq - sent_, header.nlmsg_type == NLMSG_ERROR ? nullptr : &message);
    more = --missing > 0;
  });
}

int NetlinkSocket::dump(const std::function<void(const NetlinkMessage&)>& use) {
  bool more = true;
  if (const int error = send()) return error;
  return receive_answers(more, [&](const nlmsghdr& header, const NetlinkMessage& message) {
    more = header.nlmsg_type != NLMSG_DONE && header.nlmsg_type != NLMSG_ERROR;
    if (more) use(message);
  });
}

int NetlinkSocket::drain(const std::function<void(const NetlinkMessage&)>& use) {
  int error = 0;
  while (error == 0)
    error = receive(MSG_DONTWAIT, [&](const nlmsghdr&, const NetlinkMessage& message) { use(message); });
  return error == EAGAIN ? 0 : error;
}

void NetlinkSocket::start(uint16_t type, uint16_t flags) {
  last_ = batch_.size();
  const nlmsghdr header = {
      .nlmsg_len = 0,  // append() keeps it
      .nlmsg_type = type,
      .nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST),
      .nlmsg_seq = next_++,
      .nlmsg_pid = 0,
  };
  append(&header, sizeof header);
}

void NetlinkSocket::append(const void* bytes, size_t length) {
  const size_t at = batch_.size();
  batch_.resize(at + align(length));
  std::memcpy(batch_.data() + at, bytes, length);
  const auto total = static_cast<uint32_t>(batch_.size() - last_);
  std::memcpy(batch_.data() + last_ + offsetof(nlmsghdr, nlmsg_len), &total, sizeof total);
}

int NetlinkSocket::send() {
  const ssize_t count = ::send(number(), batch_.data(), batch_.size(), 0);
  batch_.clear();
  sent_ = first_;
  first_ = next_;
  return count < 0 ? errno : 0;
}

int NetlinkSocket::receive(int flags, const UseMessage& use) {
  const ssize_t count = ::recv(number(), received_.data(), received_.size(), flags);
  if (count < 0) return errno;
  return for_each_message(Bytes(received_.data(), static_cast<size_t>(count)), use);
}

int NetlinkSocket::receive_answers(const bool& more, const UseMessage& use) {
  while (more) {
    const int error = receive(0, [&](const nlmsghdr& header, const NetlinkMessage& message) {
      const bool is_ours = header.nlmsg_seq - sent_ < first_ - sent_;
      if (is_ours && more) use(header, message);
    });
    if (error) return error;
  }
  return 0;
}

}  // namespace onehop
