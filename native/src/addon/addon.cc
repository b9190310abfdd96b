// What require() of the addon gives: src/dataplane/addon.ts declares it.
#include <napi.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "arguments.h"
#include "echo_socket_object.h"
#include "engine_object.h"
#include "options.h"
#include "results.h"
#include "../fastpath/fast_path.h"
#include "../io/confinement.h"
#include "../io/file_lock.h"
#include "../pipeline/sum_check.h"
#include "../pipeline/verdict.h"

namespace onehop::addon {

namespace {

// clearFastPath(tun: string): takes away what a killed daemon left attached
void clear_fast_path(const Napi::CallbackInfo& info) {
  const std::string tun = text(info[0], "tun");
  guarded(info, [&] { FastPath::clear(tun); });
}

// fastPathLeft(folder: string) → Uint32Array: the rows of what a daemon left there
Napi::Value fast_path_left(const Napi::CallbackInfo& info) {
  const std::string folder = text(info[0], "folder");
  const std::vector<Row> left = guarded(info, [&] { return FastPath::left_in(folder); });
  RowsOut rows(info.Env(), static_cast<uint32_t>(left.size()));
  std::ranges::copy(left, rows.room().begin());
  return rows.take(static_cast<uint32_t>(left.size()));
}

// fastPathProblem() → why the fast path cannot be had here, or undefined
Napi::Value fast_path_problem(const Napi::CallbackInfo& info) {
  const std::string problem = guarded(info, [] { return FastPath::problem(); });
  return problem.empty() ? info.Env().Undefined() : Napi::String::New(info.Env(), problem);
}

std::vector<int> capabilities(const Napi::Value& value) {
  return items<int>(value, "capabilities", [](const Napi::Value& item, const char* name) {
    const auto capability = number<uint8_t>(item, name);
    if (capability > 63) throw Napi::RangeError::New(item.Env(), "capabilities: expected numbers from 0 to 63");
    return int{capability};
  });
}

// isConfined(capabilities: number[]) → boolean
Napi::Value is_confined(const Napi::CallbackInfo& info) {
  const bool is = guarded(info, [&] { return onehop::is_confined(capabilities(info[0])); });
  return Napi::Boolean::New(info.Env(), is);
}

// confine(capabilities: number[], argv: string[]): does not return, but for throwing
void confine(const Napi::CallbackInfo& info) {
  const auto arguments = items<std::string>(info[1], "argv", text);
  guarded(info, [&] { onehop::confine(capabilities(info[0]), arguments); });
}

// tryLock(file: number) → boolean
Napi::Value try_lock(const Napi::CallbackInfo& info) {
  const auto file = number<uint16_t>(info[0], "file");
  const bool is = guarded(info, [&] { return onehop::try_lock(file); });
  return Napi::Boolean::New(info.Env(), is);
}

Packet packet_of(const Napi::Value& value, const char* name, const Offload& offload) {
  Napi::Uint8Array given = bytes(value, name);
  const auto length = static_cast<uint32_t>(given.ByteLength());
  return {given.Data(), length, length, offload};
}

// sumFault(code: number, arrived: Uint8Array, arrivedOffload?, left: Uint8Array, leftOffload?) → which checksum of a packet
// is wrong in another way than it was: none, header, transport, quoted
Napi::Value sum_fault(const Napi::CallbackInfo& info) {
  const auto code = number<uint8_t>(info[0], "code");
  if (code >= kReasonCount) throw Napi::RangeError::New(info.Env(), "code: expected a position in reasons");
  const SumCheck check(packet_of(info[1], "arrived", read_offload(info[2])));
  const Packet left = packet_of(info[3], "left", read_offload(info[4]));
  Result result{code, Way::kTun};
  result.length = left.length;
  return Napi::String::New(info.Env(), name_of(check.fault_in(left, result)));
}

// leave(bytes: Uint8Array) → the number of a file with them, open in the process that confine makes of this one
Napi::Value leave(const Napi::CallbackInfo& info) {
  const Napi::Uint8Array left = bytes(info[0], "bytes");
  return Napi::Number::New(info.Env(), guarded(info, [&] { return onehop::leave({left.Data(), left.ByteLength()}); }));
}

// endNow(code: number): ends the process, whatever its threads are at
void end_now(const Napi::CallbackInfo& info) { ::_exit(number<uint8_t>(info[0], "code")); }

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports["Engine"] = EngineObject::define(env);
  exports["EchoSocket"] = EchoSocketObject::define(env);
  exports["fastPathProblem"] = Napi::Function::New<fast_path_problem>(env, "fastPathProblem");
  exports["clearFastPath"] = Napi::Function::New<clear_fast_path>(env, "clearFastPath");
  exports["fastPathLeft"] = Napi::Function::New<fast_path_left>(env, "fastPathLeft");
  exports["fastPathLayout"] = FastPath::layout();
  exports["isConfined"] = Napi::Function::New<is_confined>(env, "isConfined");
  exports["confine"] = Napi::Function::New<confine>(env, "confine");
  exports["tryLock"] = Napi::Function::New<try_lock>(env, "tryLock");
  exports["sumFault"] = Napi::Function::New<sum_fault>(env, "sumFault");
  exports["leave"] = Napi::Function::New<leave>(env, "leave");
  exports["endNow"] = Napi::Function::New<end_now>(env, "endNow");
  exports["reasons"] = reasons_by_code(env);
  return exports;
}

NODE_API_MODULE(onehop, init)

}  // namespace

}  // namespace onehop::addon
