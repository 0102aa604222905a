"""umqtt.simple as a maker and reader of packets: it writes to and reads from
memory, and never waits.

umqtt blocks on its socket: a broker that is down would stop the device. Given
memory instead, a call that would wait for an answer is left by an exception,
with its packet written; once the answer is here, umqtt reads it from the same
memory.
"""

from umqtt import simple


class Refused(Exception):
    """What the broker answered, in words."""


class _Waiting(Exception):
    """umqtt wants more than there is: its answer is still to come."""


_REASONS = {  # of a CONNACK: MQTT 3.1.1, table 3.1
    1: "does not speak MQTT 3.1.1; use a newer broker",
    2: "refuses the client's name; choose another device_id",
    3: "is not available now; trying again",
    4: "refuses user and password; check both",
    5: "refuses user and password; check both",
}
_GARBAGE = "does not answer like an MQTT broker; check address and port, and whether it wants TLS"


class _Memory:
    """Stands in for umqtt's socket module and for the socket.

    written: what it sent.
    unread: what it may read.
    """

    def socket(self, *_):
        return self

    def getaddrinfo(self, *_):
        return ((None,),)

    def connect(self, *_):
        pass

    settimeout = setblocking = close = connect

    def write(self, data, n=None):
        self.written.extend(memoryview(data)[:n])

    def read(self, n):
        if len(self.unread) < n:
            raise _Waiting
        part = self.unread[:n]
        self.unread = self.unread[n:]
        return part


class Packets:
    """Packets to send, as bytes-like, and what received ones mean.
    on_message(topic, payload), both bytes.

    will: (topic, payload), retained. packet_id is that of the last publish at
    QoS 1.
    """

    def __init__(self, client_id, user, password, keepalive_s, will, on_message):
        self._memory = _Memory()
        # umqtt counts characters where MQTT counts bytes: it is given bytes.
        user = user.encode() if user else None
        password = (password or "").encode()
        self._client = simple.MQTTClient(
            client_id.encode(), "", user=user, password=password, keepalive=keepalive_s
        )
        self._client.set_last_will(will[0].encode(), will[1], True, 1)
        self._client.set_callback(on_message)

    @property
    def packet_id(self):
        return self._client.pid

    def _call(self, function, *arguments):
        """What umqtt wrote; an answer that it would wait for comes later."""
        memory = self._memory
        memory.written = bytearray()
        memory.unread = b""
        try:
            function(*arguments)
        except _Waiting:
            pass
        return memory.written

    def _connect(self):
        # umqtt makes its own socket, from its module's `socket`: lend it the
        # memory, for this call alone.
        real = simple.socket
        simple.socket = self._memory
        try:
            self._client.connect()
        finally:
            simple.socket = real

    def connect(self):
        self._client.pid = 0
        return self._call(self._connect)

    def connected(self, packet):
        """Raises Refused unless `packet` is a CONNACK that accepts: umqtt's own
        check, run over the answer.
        """
        if packet is None or len(packet) != 4:
            raise Refused(_GARBAGE)
        self._memory.unread = packet
        try:
            self._connect()
        except simple.MQTTException as error:
            raise Refused(_REASONS.get(*error.args) or "refuses (code %d)" % error.args)
        except (AssertionError, _Waiting):
            raise Refused(_GARBAGE)

    def subscribe(self, topic):
        return self._call(self._client.subscribe, topic.encode())

    def publish(self, topic, payload, retain, qos):
        if qos:
            self._client.pid &= 0x7FFF  # umqtt never wraps it, and 65536 would not pack
        return self._call(self._client.publish, topic.encode(), payload, retain, qos)

    def ping(self):
        return self._call(self._client.ping)

    async def read(self, reader, limit):
        """The next packet, whole; None for one of more than `limit` bytes,
        which is read and thrown away.

        Raises EOFError, OSError, and Refused for what is no packet.
        """
        head = await reader.readexactly(1)
        length = 0
        for i in range(4):  # MQTT 3.1.1, 2.2.3: seven bits a byte, the lowest first
            head += await reader.readexactly(1)
            length |= (head[-1] & 0x7F) << 7 * i
            if head[-1] < 0x80:
                break
        else:
            raise Refused(_GARBAGE)
        if length <= limit:
            return head + await reader.readexactly(length)
        while length:
            length -= len(await reader.readexactly(min(length, limit)))
        return None

    def handle(self, packet):
        """Have umqtt read a packet. Returns the packet id of a PUBACK, else
        None. Raises Refused for garbage.
        """
        memory = self._memory
        memory.unread = packet
        try:
            if self._client.wait_msg() == 0x40:
                memory.read(1)
                high_low = memory.read(2)
                return high_low[0] << 8 | high_low[1]
        except (AssertionError, _Waiting, IndexError):
            raise Refused(_GARBAGE)
        return None
