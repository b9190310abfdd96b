#include "outbox.h"

#include <algorithm>
#include <cstring>

namespace onehop {

void Outbox::add(const PacketPlace& place, const Packet& packet, uint32_t length, const Neighbour* neighbour,
                 bool may_join) {
  const uint8_t number = items_used_++;
  const uint32_t payload = may_join ? payload_in_train(place, packet, length) : 0;
  items_[number] = {place, &packet, neighbour, length, payload, kNone};
  if (payload == 0 || !join(number)) trains_[trains_used_++] = {number, number, 1, payload != 0, payload};
}

// The latest train of its flow takes it or nothing does, or it would overtake. What takes part in no train may be of any
// flow.
bool Outbox::join(uint8_t number) {
  const Item& item = items_[number];
  const uint8_t end = trains_used_ > kTrainsOpen ? trains_used_ - kTrainsOpen : 0;
  for (uint8_t at = trains_used_; at > end; at--) {
    Train& train = trains_[at - 1];
    const Item& first = items_[train.first];
    if (first.payload == 0) return false;
    if (first.neighbour != item.neighbour || !is_same_flow(first.packet->data, item.packet->data)) continue;
    if (!may_join(train, item)) return false;
    items_[train.last].next = number;
    train.last = number;
    train.packets++;
    train.payload += item.payload;
    train.is_open = item.payload == first.payload;
    return true;
  }
  return false;
}

// All datagrams but the last are equally long.
bool Outbox::may_join(const Train& train, const Item& item) const {
  const Item& first = items_[train.first];
  return train.is_open && item.payload <= first.payload &&
         fits_in_train(first.packet->data, train.payload + item.payload);
}

int Outbox::flush() {
  iovec* parts = parts_.data();
  for (uint8_t at = 0; at < trains_used_; at++) {
    writes_[at] = write_of(trains_[at], parts);
    parts += trains_[at].packets;
  }
  int error = 0;
  for (uint32_t from = 0, to; from < trains_used_; from = to) {
    const bool is_into_tun = writes_[from].neighbour == nullptr;
    for (to = from + 1; to < trains_used_ && (writes_[to].neighbour == nullptr) == is_into_tun;) to++;
    const std::span<const Write> run{&writes_[from], to - from};
    if (is_into_tun) {
      for (uint32_t at = from; at < to; at++) errors_[at] = tun_.write(writes_[at]);
    } else {
      socket_.write(run, &errors_[from]);
    }
  }
  for (uint8_t at = 0; at < trains_used_; at++) {
    count(trains_[at], errors_[at]);
    if (errors_[at] != 0) error = errors_[at];
  }
  items_used_ = trains_used_ = 0;
  return error;
}

Write Outbox::write_of(const Train& train, iovec* parts) {
  const Item& first = items_[train.first];
  uint8_t* data = first.packet->data;
  uint32_t used = 0;
  parts[used++] = {data, first.length};
  for (uint8_t at = first.next; at != kNone; at = items_[at].next) {
    const Item& item = items_[at];
    parts[used++] = {item.packet->data + item.length - item.payload, item.payload};
  }
  virtio_net_hdr received;
  std::memcpy(&received, first.place.vnet_header(), sizeof received);
  const Offload offload =
      train.packets == 1 ? first.packet->offload : make_train(data, train.payload, first.payload);
  return {first.place, header_from(offload, received, data, first.length), first.neighbour, {parts, used}};
}

void Outbox::count(const Train& train, int error) {
  const bool is_into_tun = items_[train.first].neighbour == nullptr;
  if (error != 0) return (is_into_tun ? counts_.tun_write_errors : counts_.bridge_write_errors).add(error, train.packets);
  if (!is_into_tun) counts_.bridge_writes.add(train.packets);
  if (train.packets > 1) counts_.joined.add(train.packets - 1u);
}

}  // namespace onehop
