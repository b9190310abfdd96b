#include "attachments.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace onehop {

namespace {

fast_port port_on(const HostLink& bridge) {
  fast_port port{.bridge = static_cast<uint32_t>(bridge.interface), .address = {}, .zero = 0};
  std::copy_n(bridge.address.bytes, sizeof port.address, port.address);
  return port;
}

}  // namespace

// An uplink that is a port as well counts as an uplink: what comes in there is from clients.
bool Attachments::publish(const Links& links) {
  publish_ports(links);
  const std::map<int, Part> before = std::exchange(attached_, {});
  int error = 0;
  for (const int interface : links.uplinks()) error |= attach(interface, Part::kRequest, before);
  for (const auto& [port, bridge] : links.ports())
    if (!attached_.contains(port.interface)) error |= attach(port.interface, Part::kAnswer, before);
  for (const auto& [interface, part] : before)
    if (!attached_.contains(interface)) hooks_.detach(interface);
  if (std::exchange(is_first_, false)) clear_others(links);
  return error == 0;
}

void Attachments::detach_all() {
  for (const auto& [interface, part] : std::exchange(attached_, {})) hooks_.detach(interface);
}

uint32_t Attachments::count(Part part) const {
  return static_cast<uint32_t>(std::ranges::count(attached_, part, [](const auto& item) { return item.second; }));
}

void Attachments::publish_ports(const Links& links) {
  std::map<uint32_t, fast_port> wanted;
  for (const auto& [port, bridge] : links.ports()) wanted[static_cast<uint32_t>(port.interface)] = port_on(bridge);
  for (const auto& [interface, port] : wanted) ports_.put(interface, port);
  for (const auto& [interface, port] : standing_ports_)
    if (!wanted.contains(interface)) ports_.erase(interface);
  standing_ports_ = std::move(wanted);
}

// One that is gone meanwhile is no error: its end is on the way to us.
int Attachments::attach(int interface, Part part, const std::map<int, Part>& before) {
  const auto known = before.find(interface);
  const bool is_there = known != before.end() && known->second == part;
  const int error = is_there ? 0 : hooks_.attach(program_.part(part), interface);
  if (error == 0) attached_[interface] = part;
  return error == ENODEV ? 0 : error;
}

// What a killed daemon left on interfaces that may be none of ours any more.
void Attachments::clear_others(const Links& links) {
  for (const int interface : links.all())
    if (!attached_.contains(interface)) hooks_.detach(interface);
}

}  // namespace onehop
