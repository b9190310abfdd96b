"""Runs a program on a terminal of its own: terminal.py COLUMNS ROWS PROGRAM ARGUMENT...

Lines on standard input are what happens to it, as JSON: {"keys": "q"}, {"resize": [40, 12]}, {"signal": 15}. After all that the
program writes, a line of JSON says what a person sees; after its end one more, with its exit status.
"""
import fcntl, json, os, select, struct, sys, termios

import pyte

columns, rows = int(sys.argv[1]), int(sys.argv[2])


def set_size(terminal, columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


# The slave is held open, or the terminal's state would be gone with the program.
terminal, slave = os.openpty()
set_size(terminal, columns, rows)
cooked = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.close(terminal)
    os.login_tty(slave)
    os.execvp(sys.argv[3], sys.argv[3:])

screen = pyte.Screen(columns, rows)
stream = pyte.ByteStream(screen)
written = b""


def say(**more):
    seen = {
        "lines": [line.rstrip() for line in screen.display],
        "isAlternate": written.rfind(b"\x1b[?1049h") > written.rfind(b"\x1b[?1049l"),
        "isCursorHidden": screen.cursor.hidden,
        "isCooked": termios.tcgetattr(slave) == cooked,
        "hasColours": b"\x1b[31m" in written or b"\x1b[1m" in written or b"\x1b[2m" in written,
    }
    print(json.dumps(seen | more), flush=True)


def obey(order):
    if "keys" in order:
        os.write(terminal, order["keys"].encode())
    if "resize" in order:
        screen.resize(order["resize"][1], order["resize"][0])
        set_size(terminal, *order["resize"])
    if "signal" in order:
        os.kill(pid, order["signal"])


def drain(timeout):
    global written
    ready, _, _ = select.select([terminal], [], [], timeout)
    if not ready:
        return False
    data = os.read(terminal, 65536)
    written += data
    stream.feed(data)
    return True


orders = b""
isListening = True
while True:
    ready, _, _ = select.select([terminal, 0] if isListening else [terminal], [], [], 0.05)
    if terminal in ready and drain(0):
        say()
    if isListening and 0 in ready:
        data = os.read(0, 4096)
        isListening = data != b""
        *whole, orders = (orders + data).split(b"\n")
        for order in whole:
            obey(json.loads(order))
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        while drain(0):
            pass
        say(exit=os.waitstatus_to_exitcode(status))
        break
