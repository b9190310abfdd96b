// The fast path's programs, packet by packet and without traffic (BPF_PROG_TEST_RUN), beside the engine that they follow:
// test/netns/fastpath-vectors.test.ts runs it.
//   fastpath_probe BRIDGE
// BRIDGE is an interface; answers are routed as if they had come in there. Input, a line each:
//   snapshot CAPACITY PROBATION FLOWS FRAGMENTS HEX   begins anew with an encoded snapshot
//   packet SECONDS HEX                      an IP packet at a time of the engine's clock
//   settled SECONDS HEX                     likewise; its source is taken to have been settled by the engine's own decision
// The answer to one: `-` where the programs leave it to the slow path, else `request HEX` or `answer HEX`.
#include <bpf/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <time.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "../src/fastpath/links.h"
#include "../src/fastpath/map.h"
#include "../src/fastpath/program.h"
#include "../src/fastpath/services.h"
#include "../src/fastpath/sources.h"
#include "../src/fastpath/tallies.h"
#include "../src/fastpath/targets.h"
#include "../src/pipeline/engine.h"
#include "../src/pipeline/lookup.h"
#include "../src/pipeline/verdict.h"

namespace {

using namespace onehop;
using Octets = std::vector<uint8_t>;

constexpr MapSizes kSizes{
    .fronts = 1024, .endpoints = 1024, .sources = 1024, .ports = 1024, .straight = 1024};
// Where a test run's packets come in.
constexpr uint32_t kLoopback = 1;

[[noreturn]] void fail(const std::string& message) {
  std::cerr << "fastpath_probe: " << message << '\n';
  std::exit(1);
}

uint32_t kernel_seconds() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint32_t>(now.tv_sec);
}

Octets from_hex(const std::string& text) {
  Octets bytes;
  for (size_t at = 0; at + 1 < text.size(); at += 2)
    bytes.push_back(static_cast<uint8_t>(std::stoi(text.substr(at, 2), nullptr, 16)));
  return bytes;
}

std::string to_hex(const uint8_t* bytes, size_t length) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < length; i++) text.append({kDigits[bytes[i] >> 4], kDigits[bytes[i] & 15]});
  return text;
}

class Probe {
 public:
  Probe(const TableSizes& sizes, const Octets& snapshot, int bridge) : engine_(Engine::create(sizes)) {
    const Replaced replaced = engine_->publish(snapshot);
    worker_ = engine_->attach();
    services_.publish(replaced, engine_->lookup().aliases(), engine_->version());
    Map<uint32_t, fast_control>(program_.map(FAST_CONTROL)).put(0, {.until = std::numeric_limits<uint64_t>::max(), .epoch = 1, .routes = 0, .watches = 0, .zero = 0, .sampled = 0, .rest = 0, .watched = {}});
    Map<uint32_t, fast_port>(program_.map("ports")).put(kLoopback, {static_cast<uint32_t>(bridge), {}, 0});
    NeighbourMap neighbours;
    for (const ContainerAddress& container : engine_->container_addresses())
      neighbours.set(container.container, container.is_v6, {.interface = bridge, .mtu = 65535, .destination = {}, .source = {}});
    targets_.publish(engine_->container_addresses(), neighbours, Links({}, {}));
  }

  std::string run(const Octets& packet, uint32_t now, bool is_settled) {
    age(now - now_);
    now_ = now;
    if (is_settled) decide(packet, true);
    std::string answer = run(Part::kRequest, "request ", packet);
    if (answer.empty()) answer = run(Part::kAnswer, "answer ", packet);
    if (!is_settled) decide(packet, false);
    return answer.empty() ? "-" : answer;
  }

 private:
  // What passes on the engine's clock passes for the sources, too.
  void age(uint32_t seconds) {
    std::vector<std::pair<fast_source_key, fast_source>> all;
    Map<fast_source_key, fast_source> sources(program_.map("sources"));
    for (MapCursor cursor;
         sources.next(cursor, [&all](const auto& key, const auto& source) { all.emplace_back(key, source); });) {
    }
    for (auto& [key, source] : all) {
      source.seen -= seconds;
      sources.put(key, source);
    }
  }

  std::string run(Part part, const char* name, const Octets& packet) const {
    Octets frame(ETH_HLEN + packet.size()), output(frame.size());
    const bool is_v6 = !packet.empty() && packet[0] >> 4 == 6;
    frame[12] = is_v6 ? 0x86 : 0x08;
    frame[13] = is_v6 ? 0xdd : 0x00;
    std::copy(packet.begin(), packet.end(), frame.begin() + ETH_HLEN);
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.data_in = frame.data();
    options.data_size_in = static_cast<uint32_t>(frame.size());
    options.data_out = output.data();
    options.data_size_out = static_cast<uint32_t>(output.size());
    const int error = -bpf_prog_test_run_opts(program_.part(part), &options);
    if (error == EINVAL && packet.size() < (is_v6 ? 40 : 20)) return "";  // as no frame of such can come from the kernel
    if (error != 0) fail(std::string("BPF_PROG_TEST_RUN: ") + strerrorname_np(error));
    if (options.retval == static_cast<uint32_t>(TC_ACT_UNSPEC)) {
      if (output != frame) fail("left to the slow path, and changed");
      return "";
    }
    if (options.retval != TC_ACT_REDIRECT) fail("ends with " + std::to_string(options.retval));
    return name + to_hex(output.data() + ETH_HLEN, options.data_size_out - ETH_HLEN);
  }

  void decide(Octets packet, bool is_settled) {
    const auto length = static_cast<uint32_t>(packet.size());
    packet.resize(length + 2048);
    Packet given{packet.data(), length, static_cast<uint32_t>(packet.size()), {}};
    worker_->begin(now_);
    const Result result = worker_->process(given);
    const uint32_t version = worker_->version();
    worker_->end();
    if (!result.is_settled && !(is_settled && may_settle(result))) return;
    const Offer offer{{result.source, result.scope, result.is_v6}, result.service, result.container, version,
                      result.code == static_cast<uint8_t>(Code::kForwardPinned)};
    sources_.take(offer, services_, kernel_seconds());
  }

  // Given time. Local sources never do, whatever is known of them.
  bool may_settle(const Result& result) const {
    return result.way == Way::kContainer && result.scope != 0 &&
           !engine_->lookup().aliases().alias_of(result.source, result.is_v6);
  }

  const Program program_{kSizes};
  Services services_{program_.map("fronts"), program_.map("endpoints")};
  Tallies tallies_{program_.map("traffic")};
  Targets targets_{program_.map("targets"), tallies_};
  Sources sources_{program_.map("sources"), targets_};
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Worker> worker_;
  uint32_t now_ = 0;
};

}  // namespace

int main(int count, char** words) {
  const unsigned bridge = count == 2 ? ::if_nametoindex(words[1]) : 0;
  if (bridge == 0) fail("expected the name of an interface");
  std::unique_ptr<Probe> probe;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream input(line);
    std::string word, hex;
    input >> word;
    if (word == "snapshot") {
      TableSizes sizes{};
      input >> sizes.capacity >> sizes.probation >> sizes.flows >> sizes.fragments >> hex;
      probe = std::make_unique<Probe>(sizes, from_hex(hex), static_cast<int>(bridge));
    } else {
      uint32_t now;
      input >> now >> hex;
      std::cout << probe->run(from_hex(hex), now, word == "settled") << std::endl;
    }
  }
}
