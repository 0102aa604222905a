"""Stands in for the native `socket` and `select` modules on an emulated board,
which has no network: nothing is sent, every call succeeds at once. What counts
above it is inlier's own.
"""

AF_INET = 2
SOCK_STREAM = 1
SOCK_DGRAM = 2


class socket:
    def __init__(self, family=AF_INET, kind=SOCK_STREAM, proto=0):
        pass

    def connect(self, address):
        pass

    def send(self, data):
        return len(data)

    def sendall(self, data):
        pass

    def sendto(self, data, address):
        return len(data)


def getaddrinfo(host, port, *others):
    return [(AF_INET, SOCK_STREAM, 0, "", (host, port))]
