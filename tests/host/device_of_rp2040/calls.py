"""On a Pico W: joins Wi-Fi, and calls what it may reach and what it may not.
Says what was counted of it.
"""

from inlier import sockets

source = sockets.install()  # before anything imports socket

import socket
import time

import network


def fails(address, port):
    s = socket.socket()
    s.settimeout(0.2)  # a second here is most of a minute of a processor
    try:
        s.connect((address, port))
        return False
    except OSError:
        return True
    finally:
        s.close()


def main(port):
    wlan = network.WLAN(network.STA_IF)
    wlan.active(True)
    wlan.connect("inlier", "no password")
    while not wlan.isconnected():
        time.sleep_ms(20)
    place = socket.getaddrinfo("server.test", port)[0][-1]
    print("name", place[0])
    s = socket.socket()
    s.connect(place)
    print("server", s.recv(5).decode())
    s.send(b"bye")
    s.close()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"?", ("10.5.6.7", 7))
    s.close()
    print("refused", fails("10.5.6.8", 9))
    for address, away in (("8.8.8.8", 53), ("192.168.1.1", 80)):
        print("elsewhere", not fails(address, away))
    counted = [0] * len(source.counters)
    source.read(counted)
    for name, number in zip(source.counters, counted):
        if number:
            print(name, number)
