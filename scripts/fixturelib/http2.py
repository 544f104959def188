"""HTTP/2 frames and header blocks (RFC 9113, 7541). Strings are sent plain, or coded where a test gives the code."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, WITH_PRIORITY = 1, 4, 8, 32

# Of the static table: the whole field.
GET, ROOT, HTTP, HTTPS, OK = (bytes([0x80 | n]) for n in (2, 4, 6, 7, 8))
# Of the static table: the name only.
AUTHORITY, METHOD, PATH, STATUS, HOST, LOCATION, REFERER, AGENT = 1, 2, 4, 8, 38, 46, 51, 58


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def integer(value, bits, high):
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([high | value])
    out, value = [high | limit], value - limit
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def string(value, coded=None):
    return integer(len(value), 7, 0) + value if coded is None else integer(len(coded), 7, 0x80) + coded


def literal(name, value, indexed=False, coded=None):
    """`name`: a number of a table, or text. `indexed`: enters the dynamic table."""
    high, bits = (0x40, 6) if indexed else (0, 4)
    value = value.encode() if isinstance(value, str) else value
    head = integer(name, bits, high) if isinstance(name, int) else bytes([high]) + string(name.encode())
    return head + string(value, coded)


def entry(number):
    """The whole field of the dynamic table's n-th entry, 0 the newest."""
    return integer(62 + number, 7, 0x80)


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(k.to_bytes(2, "big") + v.to_bytes(4, "big") for k, v in pairs))


ACK = frame(SETTINGS, 1, 0)


def coded(text):
    """The Huffman code of a host or path in lower case (RFC 7541 appendix B)."""
    bits = ""
    for letter in text:
        for width, first, letters in ((5, 0, "012aceiost"), (6, 0x14, " %-./3456789=A_bdfghlmnpru"), (7, 0x74, "jkqvwxyz")):
            if letter in letters:
                bits += format(first + letters.index(letter), f"0{width}b")
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


assert coded("www.example.com").hex() == "f1e3c2e5f23a6ba0ab90f4ff"
