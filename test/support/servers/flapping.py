#!/usr/bin/env python3
"""A web server that comes and goes: flapping.py NAME PORT SECONDS

Listens for so many seconds, then refuses for as many, and so on; says who it is like container.mjs does.
"""
import json
import select
import socket
import sys
import time

NAME, PORT, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])


def answer(connection, peer):
    with connection:
        try:
            connection.settimeout(SECONDS)
            connection.recv(65536)
            body = json.dumps({'container': NAME, 'peer': peer[0].removeprefix('::ffff:'), 'peerPort': peer[1]})
            connection.sendall(f'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}'.encode())
        except OSError:
            pass


print('ready', flush=True)
while True:
    with socket.create_server(('::', PORT), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128) as server:
        until = time.monotonic() + SECONDS
        while (left := until - time.monotonic()) > 0:
            if select.select([server], [], [], left)[0]:
                answer(*server.accept())
    time.sleep(SECONDS)
