// System calls: socket, setsockopt, sendmmsg.
#include "packet_socket.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "failure.h"

namespace onehop {

namespace {

// A frame counts against the buffer until its receiver has taken it; 8 MB is some hundred 64 KB packets.
constexpr int kSendBufferBytes = 8 << 20;

void set_option(int number, int level, int option, int value, const char* name) {
  if (::setsockopt(number, level, option, &value, sizeof value) < 0)
    throw system_failure(std::string("setsockopt ") + name, errno, remedy_for_refusal(errno, "CAP_NET_ADMIN"));
}

uint16_t ethernet_type(const uint8_t* packet) { return packet[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP; }

void put_ethernet_header(uint8_t* at, const Neighbour& neighbour, uint16_t type) {
  std::memcpy(at, neighbour.destination.bytes, ETH_ALEN);
  std::memcpy(at + ETH_ALEN, neighbour.source.bytes, ETH_ALEN);
  const uint16_t ordered = htons(type);
  std::memcpy(at + 2 * ETH_ALEN, &ordered, sizeof ordered);
}

}  // namespace

PacketSocket PacketSocket::open() {
  // Protocol 0 receives nothing. Not bound either: each write names its interface, so a bridge that is deleted and
  // made again needs no new socket.
  PacketSocket socket(Descriptor(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)));
  const int number = socket.descriptor_.number();
  if (number < 0) throw system_failure("socket AF_PACKET", errno, remedy_for_refusal(errno, "CAP_NET_RAW"));
  set_option(number, SOL_PACKET, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR");
  set_option(number, SOL_SOCKET, SO_SNDBUFFORCE, kSendBufferBytes, "SO_SNDBUFFORCE");
  return socket;
}

void PacketSocket::prepare(const Write& write, size_t at) {
  const PacketPlace& place = write.place;
  const virtio_net_hdr header = shifted(write.header, PacketPlace::kEthernetLength);
  const uint16_t type = ethernet_type(place.packet());
  std::memcpy(place.frame(), &header, sizeof header);
  put_ethernet_header(place.ethernet_header(), *write.neighbour, type);
  iovec& first = write.parts.front();
  first = {place.frame(), sizeof header + PacketPlace::kEthernetLength + first.iov_len};

  sockaddr_ll& to = addresses_[at];
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(type);
  to.sll_ifindex = write.neighbour->interface;
  msghdr& message = messages_[at].msg_hdr;
  message.msg_name = &to;
  message.msg_namelen = sizeof to;
  message.msg_iov = write.parts.data();
  message.msg_iovlen = write.parts.size();
}

// One that fails ends the call; the next goes on behind it.
void PacketSocket::write(std::span<const Write> writes, int* errors) {
  for (size_t at = 0; at < writes.size(); at++) prepare(writes[at], at);
  for (size_t at = 0; at < writes.size();) {
    const int sent = ::sendmmsg(descriptor_.number(), &messages_[at], static_cast<unsigned>(writes.size() - at), 0);
    for (int i = 0; i < sent; i++) errors[at++] = 0;
    if (sent < 0) errors[at++] = errno;
  }
}

}  // namespace onehop
