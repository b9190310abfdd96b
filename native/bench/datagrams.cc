// Small UDP packets for the benchmark: as many as go, or so many a second; and what counts them in the container.
//   datagrams sink PORT
//   datagrams send ADDRESS PORT SECONDS RATE [FIRST COUNT]
//   datagrams ask ADDRESS PORT
// A packet is the smallest that Ethernet carries: 64 bytes with its frame, 18 of them payload. RATE 0: as many as go. With
// FIRST and COUNT they come from COUNT source addresses from FIRST on, one chosen at random for each (COUNT 1 costs the
// sender as much as any); a negative COUNT takes each in turn, once, however long that takes. Whoever connects to the sink
// by TCP gets, and sets back, what has arrived: {"count": …, "firstNs": …, "lastNs": …}, times on the monotonic clock.
// `send` asks before and after through the same address, and prints {"sent": …, "delivered": …, "seconds": …}.
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace {

constexpr uint32_t kPayload = 18, kBatch = 64;
constexpr uint64_t kSecond = 1'000'000'000, kMillisecond = 1'000'000;
constexpr uint16_t kSourcePort = 40'000;

[[noreturn]] void fail(const char* call) {
  std::fprintf(stderr, "datagrams: %s: %s\n", call, std::strerror(errno));
  std::exit(1);
}

int checked(int result, const char* call) {
  if (result < 0) fail(call);
  return result;
}

uint64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * kSecond + static_cast<uint64_t>(time.tv_nsec);
}

