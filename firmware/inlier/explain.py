"""Which counters made a window outlying. Runs when an alarm is raised or goes
on, not on the steady path.
"""


def contribution(model, table, f, y, i):
    """Feature i's part of the score, beyond its range and its distance."""
    p = 12 * i
    value = f[i]
    part = max(value - (table[p + 2] | table[p + 3] << 8), 0) * table[p + 9]
    if model.by_rows:
        part += max((table[p + 4] | table[p + 5] << 8) - value, 0) * table[p + 10]
    e = value - (table[p] | table[p + 1] << 8) - (table[p + 6] | table[p + 7] << 8)
    e -= max(y[i] - 128, 0) << table[p + 8]
    return part + max(e, 0) * table[p + 11]


def top_features(model, f, y, count):
    """The `count` features that contributed most to the score: a list of (name,
    per cent), largest first. Names are `counter` for the window itself and
    `counter~16` for what it did over about 16 windows.

    f: log features.
    y: the reconstruction.
    """
    table = model.table()
    parts = [contribution(model, table, f, y, i) for i in range(model.features)]
    whole = max(1, sum(parts))
    shares = [(part * 100 // whole, -i) for i, part in enumerate(parts)]
    shares.sort(reverse=True)
    return [(model.feature_name(-i), share) for share, i in shares[:count] if share > 0]


def leading(model, table, f, y):
    """Index of the counter whose features contributed most, the first of
    equals. Takes no heap.
    """
    kinds = len(model.kinds)
    best = most = part = 0
    for i in range(model.features):
        part += contribution(model, table, f, y, i)
        if i % kinds == kinds - 1:
            if part > most:
                best = i // kinds
                most = part
            part = 0
    return best
