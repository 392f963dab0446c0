#!/usr/bin/env python3
# timeout: 120
"""The server in all its builds: the same bytes, limits, refusals, the end; 2,000 connections kept alive at once."""
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time

FOLDER = os.path.join(os.environ["BUILD"], "benches", "server")
KINDS = ("gossamer", "pthread", "epoll")
PEERS = ("libuv", "tokio", "java", "erlang")    # those that are built here
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world\n"
MANY = 2000


class Server:
    def __init__(self, kind, *arguments):
        self.process = subprocess.Popen([os.path.join(FOLDER, "server-" + kind), "--port", "0", *arguments], text=True,
                                        stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline().split()[1])

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def end(self):
        """SIGTERM: the counts, and exit 0."""
        self.process.send_signal(signal.SIGTERM)
        counts = json.loads(self.process.stdout.readline())
        assert self.process.wait(30) == 0, self.process.returncode
        return counts


def exchange(server, *pieces):
    """Everything that comes back until the server closes; pieces are sent one after the other."""
    with server.connect() as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.02)
        connection.shutdown(socket.SHUT_WR)
        return receive_all(connection)


def receive_all(connection):
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        pass    # closed with bytes of ours unread
    return data


def equal(what, seen, wanted):
    assert seen == wanted, f"{what}: {seen[:200]!r}, not {wanted[:200]!r}"


def gather(server, n):
    """n connections at once, and how many more were turned away meanwhile: a server that has ended one may not have
    counted that yet."""
    crowd, early = [], 0
    while len(crowd) < n:
        connection = server.connect()
        try:
            connection.sendall(REQUEST)
            seen = connection.recv(1000)
        except OSError:
            seen = b""
        if seen or early == 100:
            equal("of a crowd", seen, ANSWER)
            crowd.append(connection)
        else:
            early += 1
            connection.close()
            time.sleep(0.02)
    return crowd, early


def talk(kind):
    server = Server(kind, "--timeout", "2", "--limit", "5")
    equal("one", exchange(server, REQUEST), ANSWER)
    equal("three at once", exchange(server, 3 * REQUEST), 3 * ANSWER)
    pieces = REQUEST[:7], REQUEST[7:20], REQUEST[20:] + REQUEST[:3], REQUEST[3:]
    equal("in pieces", exchange(server, *pieces), 2 * ANSWER)
    body = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n" + 2000 * b"x"
    equal("a body", exchange(server, body + REQUEST), 2 * ANSWER)
    last = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(last)
        equal("the last", receive_all(connection), ANSWER)
    for words, status in ((b"nonsense\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nA: " + 9000 * b"x", 431),
                          (b"POST / HTTP/1.1\r\nContent-Length: 70000\r\n\r\n" + 70000 * b"x", 413)):
        with server.connect() as connection:
            try:
                connection.sendall(words)
            except OSError:
                pass    # refused before it was all sent
            seen = receive_all(connection)
            assert not seen or seen.startswith(b"HTTP/1.1 %d " % status), (kind, status, seen)
    silent, start = server.connect(), time.monotonic()
    equal("silence", receive_all(silent), b"")
    assert 1 < time.monotonic() - start < 20, time.monotonic() - start
    crowd, early = gather(server, 5)
    with server.connect() as one_too_many:
        equal("one too many", receive_all(one_too_many), b"")
    counts = server.end()
    equal("served", counts["served"], 1 + 3 + 2 + 2 + 1 + 5)
    equal("refused", counts["refused"], 3)
    equal("turned away", counts["turned_away"], 1 + early)


def many(kind):
    """A request each on all connections at once, again and again, none lost: by the counts of both sides."""
    server = Server(kind)
    done = subprocess.run([os.path.join(FOLDER, "loadgen"), "--port", str(server.port), "--connections", str(MANY),
                           "--rate", "4000", "--seconds", "2"], capture_output=True, text=True, timeout=90, check=True)
    said, counts = json.loads(done.stdout), server.end()
    equal("answered", said["answered"], said["asked"])
    equal("served", counts["served"], said["answered"] + MANY)
    equal("connections", counts["connections"], MANY)


def stopped(kind):
    """A stop of a quarter of the time is in the 99th percentile of all requests, not in that of the median span."""
    server = Server(kind)
    with subprocess.Popen([os.path.join(FOLDER, "loadgen"), "--port", str(server.port), "--connections", "10",
                           "--rate", "8000", "--seconds", "2"], stdout=subprocess.PIPE, text=True) as driver:
        time.sleep(0.7)
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        server.process.send_signal(signal.SIGCONT)
        said = json.loads(driver.communicate(timeout=60)[0])
    server.end()
    equal("answered", said["answered"], said["asked"])
    assert said["p99_ns"] > 0.3e9 and said["p99_span_ns"] < said["p99_ns"] / 2, said


def main():
    if not os.access(os.path.join(FOLDER, "server-gossamer"), os.X_OK):
        print("skipped: the servers are not built here (no HTTP parser library, or a sanitizer)")
        return 77
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < MANY + 200:
        print(f"skipped: RLIMIT_NOFILE allows {hard} files")
        return 77
    for kind in (*KINDS, *(kind for kind in PEERS if os.access(os.path.join(FOLDER, "server-" + kind), os.X_OK))):
        talk(kind)
    many("gossamer")
    stopped("gossamer")
    return 0


if __name__ == "__main__":
    sys.exit(main())
