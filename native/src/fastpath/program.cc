// System calls: bpf(2), by libbpf.
#include "program.h"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <string>

#include "../io/failure.h"

// Made from native/bpf/onehop.bpf.c at build (native/bpf/build.py).
extern const unsigned char onehop_bpf_object[];
extern const unsigned long onehop_bpf_object_length;

namespace onehop {

namespace {

// What libbpf and the verifier say while loading: the reason of a refusal stands at its end.
std::string said;

int remember(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char line[1024];
  vsnprintf(line, sizeof line, format, arguments);
  said += line;
  constexpr size_t kMost = 4096;
  if (said.size() > kMost) said.erase(0, said.size() - kMost);
  return 0;
}

std::string last_line_said() {
  while (!said.empty() && said.back() == '\n') said.pop_back();
  return said.substr(said.rfind('\n') + 1);
}

IoFailure load_failure(int error) {
  const std::string remedy = remedy_for_refusal(error, "CAP_BPF and CAP_NET_ADMIN");
  return system_failure("bpf", error, remedy.empty() ? last_line_said() : remedy);
}

void set_size(bpf_object* object, const char* name, uint32_t entries) {
  bpf_map__set_max_entries(bpf_object__find_map_by_name(object, name), entries);
}

}  // namespace

Program::Program(const MapSizes& sizes) {
  said.clear();
  const auto before = libbpf_set_print(remember);
  object_.reset(bpf_object__open_mem(onehop_bpf_object, onehop_bpf_object_length, nullptr));
  if (!object_) throw system_failure("bpf_object__open_mem", errno, last_line_said());
  set_size(object_.get(), "fronts", sizes.fronts);
  set_size(object_.get(), "endpoints", sizes.endpoints);
  set_size(object_.get(), "sources", sizes.sources);
  set_size(object_.get(), "ports", sizes.ports);
  set_size(object_.get(), "straight", sizes.straight);
  const int error = -bpf_object__load(object_.get());
  libbpf_set_print(before);
  if (error) throw load_failure(error);
}

int Program::map(const char* name) const { return bpf_object__find_map_fd_by_name(object_.get(), name); }

int Program::part(Part part) const {
  const char* name = part == Part::kRequest ? "request" : "answer";
  return bpf_program__fd(bpf_object__find_program_by_name(object_.get(), name));
}

}  // namespace onehop
