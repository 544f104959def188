"""SSH identifications and key exchange messages (RFC 4253), and the HASSH of them."""
import hashlib
import struct

EXCHANGE = "curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group14-sha256"
CIPHERS = ("chacha20-poly1305@openssh.com,aes256-ctr", "aes128-ctr,aes192-ctr,aes256-ctr")
MACS = ("hmac-sha2-256,hmac-sha1", "umac-128@openssh.com,hmac-sha2-512")
COMPRESSIONS = ("none", "none,zlib@openssh.com")


def lists(text):
    data = text.encode()
    return struct.pack("!I", len(data)) + data


def key_exchange(exchange=EXCHANGE):
    """A packet with both directions' lists; a client's fingerprint takes the first of each pair, a server's the second."""
    body = bytes([20]) + bytes(range(16)) + lists(exchange) + lists("ssh-ed25519")
    body += b"".join(lists(one) for pair in (CIPHERS, MACS, COMPRESSIONS) for one in pair) + lists("") + lists("") + bytes(5)
    padding = 8 - (len(body) + 5) % 8 + 4
    return struct.pack("!IB", len(body) + 1 + padding, padding) + body + bytes(padding)


def hassh(side, exchange=EXCHANGE):
    """`side`: 0 for a client, 1 for a server."""
    text = ";".join((exchange, CIPHERS[side], MACS[side], COMPRESSIONS[side]))
    return hashlib.md5(text.encode()).hexdigest()
