// The objects of options that src/dataplane/addon.ts declares.
#pragma once

#include <napi.h>

#include "arguments.h"
#include "../fastpath/fast_path.h"
#include "../io/forwarder.h"
#include "../packet/offload.h"
#include "../pipeline/engine.h"
#include "../watch/watch.h"

namespace onehop::addon {

enum class FastPathMode { kOff, kAuto, kRequire };

TableSizes read_sizes(const Napi::Value& value);
ForwarderOptions read_forwarder_options(const Napi::Value& value);
FastPathMode read_fast_path_mode(const Napi::Value& value);
// `capacity`: the table's.
FastPathOptions read_fast_path_options(const Napi::Value& value, uint32_t capacity);
// None given: a packet without.
Offload read_offload(const Napi::Value& value);
WatchOptions read_watch_options(const Napi::Value& value);

}  // namespace onehop::addon
