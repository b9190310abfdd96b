// Many clients for the benchmark, of which each comes once:
//   clients ADDRESS PORT FIRST COUNT SECONDS
// makes a TCP connection to ADDRESS:PORT from each of COUNT source addresses from FIRST on, asks for a page by HTTP/1.0 and
// reads until the server closes: what remains of each connection is what remains of real ones. Begins none after SECONDS.
// Prints {"made": …, "failed": …}.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kAtOnce = 32;
// Not without end: some ways lose packets of a connection whose port was another's.
constexpr timeval kPatience{2, 0};
constexpr std::string_view kRequest = "GET / HTTP/1.0\r\n\r\n";

sockaddr_in address_of(uint32_t address, uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  result.sin_addr.s_addr = htonl(address);
  return result;
}

uint32_t parse_address(const char* text) {
  in_addr address{};
  if (inet_pton(AF_INET, text, &address) != 1) {
    std::fprintf(stderr, "clients: %s: expected an IPv4 address\n", text);
    std::exit(2);
  }
  return ntohl(address.s_addr);
}

bool ask(int connection) {
  if (write(connection, kRequest.data(), kRequest.size()) != static_cast<ssize_t>(kRequest.size())) return false;
  std::array<char, 512> bytes;
  ssize_t length = 1, total = 0;
  for (; length > 0; total += length) length = read(connection, bytes.data(), bytes.size());
  return length == 0 && total > 0;
}

bool come(const sockaddr_in& from, const sockaddr_in& to) {
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // The port is chosen by connect(2), which knows the other end: one may be used towards several.
  const int on = 1;
  setsockopt(connection, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  for (const int option : {SO_SNDTIMEO, SO_RCVTIMEO})
    setsockopt(connection, SOL_SOCKET, option, &kPatience, sizeof kPatience);
  const bool is_answered = bind(connection, reinterpret_cast<const sockaddr*>(&from), sizeof from) == 0 &&
                           connect(connection, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 && ask(connection);
  close(connection);
  return is_answered;
}

}  // namespace

int main(int count, char** words) {
  if (count != 6) {
    std::fputs("usage: clients ADDRESS PORT FIRST COUNT SECONDS\n", stderr);
    return 2;
  }
  const sockaddr_in to = address_of(parse_address(words[1]), static_cast<uint16_t>(std::atoi(words[2])));
  const uint32_t first = parse_address(words[3]), clients = static_cast<uint32_t>(std::atoi(words[4]));
  const auto end = Clock::now() + std::chrono::seconds(std::atoi(words[5]));
  std::atomic<uint32_t> next{0}, made{0}, failed{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < kAtOnce; i++)
    threads.emplace_back([&] {
      for (uint32_t n = next++; n < clients && Clock::now() < end; n = next++)
        (come(address_of(first + n, 0), to) ? made : failed)++;
    });
  threads.clear();
  std::printf("{\"made\":%u,\"failed\":%u}\n", made.load(), failed.load());
}
