// What a fuzzer's bytes mean: a world, and what happens in it step by step. Every input means something, so no
// mutation is wasted.
//
//   input   world u8 (the remainder decides), options u8, steps
//   step    kind u8 (the remainder decides), three arguments u8, and behind a packet's: its bytes
//
// | step    | arguments |
// | ------- | --------- |
// | packet  | how many bytes follow; how it is stretched; 1: the first ten bytes are its virtio-net header |
// | answer  | by the container to what was forwarded last: TCP flags or ICMP type; sequence number; offload |
// | follow  | by the client to what was replied last: TCP flags or ICMP type; how far it acknowledges; offload |
// | error   | an ICMP error about what left last: type and code; how much it quotes; who sends it |
// | time    | seconds forth, seconds back, minutes forth |
// | publish | another state of the world's containers |
// | expire  | |
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace onehop::fuzz {

enum class StepKind : uint8_t { kPacket, kAnswer, kFollow, kError, kTime, kPublish, kExpire, kAnotherPacket };
constexpr uint8_t kStepKinds = 8;

constexpr size_t kInputHeader = 2, kStepHeader = 4, kVnetHeader = 10;
// Both keep an execution short.
constexpr size_t kStepsAtMost = 12, kPublishesAtMost = 1;

// Whether an input's options ask for a second run, which must come to the same: now and then, for it takes longer.
constexpr bool is_twice(uint8_t options) { return options % 16 == 15; }

struct Step {
  StepKind kind;
  uint8_t arguments[3];
  std::span<const uint8_t> bytes;  // a packet's

  // How far time goes on, modulo 2^32.
  uint32_t seconds() const { return uint32_t{arguments[0]} - arguments[1] + arguments[2] * 60u; }
};

constexpr bool is_packet(StepKind kind) { return kind == StepKind::kPacket || kind == StepKind::kAnotherPacket; }

// Takes one step from the front of `input`; false when there is none.
inline bool take_step(std::span<const uint8_t>& input, Step& step) {
  if (input.size() < kStepHeader) return false;
  step.kind = static_cast<StepKind>(input[0] % kStepKinds);
  for (size_t i = 0; i < 3; i++) step.arguments[i] = input[1 + i];
  input = input.subspan(kStepHeader);
  size_t length = is_packet(step.kind) ? step.arguments[0] : 0;
  if (length > input.size()) length = input.size();
  step.bytes = input.first(length);
  input = input.subspan(length);
  return true;
}

// How many bytes a packet of `length` has in all: as many, up to two thousand more, or about as many as the length
// fields can say.
constexpr uint32_t stretched(uint32_t length, uint8_t stretch) {
  if (stretch < 128) return length;
  return stretch < 248 ? length + (stretch - 127u) * 16 : 65575u - (255u - stretch) * 8;
}

}  // namespace onehop::fuzz
