// Errors of the device side, for people: the call, its object, errno's name, and what to do about it.
#pragma once

#include <stdexcept>
#include <string>

namespace onehop {

class IoFailure : public std::runtime_error {
 public:
  enum class Cause {
    kSystem,   // a system call failed
    kNetwork,  // an interface is missing or is not what it should be
  };

  IoFailure(Cause whose, const std::string& message) : std::runtime_error(message), cause(whose) {}

  const Cause cause;
};

// `EPERM`; of an error without a name its number.
std::string error_name(int error);

// `open /dev/net/tun: EPERM (need CAP_NET_ADMIN)`; no brackets without a remedy.
IoFailure system_failure(const std::string& call, int error, const std::string& remedy = "");

// What most refusals mean here; empty for other errors.
std::string remedy_for_refusal(int error, const char* capability);

}  // namespace onehop
