// The eBPF programs and maps of native/bpf, loaded.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <memory>

#include "../../bpf/maps.h"

namespace onehop {

// Keys at most, by map. What does not fit stays on the slow path.
struct MapSizes {
  uint32_t fronts, endpoints, sources, ports, straight;
};

enum class Part : uint8_t { kRequest, kAnswer };

class Program {
 public:
  // Throws IoFailure: without the privilege, or when the kernel refuses the programs (with what it said).
  explicit Program(const MapSizes& sizes);

  // Descriptors that live as long as this.
  int map(const char* name) const;
  int part(Part part) const;

 private:
  struct Close {
    void operator()(bpf_object* object) const { bpf_object__close(object); }
  };
  std::unique_ptr<bpf_object, Close> object_;
};

}  // namespace onehop
