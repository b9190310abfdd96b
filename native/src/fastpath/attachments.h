// The programs on the interfaces they belong to: `request` on uplinks, `answer` on the bridges' ports.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "../../bpf/maps.h"
#include "hooks.h"
#include "links.h"
#include "map.h"
#include "program.h"

namespace onehop {

class Attachments {
 public:
  // The program must outlive it.
  Attachments(const Program& program, const std::string& tun)
      : program_(program), hooks_(tun), ports_(program.map("ports")) {}

  // Follows the links as they were read last. False when an interface would not have its program.
  bool publish(const Links& links);
  void detach_all();

  // Interfaces that have a program.
  uint32_t count(Part part) const;

 private:
  void publish_ports(const Links& links);
  int attach(int interface, Part part, const std::map<int, Part>& before);
  void clear_others(const Links& links);

  const Program& program_;
  const Hooks hooks_;
  Map<uint32_t, fast_port> ports_;
  std::map<int, Part> attached_;
  std::map<uint32_t, fast_port> standing_ports_;
  bool is_first_ = true;
};

}  // namespace onehop
