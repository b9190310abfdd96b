// Echo requests of onehop's own to containers, and the replies to them (raw(7), icmp(7)).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "descriptor.h"

namespace onehop {

class EchoSocket {
 public:
  using Nonce = std::array<uint8_t, 8>;

  // Throws IoFailure.
  static EchoSocket open(bool is_v6);

  int number() const { return descriptor_.number(); }

  // To `address`, 4 or 16 bytes. 0 or errno.
  int send(const uint8_t* address, const Nonce& nonce);

  // The nonces of the replies that wait, some dozens at most; the others come with the next call. A raw socket sees the
  // replies to everybody on the host.
  std::vector<Nonce> receive();

 private:
  EchoSocket(Descriptor descriptor, bool is_v6) : descriptor_(std::move(descriptor)), is_v6_(is_v6) {}

  Descriptor descriptor_;
  bool is_v6_;
};

}  // namespace onehop
