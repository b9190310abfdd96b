"""Sends numbered UDP datagrams from SOURCE to DESTINATION PORT, RATE a second, until its input ends."""
import select
import socket
import sys
import time

source, destination, port, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ':' in destination else socket.AF_INET
sender = socket.socket(family, socket.SOCK_DGRAM)
sender.bind((source, 0))
sender.connect((destination, port))
print('sending', flush=True)
start = time.monotonic()
for number in range(1 << 32):
    try:
        sender.send(str(number).encode())
    except ConnectionRefusedError:
        pass
    wait = start + (number + 1) / rate - time.monotonic()
    if select.select([sys.stdin], [], [], max(wait, 0))[0]:
        break
