// The fast path as it is where clang or libbpf's headers were missing, built everywhere so that it always can be: prints why
// there is none, as `doctor` asks and as a daemon that opens it hears. test/unit/fastpath-absent.test.ts runs it.
#include <iostream>

#include "../src/fastpath/fast_path.h"
#include "../src/io/failure.h"

int main() {
  using namespace onehop;
  FastPath::clear("onehop0");
  std::cout << FastPath::problem() << '\n';
  try {
    const auto engine = Engine::create({.capacity = 64, .probation = 64, .flows = 64, .fragments = 64});
    FastPath::open(*engine, {});
  } catch (const IoFailure& failure) {
    std::cout << failure.what() << '\n';
    return 0;
  }
  return 1;
}
