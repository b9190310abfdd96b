// Netlink as a transport (netlink(7)): sockets, requests built byte by byte, messages and attributes read back.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "descriptor.h"

namespace onehop {

using Bytes = std::span<const uint8_t>;

// One message received; valid until the next is read.
struct NetlinkMessage {
  uint16_t type;
  Bytes payload;

  // The fixed struct the payload starts with; nothing when it is shorter.
  template <typename Header>
  std::optional<Header> header() const {
    if (payload.size() < sizeof(Header)) return std::nullopt;
    Header header;
    std::memcpy(&header, payload.data(), sizeof header);
    return header;
  }
};

// Calls `use` for each message of a datagram. EBADMSG at one that overruns it, otherwise 0.
using UseMessage = std::function<void(const nlmsghdr&, const NetlinkMessage&)>;
int for_each_message(Bytes datagram, const UseMessage& use);

// Calls `use(type, value)` for each attribute from `offset` on; stops at one that overruns the message.
void for_each_attribute(Bytes payload, size_t offset, const std::function<void(uint16_t, Bytes)>& use);

// A socket and the batch of requests it sends next. Errors are returned as errno's value; 0 is success.
class NetlinkSocket {
 public:
  // `groups`: multicast groups (RTNLGRP_*) to hear. Throws IoFailure.
  explicit NetlinkSocket(std::span<const int> groups = {}, int protocol = NETLINK_ROUTE);

  int number() const { return descriptor_.number(); }

  // Adds a request to the batch.
  template <typename Header>
  void begin(uint16_t type, uint16_t flags, const Header& header) {
    start(type, flags);
    append(&header, sizeof header);
  }
  // Adds to the request begun last.
  void attribute(uint16_t type, Bytes value);

  // Sends the batch with one call and waits for each request's answer: `use(n, message)`, n counting the
  // batch's requests from 0; no message when the kernel refused or only acknowledged. Each request must be of
  // a kind that is answered once.
  int exchange(const std::function<void(size_t, const NetlinkMessage*)>& use);

  // Sends the batch, one dump request, and hands over every message of its answer.
  int dump(const std::function<void(const NetlinkMessage&)>& use);

  // Hands over all that is waiting. ENOBUFS: the kernel dropped messages; whoever follows state must read it
  // again.
  int drain(const std::function<void(const NetlinkMessage&)>& use);

 private:
  void start(uint16_t type, uint16_t flags);
  void append(const void* bytes, size_t length);
  int send();
  // One datagram.
  int receive(int flags, const UseMessage& use);
  // Answers to the batch sent last, for as long as `more`.
  int receive_answers(const bool& more, const UseMessage& use);

  Descriptor descriptor_;
  std::vector<uint8_t> received_;
  std::vector<uint8_t> batch_;
  size_t last_ = 0;  // where the batch's last request starts
  // Sequence numbers, none used twice so that late answers are told apart: the batch sent last has those from
  // `sent_` up to `first_`, the batch being built those from `first_` up to `next_`.
  uint32_t sent_ = 1, first_ = 1, next_ = 1;
};

}  // namespace onehop
