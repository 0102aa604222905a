"""How the `sockets` source counts distinct hosts and ports, in any Python: the
definition that sockets_thumb.py and sockets_viper.py must equal, integer by
integer.

`bits` holds a word that says whether the window has any, and three bitmaps: the
window's hosts (512 bits), its ports (512), the hosts since boot (4,096).
"""

# Places in Sockets.counters.
_CONNECTS = 4
_LOOKUPS = 10
_PEERS = 11
_PORTS = 12
_PEERS_NEW = 13

HOSTS_AT = 4
PORTS_AT = 68
KNOWN_AT = 132
BYTES = 644

_MASK = 0x3FFFFFFF  # counters wrap at 2^30
FACTOR = 1597
HASH_MASK = 0x3FFFF
CONNECT = 1 << 29  # beside a port: a TCP connect begins there


def begin(bits):
    """Forget the window's hosts and ports."""
    if bits[0]:
        for i in range(KNOWN_AT):
            bits[i] = 0


def host_hash(host):
    """18-bit hash of a host's text, str or bytes; for a dotted address that of
    its four bytes. 2^18 is added of a name: neither dotted digits nor IPv6.
    """
    text = host.encode("utf-8", "replace") if isinstance(host, str) else host
    h = 0
    octet = 0
    other = False
    colon = False
    for c in text:
        if not c:  # where native code sees its end
            break
        if 48 <= c <= 57:
            octet = octet * 10 + c - 48 & 0x3FF
        elif c == 46:
            h = h * FACTOR + octet & HASH_MASK
            octet = 0
        else:
            h = h * FACTOR + c & HASH_MASK
            other = True
            colon = colon or c == 58
    h = h * FACTOR + octet & HASH_MASK
    return h | HASH_MASK + 1 if other and not colon else h


def note(bits, totals, host, port):
    """Count a contact with a host of this hash.

    port: -1 where this device did not choose it; with CONNECT where it
        connects.
    """
    bits[0] = 1
    if host > HASH_MASK:
        _add(totals, _LOOKUPS)
    if _set(bits, HOSTS_AT, host & 511):
        _add(totals, _PEERS)
    if _set(bits, KNOWN_AT, host & 4095):
        _add(totals, _PEERS_NEW)
    if port >= CONNECT:  # which leaves the port's bit as it is
        _add(totals, _CONNECTS)
    if port >= 0 and _set(bits, PORTS_AT, (port ^ port >> 9) & 511):
        _add(totals, _PORTS)


def _add(totals, i):
    totals[i] = totals[i] + 1 & _MASK


def _set(bits, at, i):
    """Set bit i of the bitmap at `at`; says whether it was clear."""
    at += i >> 3
    if bits[at] & 1 << (i & 7):
        return False
    bits[at] |= 1 << (i & 7)
    return True
