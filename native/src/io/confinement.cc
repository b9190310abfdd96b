// System calls: capget, capset, prctl, seccomp, fcntl, memfd_create, pwrite, execv.
#include "confinement.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "failure.h"
#include "system_calls.h"

namespace onehop {

namespace {

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "native/src/io/confinement.cc: this architecture's AUDIT_ARCH_ is not named yet"
#endif

// One bit each; the kernel takes them in two words.
struct Capabilities {
  uint64_t effective, permitted, inheritable;
};

__user_cap_header_struct own_header() { return {_LINUX_CAPABILITY_VERSION_3, 0}; }

Capabilities capabilities() {
  __user_cap_header_struct header = own_header();
  __user_cap_data_struct data[2];
  if (::syscall(SYS_capget, &header, data) < 0) throw system_failure("capget", errno);
  const auto both = [&](uint32_t __user_cap_data_struct::*word) {
    return data[0].*word | uint64_t{data[1].*word} << 32;
  };
  return {both(&__user_cap_data_struct::effective), both(&__user_cap_data_struct::permitted),
          both(&__user_cap_data_struct::inheritable)};
}

void set(const Capabilities& wanted) {
  __user_cap_header_struct header = own_header();
  __user_cap_data_struct data[2];
  for (int word = 0; word < 2; word++)
    data[word] = {static_cast<uint32_t>(wanted.effective >> 32 * word),
                  static_cast<uint32_t>(wanted.permitted >> 32 * word),
                  static_cast<uint32_t>(wanted.inheritable >> 32 * word)};
  if (::syscall(SYS_capset, &header, data) < 0) throw system_failure("capset", errno);
}

uint64_t mask_of(const std::vector<int>& numbers) {
  uint64_t mask = 0;
  for (const int number : numbers) mask |= uint64_t{1} << number;
  return mask;
}

// The bounding set is what root gets back at each execve(2). Who may not shrink it is held by no_new_privs alone.
void bound(uint64_t kept) {
  for (int number = 0; ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; number++)
    if (!(kept >> number & 1)) ::prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
}

// Who is not root keeps across execve(2) what is ambient, and nothing else. Raised already where systemd or setpriv gave them.
void make_ambient(uint64_t kept) {
  if (::geteuid() == 0) return;
  for (int number = 0; number < 64; number++)
    if (kept >> number & 1 && ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) < 0)
      throw system_failure("prctl PR_CAP_AMBIENT_RAISE", errno);
}

void keep_only(uint64_t wanted) {
  const uint64_t kept = capabilities().permitted & wanted;
  bound(kept);
  set({kept, kept, kept});
  make_ambient(kept);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) throw system_failure("prctl PR_SET_NO_NEW_PRIVS", errno);
}

// seccomp(2): the kernel keeps a bitmap of what is always allowed (since 5.11), so that the length of this costs nothing.
std::vector<sock_filter> allow_list() {
  constexpr uint32_t kNumber = offsetof(seccomp_data, nr), kArch = offsetof(seccomp_data, arch);
  const sock_filter refuse = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kArch),
      // Calls of another architecture, such as 32-bit ones, have other numbers.
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0),
      refuse,
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
  };
  for (const int number : kSystemCalls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(number), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  program.push_back(refuse);
  return program;
}

void allow_known_calls() {
  std::vector<sock_filter> program = allow_list();
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  // A kernel without seccomp is no reason not to serve.
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0 && errno != ENOSYS && errno != EINVAL)
    throw system_failure("seccomp", errno);
}

// Node keeps them from those it starts (uv_disable_stdio_inheritance).
void keep_standard_streams() {
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    ::fcntl(number, F_SETFD, ::fcntl(number, F_GETFD) & ~FD_CLOEXEC);
}

}  // namespace

bool is_confined(const std::vector<int>& wanted) {
  return (capabilities().permitted & ~mask_of(wanted)) == 0 && ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

void confine(const std::vector<int>& wanted, const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  keep_only(mask_of(wanted));
  allow_known_calls();
  keep_standard_streams();
  ::execv(argv[0], argv.data());
  throw system_failure("execve " + arguments.at(0), errno);
}

int leave(std::span<const uint8_t> bytes) {
  const int number = ::memfd_create("onehop", 0);
  if (number < 0) throw system_failure("memfd_create", errno);
  for (size_t written = 0; written < bytes.size();) {
    const ssize_t more = ::pwrite(number, bytes.data() + written, bytes.size() - written, static_cast<off_t>(written));
    if (more < 0 && errno != EINTR) throw system_failure("pwrite to memory", errno);
    if (more > 0) written += static_cast<size_t>(more);
  }
  return number;
}

}  // namespace onehop
