"""On a Pico W: joins Wi-Fi, and calls what it may reach and what it may not."""

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
    s.close()
    print("refused", fails("10.5.6.8", 9))
    for address, away in (("8.8.8.8", 53), ("192.168.1.1", 80)):
        print("elsewhere", not fails(address, away))
