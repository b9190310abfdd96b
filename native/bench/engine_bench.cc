// How long the engine takes for a packet when its table is full of sources: test/bench/engine.ts runs it.
//   engine_bench SNAPSHOT SOURCES
// SNAPSHOT is an encoded snapshot with a service at 203.0.113.10 and 2001:db8:53::10, TCP port 80. Prints lines
// of JSON: family, way, packets handed over at once, sources, and ns: the median over rounds of the thread's own
// time per packet. Requests come from sources at random, so each meets an entry that is in no cache; replies go to
// sources that have just asked, as replies do.
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "../src/io/pages.h"
#include "../src/packet/checksum.h"
#include "../src/packet/packet.h"
#include "../src/pipeline/engine.h"
#include "../src/pipeline/verdict.h"

namespace {

using namespace onehop;

constexpr uint32_t kNow = 1000;
// Packets lie close together, for in a data plane they lie in one buffer that is always in the cache.
constexpr uint32_t kBatch = 256, kRounds = 300, kStride = 128, kRoom = 2048;
constexpr uint8_t kPublic4[] = {203, 0, 113, 10};
constexpr uint8_t kPublic6[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0x53, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10};

// A TCP segment of a source, its sums as they should be.
uint32_t write_segment(uint8_t* bytes, uint32_t source, bool is_v6, uint8_t flags, uint32_t acknowledgment) {
  const uint32_t header = is_v6 ? ipv6::kLength : ipv4::kMinimumLength;
  std::memset(bytes, 0, header + tcp::kMinimumLength);
  if (is_v6) {
    bytes[0] = 0x60;
    store16(bytes + ipv6::kPayloadLength, tcp::kMinimumLength);
    bytes[ipv6::kNextHeader] = tcp::kNumber;
    bytes[ipv6::kHopLimit] = 64;
    store32(bytes + ipv6::kSource, 0x20010db8);
    store32(bytes + ipv6::kSource + 12, source);
    std::memcpy(bytes + ipv6::kDestination, kPublic6, sizeof kPublic6);
  } else {
    bytes[0] = 0x45;
    store16(bytes + ipv4::kTotalLength, ipv4::kMinimumLength + tcp::kMinimumLength);
    bytes[ipv4::kTimeToLive] = 64;
    bytes[ipv4::kProtocol] = tcp::kNumber;
    store32(bytes + ipv4::kSource, 0x0a000000 + source);
    std::memcpy(bytes + ipv4::kDestination, kPublic4, sizeof kPublic4);
    put_raw16(bytes + ipv4::kChecksum, checksum_of(sum_of(bytes, ipv4::kMinimumLength)));
  }
  uint8_t* segment = bytes + header;
  store16(segment + tcp::kSourcePort, 40000);
  store16(segment + tcp::kDestinationPort, 80);
  store32(segment + tcp::kAcknowledgment, acknowledgment);
  segment[tcp::kDataOffset] = 0x50;
  segment[tcp::kFlags] = flags;
  return header + tcp::kMinimumLength;
}

// Turns what reached a container into its SYN-ACK; sums do not matter to the engine.
void turn_round(uint8_t* bytes, bool is_v6) {
  const uint32_t length = address_length(is_v6), at = is_v6 ? ipv6::kSource : ipv4::kSource;
  std::swap_ranges(bytes + at, bytes + at + length, bytes + at + length);
  uint8_t* segment = bytes + (is_v6 ? ipv6::kLength : ipv4::kMinimumLength);
  std::swap_ranges(segment, segment + 2, segment + 2);
  segment[tcp::kFlags] = tcp::kSyn | tcp::kAck;
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "engine_bench: %s\n", what);
  std::exit(1);
}

void expect(const Result& result, Code code) {
  if (static_cast<Code>(result.code) != code) fail(kReasons[result.code].reason);
}

// Every source through a handshake, so that the table holds them all.
void fill(Worker& worker, uint32_t sources, bool is_v6) {
  uint8_t bytes[kRoom];
  worker.begin(kNow);
  for (uint32_t source = 0; source < sources; source++) {
    Packet packet{bytes, write_segment(bytes, source, is_v6, tcp::kSyn, 0), kRoom, {}};
    expect(worker.process(packet), Code::kForwardChosen);
    turn_round(bytes, is_v6);
    expect(worker.process(packet), Code::kReplyEndpoint);
    packet.length = write_segment(bytes, source, is_v6, tcp::kAck, 1);
    expect(worker.process(packet), Code::kForwardKnown);
  }
  worker.end();
}

uint64_t thread_ns() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

struct Case {
  bool is_v6, is_reply;
  uint32_t at_once;  // packets handed over together
};

// Median over rounds of the time that a packet takes.
double median_ns(Worker& worker, uint32_t sources, const Case& run) {
  std::minstd_rand random(7);
  std::vector<uint8_t> room(size_t{kBatch} * kStride + kRoom);
  std::vector<Packet> packets(kBatch);
  std::vector<Result> results(kBatch);
  std::vector<double> rounds;
  for (uint32_t round = 0; round < kRounds; round++) {
    worker.begin(kNow);
    for (uint32_t i = 0; i < kBatch; i++) {
      uint8_t* bytes = room.data() + size_t{i} * kStride;
      const uint32_t source = static_cast<uint32_t>(random()) % sources;
      packets[i] = {bytes, write_segment(bytes, source, run.is_v6, tcp::kAck, 1), kRoom, {}};
      if (!run.is_reply) continue;
      expect(worker.process(packets[i]), Code::kForwardKnown);
      turn_round(bytes, run.is_v6);
    }
    const uint64_t start = thread_ns();
    for (uint32_t i = 0; i < kBatch; i += run.at_once)
      worker.process({packets.data() + i, run.at_once}, results.data() + i);
    rounds.push_back(static_cast<double>(thread_ns() - start) / kBatch);
    for (const Result& result : results) expect(result, run.is_reply ? Code::kReplyEndpoint : Code::kForwardKnown);
    worker.end();
  }
  std::nth_element(rounds.begin(), rounds.begin() + kRounds / 2, rounds.end());
  return rounds[kRounds / 2];
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) fail("expected SNAPSHOT SOURCES");
  std::ifstream file(arguments[1], std::ios::binary);
  const std::vector<char> encoded{std::istreambuf_iterator<char>(file), {}};
  const auto sources = static_cast<uint32_t>(std::strtoul(arguments[2], nullptr, 10));
  if (!file || sources == 0) fail("expected a snapshot and a number of sources");

  const auto engine = Engine::create({sources, 1 << 16, 1 << 16, 1 << 14}, advise_huge_pages);
  engine->publish({reinterpret_cast<const uint8_t*>(encoded.data()), encoded.size()});
  const auto worker = engine->attach();
  for (const bool is_v6 : {false, true}) fill(*worker, sources / 2, is_v6);
  if (engine->counters().entries != sources / 2 * 2) fail("not every source is in the table");

  for (const bool is_v6 : {false, true})
    for (const bool is_reply : {false, true})
      for (const uint32_t at_once : {1, 8, 16}) {
        const double ns = median_ns(*worker, sources / 2, {is_v6, is_reply, at_once});
        std::printf("{\"family\":%d,\"way\":\"%s\",\"atOnce\":%u,\"sources\":%u,\"ns\":%.1f}\n", is_v6 ? 6 : 4,
                    is_reply ? "reply" : "request", at_once, sources, ns);
      }
}
