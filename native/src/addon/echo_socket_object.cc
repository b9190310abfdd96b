#include "echo_socket_object.h"

#include <algorithm>

#include "arguments.h"
#include "../packet/address.h"

namespace onehop::addon {

Napi::Function EchoSocketObject::define(Napi::Env env) {
  return DefineClass(env, "EchoSocket",
                     {
                         InstanceMethod<&EchoSocketObject::send>("send"),
                         InstanceMethod<&EchoSocketObject::close>("close"),
                     });
}

EchoSocketObject::EchoSocketObject(const Napi::CallbackInfo& info)
    : ObjectWrap(info),
      is_v6_(boolean(info[0], "isV6")),
      socket_(guarded(info, [&] { return EchoSocket::open(is_v6_); })) {
  if (!info[1].IsFunction()) throw Napi::TypeError::New(info.Env(), "onReply: expected a function");
  on_reply_ = Napi::Persistent(info[1].As<Napi::Function>());
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(info.Env(), &loop) != napi_ok || uv_poll_init(loop, &poll_, socket_.number()) != 0)
    throw Napi::Error::New(info.Env(), "uv_poll_init failed");
  poll_.data = this;
  uv_unref(reinterpret_cast<uv_handle_t*>(&poll_));
  uv_poll_start(&poll_, UV_READABLE,
                [](uv_poll_t* poll, int, int) { static_cast<EchoSocketObject*>(poll->data)->receive(); });
  Ref();
}

void EchoSocketObject::send(const Napi::CallbackInfo& info) {
  const Napi::Uint8Array address = bytes(info[0], "address");
  const Napi::Uint8Array given = bytes(info[1], "nonce");
  EchoSocket::Nonce nonce;
  if (address.ByteLength() != address_length(is_v6_) || given.ByteLength() != nonce.size())
    throw Napi::RangeError::New(info.Env(), "address or nonce: wrong length");
  std::copy_n(given.Data(), nonce.size(), nonce.begin());
  const int error = socket_.send(address.Data(), nonce);
  if (error != 0) guarded(info, [&] { throw system_failure("sendto", error); });
}

void EchoSocketObject::close(const Napi::CallbackInfo&) {
  auto* handle = reinterpret_cast<uv_handle_t*>(&poll_);
  if (uv_is_closing(handle)) return;
  uv_close(handle, [](uv_handle_t* closed) { static_cast<EchoSocketObject*>(closed->data)->Unref(); });
}

void EchoSocketObject::receive() {
  const Napi::HandleScope scope(Env());
  for (const auto& nonce : socket_.receive()) {
    Napi::Uint8Array copy = Napi::Uint8Array::New(Env(), nonce.size());
    std::copy(nonce.begin(), nonce.end(), copy.Data());
    try {
      on_reply_.MakeCallback(Value(), {copy});
    } catch (const Napi::Error& error) {
      napi_fatal_exception(Env(), error.Value());
    }
    if (uv_is_closing(reinterpret_cast<uv_handle_t*>(&poll_))) return;
  }
}

}  // namespace onehop::addon
