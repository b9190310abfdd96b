// System calls: socket, setsockopt, sendto.
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

int PacketSocket::write(PacketBuffer& buffer, const Packet& packet, uint32_t length,
                        const Neighbour& neighbour) {
  virtio_net_hdr received;
  std::memcpy(&received, buffer.vnet_header(), sizeof received);
  const virtio_net_hdr header = shifted(header_from(packet.offload, received, packet.data, length),
                                        PacketBuffer::kEthernetLength);
  const uint16_t type = ethernet_type(packet.data);
  std::memcpy(buffer.frame(), &header, sizeof header);
  put_ethernet_header(buffer.ethernet_header(), neighbour, type);

  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(type);
  to.sll_ifindex = neighbour.interface;
  const size_t bytes = sizeof header + PacketBuffer::kEthernetLength + length;
  const auto* address = reinterpret_cast<const sockaddr*>(&to);
  return ::sendto(descriptor_.number(), buffer.frame(), bytes, 0, address, sizeof to) < 0 ? errno : 0;
}

}  // namespace onehop
