#!/usr/bin/env python3
"""Many clients that ask containers who they are, all the time: clients.py CLIENTS INTERVAL URLHOST4 URLHOST6

Each has an address of its own. Half of them keep one HTTP connection open, the others send datagrams; each half is IPv4 and
IPv6 by turns. Besides there are newcomers: every 10 ms a datagram from an address that was never used before. Each line of
input names a phase that begins then and is answered by the numbers of the one that ended, as JSON; the end of input ends it.

    answers, lost    exchanges; lost: not answered within two seconds
    longest, p99     the longest that any answer took, and that 99 in 100 took at most, in milliseconds
    moved            answers from another container than the client's first
    broken           HTTP connections that ended
    newcomers        when each answered newcomer had sent, in milliseconds since 1970
    unanswered       newcomers that nobody has answered within two seconds
"""
import errno
import json
import select
import socket
import sys
import time

CLIENTS, INTERVAL = int(sys.argv[1]), float(sys.argv[2])
HOSTS = {4: sys.argv[3], 6: sys.argv[4]}
REQUEST = b'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
LOST_AFTER = 2
NEWCOMER_EVERY = 0.01
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def address(number, family):
    """test/support/lab.ts's clientAddress."""
    return f'198.19.{(number + 1) >> 8}.{(number + 1) & 255}' if family == 4 else f'2001:db8:19::{number + 1:x}'


class Phase:
    def __init__(self):
        self.answers = self.lost = self.moved = self.broken = 0
        self.took = []
        self.newcomers = []
        self.unanswered = 0


class Client:
    """One request at a time; the next is due when the interval is over."""

    def __init__(self, number):
        self.family = 4 if number % 2 else 6
        self.is_tcp = number % 4 < 2
        self.socket = socket.socket(FAMILIES[self.family], socket.SOCK_STREAM if self.is_tcp else socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((address(number, self.family), 0))
        try:
            self.socket.connect((HOSTS[self.family], 80 if self.is_tcp else 53))
        except BlockingIOError:
            pass
        self.asked = None
        self.container = None
        self.received = b''

    def ask(self, now):
        try:
            self.socket.send(REQUEST if self.is_tcp else b'who?')
            self.asked = now
        except OSError as error:
            # Not connected yet, or told by ICMP that nobody is there: the next time.
            if self.is_tcp and error.errno not in (errno.EAGAIN, errno.ENOTCONN):
                self.fail()

    def is_lost(self, now):
        return self.asked is not None and now - self.asked > LOST_AFTER

    def read(self, now):
        try:
            received = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            return self.fail()
        if self.is_tcp:
            if not received:
                return self.fail()
            self.received += received
            head, found, body = self.received.partition(b'\r\n\r\n')
            length = head.lower().partition(b'content-length: ')[2].partition(b'\r\n')[0]
            if not found or len(body) < int(length):
                return
            # What was given up comes before the answer to the next one.
            received, self.received = body[:int(length)], body[int(length):]
        self.answered(json.loads(received)['container'], now)

    def answered(self, container, now):
        if self.asked is None:  # was given up
            return
        phase.answers += 1
        phase.took.append((now - self.asked) * 1000)
        phase.moved += self.container not in (None, container)
        self.container = self.container or container
        self.asked = None

    def fail(self):
        if self.is_tcp and self.socket.fileno() >= 0:
            phase.broken += 1
            poll.unregister(self.socket)
            self.socket.close()


class Newcomer:
    """Asks once. Its container may be any."""

    def __init__(self, number):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((address(number, 4), 0))
        self.socket.connect((HOSTS[4], 53))
        self.asked = time.time()
        try:
            self.socket.send(b'who?')
        except OSError:
            pass

    def read(self, _now):
        try:
            self.socket.recv(65536)
        except OSError:
            return
        phase.newcomers.append(round(self.asked * 1000))
        self.close()

    def close(self):
        """True when it was open, and so without an answer."""
        if self.socket.fileno() < 0:
            return False
        del by_number[self.socket.fileno()]
        poll.unregister(self.socket)
        self.socket.close()
        return True


def follow(one):
    by_number[one.socket.fileno()] = one
    poll.register(one.socket, select.EPOLLIN)


def send_due(due, now):
    """The clients one after the other, evenly over the interval."""
    while due <= now:
        client = clients[int(due / INTERVAL * len(clients)) % len(clients)]
        if client.is_lost(now):
            phase.lost += 1
            client.asked = None
        if client.asked is None and client.socket.fileno() >= 0:
            client.ask(now)
        due += INTERVAL / len(clients)
    return due


def end_phase(name):
    global phase
    took = sorted(phase.took) or [0]
    told = {'phase': name, **vars(phase), 'longest': took[-1], 'p99': took[len(took) * 99 // 100]}
    del told['took']
    print(json.dumps(told), flush=True)
    phase = Phase()


phase, name = Phase(), 'begin'
poll, by_number, newcomers = select.epoll(), {}, []
clients = [Client(number) for number in range(CLIENTS)]
for client in clients:
    follow(client)
poll.register(sys.stdin, select.EPOLLIN)
due = newcomer_due = time.monotonic()
newcomer = CLIENTS
while True:
    for number, _events in poll.poll(max(0, due - time.monotonic())):
        if number == sys.stdin.fileno():
            line = sys.stdin.readline()
            end_phase(name)
            if not line:
                sys.exit()
            name = line.strip()
        elif number in by_number:
            by_number[number].read(time.monotonic())
    due = send_due(due, time.monotonic())
    if time.monotonic() >= newcomer_due:
        newcomer_due += NEWCOMER_EVERY
        newcomer += 1
        newcomers.append(Newcomer(newcomer))
        follow(newcomers[-1])
        if len(newcomers) > LOST_AFTER / NEWCOMER_EVERY:
            phase.unanswered += newcomers.pop(0).close()
