"""What waits to be sent: bounded, in order, and when it is full the oldest
score goes before any alarm does.
"""


class Outbox:
    """Entries are (topic, payload, retain, qos); those of qos 0 are scores,
    which the next one repeats.

    lost: events of qos 1, such as alarms and clears, that had to go because
        `limit` of them waited.
    dropped: scores that went.
    """

    def __init__(self, limit=32):
        self._limit = limit
        self._entries = []
        self.dropped = 0
        self.lost = 0

    def __len__(self):
        return len(self._entries)

    def put(self, topic, payload, retain, qos):
        entries = self._entries
        if len(entries) >= self._limit:
            for i in range(len(entries)):
                if entries[i][3] == 0:
                    entries.pop(i)
                    self.dropped += 1
                    break
            else:
                if qos == 0:
                    self.dropped += 1
                    return
                entries.pop(0)
                self.lost += 1
        entries.append((topic, payload, retain, qos))

    def holds(self, topic):
        for entry in self._entries:
            if entry[0] == topic:
                return True
        return False

    def first(self):
        return self._entries[0] if self._entries else None

    def remove(self, entry):
        """Once it was delivered; it may have been dropped meanwhile."""
        for i in range(len(self._entries)):
            if self._entries[i] is entry:
                self._entries.pop(i)
                return
