#pragma once

#include <napi.h>
#include <uv.h>

#include "../io/echo_socket.h"

namespace onehop::addon {

// An echo socket on the event loop, which it does not keep alive.
class EchoSocketObject : public Napi::ObjectWrap<EchoSocketObject> {
 public:
  static Napi::Function define(Napi::Env env);

  // new EchoSocket(isV6: boolean, onReply: (nonce: Uint8Array) => void). Stays until close(), referenced or not.
  explicit EchoSocketObject(const Napi::CallbackInfo& info);

 private:
  // send(address: Uint8Array of the family's length, nonce: Uint8Array of 8)
  void send(const Napi::CallbackInfo& info);
  // close(), once more too. The loop gives the handle back later; until then the object stays.
  void close(const Napi::CallbackInfo& info);

  void receive();

  const bool is_v6_;
  EchoSocket socket_;
  Napi::FunctionReference on_reply_;
  uv_poll_t poll_{};
};

}  // namespace onehop::addon