void sleep_until(uint64_t at) {
  const timespec time{static_cast<time_t>(at / kSecond), static_cast<long>(at % kSecond)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
}

sockaddr_in address_of(const char* address, uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  if (inet_pton(AF_INET, address, &result.sin_addr) != 1) {
    std::fprintf(stderr, "datagrams: %s: expected an IPv4 address\n", address);
    std::exit(2);
  }
  return result;
}

template <typename Address>
const sockaddr* generic(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

struct Messages {
  std::array<mmsghdr, kBatch> headers{};
  std::array<iovec, kBatch> parts{};

  void set(uint32_t i, void* bytes, size_t length) {
    parts[i] = {bytes, length};
    headers[i].msg_hdr.msg_iov = &parts[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
};

// What has arrived since somebody asked last.
struct Arrived {
  std::atomic<uint64_t> count, first_ns, last_ns;
};

void receive(int socket, Arrived& arrived) {
  static std::array<std::array<uint8_t, 64>, kBatch> room;
  Messages messages;
  for (uint32_t i = 0; i < kBatch; i++) messages.set(i, room[i].data(), room[i].size());
  for (;;) {
    const int count = recvmmsg(socket, messages.headers.data(), kBatch, MSG_WAITFORONE, nullptr);
    if (count <= 0) continue;
    const uint64_t time = now();
    uint64_t nothing = 0;
    arrived.first_ns.compare_exchange_strong(nothing, time);
    arrived.last_ns = time;
    arrived.count += static_cast<uint64_t>(count);
  }
}

int listen_tcp(uint16_t port) {
  const sockaddr_in any = address_of("0.0.0.0", port);
  const int listener = checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  checked(bind(listener, generic(any), sizeof any), "bind");
  checked(listen(listener, 16), "listen");
  return listener;
}

void sink(uint16_t port) {
  const sockaddr_in any = address_of("0.0.0.0", port);
  const int datagrams = checked(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  const int room = 8 << 20;
  setsockopt(datagrams, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  checked(bind(datagrams, generic(any), sizeof any), "bind");
  static Arrived arrived;
  std::thread(receive, datagrams, std::ref(arrived)).detach();
  for (const int listener = listen_tcp(port);;) {
    const int asking = checked(accept(listener, nullptr, nullptr), "accept");
    const uint64_t count = arrived.count.exchange(0), first = arrived.first_ns.exchange(0), last = arrived.last_ns;
    dprintf(asking, "{\"count\":%" PRIu64 ",\"firstNs\":%" PRIu64 ",\"lastNs\":%" PRIu64 "}\n", count, first, last);
    close(asking);
  }
}

std::string ask(const sockaddr_in& address) {
  const int asking = checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  checked(connect(asking, generic(address), sizeof address), "connect");
  std::array<char, 256> bytes{};
  size_t length = 0;
  for (ssize_t read_now = 1; read_now > 0 && length < bytes.size(); length += static_cast<size_t>(read_now))
    read_now = checked(static_cast<int>(read(asking, &bytes[length], bytes.size() - length)), "read");
  close(asking);
  return {bytes.data(), length};
}

uint64_t ask_count(const sockaddr_in& address) {
  uint64_t count = 0;
  if (std::sscanf(ask(address).c_str(), "{\"count\":%" SCNu64, &count) != 1) {
    std::fprintf(stderr, "datagrams: the sink says nothing\n");
    std::exit(1);
  }
  return count;
}

// Packets are on their way for a while: until none has come for twenty milliseconds, a second at the most.
uint64_t ask_rest(const sockaddr_in& address) {
  uint64_t count = ask_count(address);
  for (int i = 0; i < 50; i++) {
    sleep_until(now() + 20 * kMillisecond);
    const uint64_t more = ask_count(address);
    count += more;
    if (more == 0) break;
  }
  return count;
}

struct Sources {
  uint32_t first = 0;
  int64_t count = 0;
};

// As an ordinary program sends, or, where there are `sources`, with IP headers of our own.
class Sender {
 public:
  Sender(const sockaddr_in& to, const Sources& sources) : sources_{sources} {
    const bool is_raw = sources.count != 0;
    socket_ = checked(is_raw ? socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW)
                             : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
                      "socket");
    const int room = 4 << 20;
    setsockopt(socket_, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    checked(connect(socket_, generic(to), sizeof to), "connect");
    for (uint32_t i = 0; i < kBatch; i++) {
      auto& packet = packets_[i];
      write_headers(packet, to);
      if (is_raw) messages_.set(i, &packet, sizeof packet);
      else messages_.set(i, packet.payload, kPayload);
    }
  }

  // How many of `count`, at most kBatch, went out.
  uint64_t send(uint32_t count) {
    if (sources_.count != 0)
      for (uint32_t i = 0; i < count; i++) set_source(packets_[i], next_source());
    const int sent = sendmmsg(socket_, messages_.headers.data(), count, 0);
    if (sent < 0 && errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED) fail("sendmmsg");
    return sent < 0 ? 0 : static_cast<uint64_t>(sent);
  }

 private:
  struct [[gnu::packed]] Packet {
    iphdr ip;
    udphdr udp;
    uint8_t payload[kPayload];
  };

  static void write_headers(Packet& packet, const sockaddr_in& to) {
    packet.ip.version = 4;
    packet.ip.ihl = 5;
    packet.ip.tot_len = htons(sizeof packet);
    packet.ip.frag_off = htons(IP_DF);
    packet.ip.ttl = 64;
    packet.ip.protocol = IPPROTO_UDP;
    packet.ip.daddr = to.sin_addr.s_addr;
    packet.udp.source = htons(kSourcePort);
    packet.udp.dest = to.sin_port;
    packet.udp.len = htons(sizeof packet.udp + kPayload);
  }

  uint32_t next_source() {
    if (sources_.count < 0) return sources_.first + turn_++ % static_cast<uint32_t>(-sources_.count);
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    return sources_.first + static_cast<uint32_t>((random_ >> 32) % static_cast<uint64_t>(sources_.count));
  }

  // The kernel fills in the IP header's sum, raw(7), but not UDP's.
  static void set_source(Packet& packet, uint32_t source) {
    packet.ip.saddr = htonl(source);
    uint64_t sum = (source >> 16) + (source & 0xffff) + (ntohl(packet.ip.daddr) >> 16) + (ntohl(packet.ip.daddr) & 0xffff) +
                   IPPROTO_UDP + 2 * (sizeof packet.udp + kPayload) + kSourcePort + ntohs(packet.udp.dest);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    packet.udp.check = htons(sum == 0xffff ? 0xffff : static_cast<uint16_t>(~sum));
  }

  int socket_;
  Sources sources_;
  uint32_t turn_ = 0;
  uint64_t random_ = 1;
  std::array<Packet, kBatch> packets_{};
  Messages messages_;
};

// At a rate, a millisecond's packets at a time.
uint64_t send_for(Sender& sender, uint64_t length_ns, uint64_t rate) {
  const uint64_t start = now(), end = start + length_ns;
  uint64_t sent = 0;
  for (uint64_t time = start; time < end; time = now()) {
    const uint64_t due = rate == 0 ? kBatch : (time - start) * rate / kSecond - sent;
    if (due == 0) sleep_until(time + (rate > 1000 ? kMillisecond : kSecond / rate));
    else sent += sender.send(static_cast<uint32_t>(due < kBatch ? due : kBatch));
  }
  return sent;
}

uint64_t send_each_once(Sender& sender, uint64_t count) {
  uint64_t sent = 0;
  while (sent < count) sent += sender.send(static_cast<uint32_t>(count - sent < kBatch ? count - sent : kBatch));
  return sent;
}

void send(const sockaddr_in& to, double seconds, uint64_t rate, const Sources& sources) {
  Sender sender(to, sources);
  ask_count(to);
  const uint64_t start = now();
  const uint64_t sent = sources.count < 0 ? send_each_once(sender, static_cast<uint64_t>(-sources.count))
                                          : send_for(sender, static_cast<uint64_t>(seconds * 1e9), rate);
  const double took = static_cast<double>(now() - start) / 1e9;
  std::printf("{\"sent\":%" PRIu64 ",\"delivered\":%" PRIu64 ",\"seconds\":%.6f}\n", sent, ask_rest(to), took);
}

uint16_t port_of(const char* text) { return static_cast<uint16_t>(std::atoi(text)); }

}  // namespace

int main(int count, char** words) {
  const std::string verb = count > 1 ? words[1] : "";
  if (verb == "sink" && count == 3) sink(port_of(words[2]));
  else if (verb == "ask" && count == 4) std::fputs(ask(address_of(words[2], port_of(words[3]))).c_str(), stdout);
  else if (verb == "send" && (count == 6 || count == 8)) {
    Sources sources;
    if (count == 8) sources = {ntohl(address_of(words[6], 0).sin_addr.s_addr), std::atoll(words[7])};
    send(address_of(words[2], port_of(words[3])), std::atof(words[4]), static_cast<uint64_t>(std::atoll(words[5])),
         sources);
  } else {
    std::fputs("usage: datagrams sink PORT | send ADDRESS PORT SECONDS RATE [FIRST COUNT] | ask ADDRESS PORT\n", stderr);
    return 2;
  }
}
