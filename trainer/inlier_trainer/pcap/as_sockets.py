"""What the source `sockets` would have counted on the device of a capture: the
twin of inlier/sockets.py, whose own code notes hosts and ports here.

    bytes_*           payload, TCP's by its sequence numbers: what is sent again
                      counts once, what arrives behind a hole fills no hole
    sends, receives   segments with new bytes and PSH: a stack sets it where a
                      call's bytes end. How the application cuts its reads no
                      capture shows
    connects          SYNs of the device; refused: reset before an answer;
                      failed: not sent again for as long as the next time would
                      have been (PATIENCE_MS at least): the application, or its
                      stack, has given up by then
    accepts           connections that the device answered and the peer took up
    datagrams_*       UDP but for what a stack does by itself (OWN_PORTS); in:
                      to ports that the device sent from
    lookups           questions to port 53, each once however often it is asked;
                      AAAA beside an A is none. What the stack remembered is
                      not asked
    peers, ports      of connects, accepts and datagrams
"""

import itertools
from dataclasses import dataclass, field

import numpy as np

from inlier.sockets import Sockets
from inlier_export.reference import Ints

from .packets import TCP, UDP, Bools, Fields, Packets
from .tally import Tally

SYN, RST, PSH, ACK = 2, 4, 8, 16
PATIENCE_MS = 3000
OWN_PORTS = (53, 67, 68, 546, 547, 5353)  # DNS, DHCP and multicast DNS
ASKED_AGAIN_MS = 10_000
CONNECTIONS_MAX = 1 << 14
AAAA = 28
_AT = {name: i for i, name in enumerate(Sockets.counters)}
_DISTINCT = [_AT[name] for name in ("peers", "ports", "peers_new")]


@dataclass
class _Connection:
    """next: of what goes out and in, the sequence number that follows, counted
        on beyond 2^32, where it is known.
    isn: of the last SYN.
    began_ms: of it while it is unanswered.
    until_ms: an answer is waited for.
    answered, taken: of one that a peer began, whether it was, and was
        accepted.
    """

    host: int
    port: int
    next: dict[str, int] = field(default_factory=dict)
    isn: int | None = None
    began_ms: int | None = None
    until_ms: int = field(init=False)
    answered: bool = field(init=False)
    taken: bool = True
    last_ms: int = field(init=False)


