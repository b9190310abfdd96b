#include "failure.h"

#include <cerrno>
#include <cstring>

namespace onehop {

std::string error_name(int error) {
  const char* name = strerrorname_np(error);
  return name ? name : std::to_string(error);
}

IoFailure system_failure(const std::string& call, int error, const std::string& remedy) {
  std::string message = call + ": " + error_name(error);
  if (!remedy.empty()) message += " (" + remedy + ")";
  return {IoFailure::Cause::kSystem, message};
}

std::string remedy_for_refusal(int error, const char* capability) {
  return error == EPERM || error == EACCES ? std::string("need ") + capability : "";
}

}  // namespace onehop
