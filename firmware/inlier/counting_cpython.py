"""On CPython: how sockets' calls count, above all how a connect ends.
socket_cpython.py makes the calls.
"""

import _socket
import errno
import select
import socket
import weakref

base = _socket.socket
family = base.family.__get__  # of a socket, as a plain int
kind = base.type.__get__

# While these come, a connect is undecided. EAGAIN is how connect_ex says that
# its time is over; EALREADY and EISCONN answer a connect that was begun before.
_UNDECIDED = (errno.EINPROGRESS, errno.EALREADY, errno.EAGAIN, errno.ENOTCONN, errno.EINTR)
_REFUSED = (errno.ECONNREFUSED, errno.ECONNRESET)
_NOT_BEGUN = (errno.EALREADY, errno.EISCONN, errno.EBADF, errno.EINVAL, errno.EOPNOTSUPP)


class _Attempt(weakref.ref):
    """A connect of a socket whose end is not known, or was given up: a weak
    reference, as a socket.socket has no room for attributes."""

    __slots__ = ("given_up",)


class Counting:
    """Counts into `source` what it is told of sockets."""

    def __init__(self, source):
        self.source = source
        self.attempts = {}  # id of a socket -> _Attempt
        self._place = {name: i for i, name in enumerate(source.counters)}
        self._mask = (1 << source.bits) - 1

    def add(self, name, n=1):
        totals, i = self.source.totals, self._place[name]
        totals[i] = totals[i] + n & self._mask

    def moved(self, s, n, direction, address=None):
        """direction: "out" or "in".
        address: the other side's, if the call says so.
        """
        if not is_ip(s):
            return
        if kind(s) == socket.SOCK_STREAM:
            if not n:
                return  # end of a stream
            calls = "sends" if direction == "out" else "receives"
        else:
            calls = "datagrams_" + direction
            if address is not None:
                self.contact(address, direction == "out")
        self.add("bytes_" + direction, n)
        self.add(calls)

    def contact(self, address, chosen):
        host = address[0]
        if not isinstance(host, str):
            host = bytes(host).decode("latin-1")
        host = {"": "0.0.0.0", "<broadcast>": "255.255.255.255"}.get(host, host)
        self.source.contact((host, address[1]), chosen)

    # How a connect ends.

    def connecting(self, s, call, args, kwargs):
        """connect or connect_ex."""
        if not is_ip(s):
            return call(s, *args, **kwargs)
        stream = kind(s) == socket.SOCK_STREAM
        # A name is looked up first: its connect is counted when that is over.
        if stream and id(s) not in self.attempts and _is_numeric(s, args) and not _is_connected(s):
            self.begin(s, args[0])
        try:
            code = call(s, *args, **kwargs)
        except socket.gaierror:
            self.source.lookup(args[0][0])
            raise
        except OSError as error:
            # "timed out" has no number
            self._answer(s, stream, args, errno.EAGAIN if error.errno is None else error.errno)
            raise
        self._answer(s, stream, args, code or 0)
        return code

    def begin(self, s, address):
        self.add("connects")
        self.contact(address, True)
        me, attempts = id(s), self.attempts
        attempts[me] = attempt = _Attempt(s, lambda _: attempts.pop(me, None))
        attempt.given_up = False

    def _answer(self, s, stream, args, code):
        if not stream:  # only remembers where to send
            if not code:
                self.contact(args[0], True)
            return
        if id(s) not in self.attempts:
            if code in _NOT_BEGUN:
                return
            self.begin(s, args[0])
        if code == errno.EAGAIN and s.gettimeout() != 0:
            self._give_up(s)
        elif code not in _UNDECIDED:
            self.ended(s, code)

    def _give_up(self, s):
        attempt = self.attempts[id(s)]
        if not attempt.given_up:
            attempt.given_up = True  # asked again, it is the same connect
            self.add("connects_failed")

    def ended(self, s, code):
        """code: an errno, 0 of a connect that succeeded."""
        attempt = self.attempts.pop(id(s), None)
        if attempt is None or attempt.given_up or code in (0, errno.EISCONN):
            return
        self.add("connects_refused" if code in _REFUSED else "connects_failed")

    def used(self, s, call, args, kwargs):
        """Any read or write: the first one after a non-blocking connect tells
        how that ended.
        """
        if not self.attempts or id(s) not in self.attempts:
            return call(s, *args, **kwargs)
        try:
            result = call(s, *args, **kwargs)
        except OSError as error:
            if error.errno is not None and error.errno not in _UNDECIDED:
                self.ended(s, error.errno)
            raise
        self.ended(s, 0)
        return result

    def closing(self, s):
        """Nobody will ask any more how the connect ended, so that asking
        changes nothing.
        """
        if id(s) in self.attempts:
            try:
                code = base.getsockopt(s, socket.SOL_SOCKET, socket.SO_ERROR)
                if not code and not is_writable(s):
                    code = errno.ETIMEDOUT
            except OSError as error:
                code = error.errno
            self.ended(s, code)


def is_ip(s):
    """What else there is, such as AF_UNIX, is no traffic."""
    return family(s) in (socket.AF_INET, socket.AF_INET6)


def _is_numeric(s, args):
    """Whether connect has an address in order, of a host in numbers."""
    try:
        host, port = args[0][:2]
        socket.inet_pton(family(s), host)
    except (TypeError, ValueError, OSError, IndexError):
        return False
    return isinstance(port, int) and 0 <= port <= 0xFFFF


def _is_connected(s):
    """Or closed: nothing is begun either way."""
    try:
        base.getpeername(s)
    except OSError as error:
        return error.errno == errno.EBADF
    return True


def is_writable(s):
    """Whether a connect has ended, well or not."""
    poller = select.poll()
    poller.register(base.fileno(s), select.POLLOUT)
    return bool(poller.poll(0))