class AsSockets:
    """Counts chunk by chunk into `tally`, whose last column is packets."""

    def __init__(self, window_ms: int) -> None:
        self.tally = Tally(len(_AT) + 1)
        self._window_ms = window_ms
        self._connections: dict[int, _Connection] = {}
        self._pending: set[int] = set()
        self._bound: set[int] = set()
        self._asked: dict[tuple[int, int], int] = {}
        self._texts: dict[int, str] = {}  # of the chunk's hosts, by hash
        self._source = Sockets()
        self._window = 0
        self._former = [0] * len(_AT)
        # of the chunk: window, host, port, and whether the device chose that
        self._contacts: set[tuple[int, int, int, bool]] = set()

    def add(self, fields: Fields, p: Packets, out: Bools, window: Ints, now_ms: Ints) -> None:
        """Packets of the device, in order of time: rows of a chunk as
        count.count prepares them.
        """
        self.tally.add(window, len(_AT), 1)
        self._remember(fields, p, out)
        self._udp(fields, p, out, window, now_ms)
        self._tcp(fields, p, out, window, now_ms)
        self._expire(int(now_ms[-1]))
        self._note()

    def end(self, latest_ms: int) -> None:
        """After the last packet of the capture."""
        self._expire(latest_ms)
        self._flush()

    def _count(self, name: str, at_ms: int) -> None:
        """What is after the device's last packet the tally forgets."""
        self.tally.add(np.array([self._window_of(at_ms)]), _AT[name], 1)

    def _window_of(self, at_ms: int) -> int:
        return max(0, at_ms // self._window_ms)

    # Distinct hosts and ports, by the device's own code.

    def _remember(self, fields: Fields, p: Packets, out: Bools) -> None:
        hosts = np.where(out, p.host_to, p.host_from)
        values, first = np.unique(hosts, return_index=True)
        self._texts = {
            host: fields.address(p, row, bool(out[row]))
            for host, row in zip(values.tolist(), first.tolist(), strict=True)
            if host
        }

    def _note(self) -> None:
        """Contacts of this chunk, in the order of windows."""
        for window, host, port, chosen in sorted(self._contacts):
            if window > self._window:
                self._flush()
                self._window = window
            self._source.contact((self._texts.get(host, ""), port), chosen)
        self._contacts.clear()

    def _flush(self) -> None:
        """The window in hand is over."""
        totals = [*self._former]
        self._source.read(totals)
        for column in _DISTINCT:
            change = totals[column] - self._former[column]
            self.tally.add(np.array([self._window]), column, change)
        self._former = totals

    # Datagrams.

    def _udp(self, fields: Fields, p: Packets, out: Bools, window: Ints, now_ms: Ints) -> None:
        rows = np.flatnonzero((p.protocol == UDP) & (p.transport != -1))
        local = np.where(out, p.port_from, p.port_to)[rows]
        remote = np.where(out, p.port_to, p.port_from)[rows]
        self._ask(fields, p, rows[out[rows] & (remote == 53)], now_ms)
        own = np.isin(local, OWN_PORTS) | np.isin(remote, OWN_PORTS)
        rows, local, remote = rows[~own], local[~own], remote[~own]
        sent = out[rows]
        self._bound.update(local[sent].tolist())
        heard = ~sent & np.isin(local, [*self._bound])
        size = np.maximum(fields.number(p.transport[rows] + 4, 2, rows) - 8, 0)
        for which, way, host in ((sent, "out", p.host_to), (heard, "in", p.host_from)):
            at = window[rows[which]]
            self.tally.add(at, _AT[f"datagrams_{way}"], 1)
            self.tally.add(at, _AT[f"bytes_{way}"], size[which])
            hosts, ports = host[rows[which]].tolist(), remote[which].tolist()
            self._contacts.update(zip(at.tolist(), hosts, ports, sent[which].tolist(), strict=True))

    def _ask(self, fields: Fields, p: Packets, rows: Ints, now_ms: Ints) -> None:
        for row in rows.tolist():
            at, now = int(p.transport[row]) + 8, int(now_ms[row])
            (number,) = fields.number(np.array([at]), 2, np.array([row])).tolist()  # 0: it was cut
            key = (int(p.port_from[row]), number)
            before = self._asked.get(key)
            if before is not None and now - before < ASKED_AGAIN_MS:
                continue
            if fields.question(at, row) == AAAA:
                continue
            if len(self._asked) >= CONNECTIONS_MAX:
                self._asked.clear()
            self._asked[key] = now
            self._count("lookups", now)

    # Streams.

    def _tcp(self, fields: Fields, p: Packets, out: Bools, window: Ints, now_ms: Ints) -> None:
        rows = np.flatnonzero((p.protocol == TCP) & (p.transport != -1))
        if not len(rows):
            return
        p, sent = p.taken(rows), out[rows]
        host, remote, _, keys = p.connections(sent)
        at = p.transport
        seq = fields.number(at + 4, 4, rows)
        head = (fields.number(at + 12, 1, rows) >> 4) * 4
        size = p.end - at - head
        flags, times, windows = p.flags, now_ms[rows], window[rows]
        order = np.argsort(keys, kind="stable")
        bounds = np.flatnonzero(np.diff(keys[order])) + 1
        moved: list[tuple[Ints, Ints, str, Ints]] = []
        distinct, first = np.unique(keys, return_index=True)
        groups = np.split(order, bounds)
        for key, i, group in zip(distinct.tolist(), first.tolist(), groups, strict=True):
            known = self._connections.get(key)
            if known is None:
                known = self._connections[key] = _Connection(int(host[i]), int(remote[i]))
            opens = self._handshakes(key, known, group, sent, flags, seq, times)
            cuts = [0, *opens, len(group)]
            for begin, end in itertools.pairwise(cuts):
                if begin in opens:  # it is another connection from here on
                    known.next.clear()
                part = group[begin:end]
                part = part[flags[part] & RST == 0]  # which bears no data, wherever it is
                for side, way in ((True, "out"), (False, "in")):
                    mine = part[sent[part] == side]
                    new = self._new_bytes(known, way, seq[mine], size[mine], flags[mine])
                    moved.append((windows[mine], new, way, flags[mine]))
            known.last_ms = int(times[group[-1]])
        for way, calls in (("out", "sends"), ("in", "receives")):
            mine_ = [part for part in moved if part[2] == way]
            at_, new_, flags_ = (np.concatenate([part[i] for part in mine_]) for i in (0, 1, 3))
            self.tally.add(at_, _AT[f"bytes_{way}"], new_)
            self.tally.add(at_[(new_ > 0) & (flags_ & PSH != 0)], _AT[calls], 1)

    def _new_bytes(self, known: _Connection, way: str, seq: Ints, size: Ints, flags: Ints) -> Ints:
        """Of each segment of one side (n,), the bytes that none before had."""
        if not len(seq):
            return size
        start = seq + (flags & SYN != 0)
        base = known.next.get(way, int(start[0]))
        begin = (start - base).astype(np.int32).astype(np.int64)  # as they are modulo 2^32
        end = begin + size
        reached = np.maximum.accumulate(np.concatenate([[0], end]))
        known.next[way] = base + int(reached[-1])
        new: Ints = np.maximum(end - np.maximum(begin, reached[:-1]), 0)
        return new

    def _handshakes(
        self,
        key: int,
        known: _Connection,
        group: Ints,
        sent: Bools,
        flags: Ints,
        seq: Ints,
        times: Ints,
    ) -> list[int]:
        """Follow how connections begin; the places in the group where one does."""
        opens: list[int] = []
        columns = (column[group].tolist() for column in (flags, sent, seq, times))
        for place, (flag, mine, number, now) in enumerate(zip(*columns, strict=True)):
            if flag & (SYN | ACK) == SYN:
                if known.isn == number:  # sent again
                    if known.began_ms is not None:
                        known.until_ms = now + max(PATIENCE_MS, 2 * (now - known.began_ms))
                        known.began_ms = now
                    continue
                self._give_up(key, known, now)
                opens.append(place)
                known.isn, known.answered, known.taken = number, False, mine
                if mine:
                    known.began_ms, known.until_ms = now, now + PATIENCE_MS
                    self._pending.add(key)
                    self._count("connects", now)
                    self._contacts.add((self._window_of(now), known.host, known.port, True))
            elif flag & RST and not mine and known.began_ms is not None:
                self._answer(key, known)
                self._count("connects_refused", now)
            elif flag & SYN and mine == (known.began_ms is None):
                known.answered = True
                self._answer(key, known)
            elif not (flag & (SYN | RST) or mine or known.taken) and known.answered:
                known.taken = True
                self._count("accepts", now)
                self._contacts.add((self._window_of(now), known.host, known.port, False))
        return opens

    def _answer(self, key: int, known: _Connection) -> None:
        known.began_ms = None
        self._pending.discard(key)

    def _give_up(self, key: int, known: _Connection, now_ms: int) -> None:
        if known.began_ms is not None:
            self._count("connects_failed", min(now_ms, known.until_ms))
            self._answer(key, known)

    def _expire(self, now_ms: int) -> None:
        for key in list(self._pending):
            known = self._connections[key]
            if known.until_ms <= now_ms:
                self._give_up(key, known, now_ms)
        if len(self._connections) > CONNECTIONS_MAX:
            idle = sorted(self._connections, key=lambda k: self._connections[k].last_ms)
            for key in idle[: CONNECTIONS_MAX // 2]:
                self._give_up(key, self._connections.pop(key), now_ms)
