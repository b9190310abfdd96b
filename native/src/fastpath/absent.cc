// Built in place of the rest where clang or libbpf's headers were missing.
#include "../io/failure.h"
#include "fast_path.h"

namespace onehop {

std::unique_ptr<FastPath> FastPath::open(Engine&, const FastPathOptions&) {
  throw IoFailure(IoFailure::Cause::kSystem, problem());
}

std::string FastPath::problem() {
  return "not built: clang or libbpf's headers were missing (apt-get install clang libbpf-dev, then npm run build:native)";
}

void FastPath::clear(const std::string&) {}
std::vector<Row> FastPath::left_in(const std::string&) { return {}; }
std::string FastPath::layout() { return ""; }

}  // namespace onehop
