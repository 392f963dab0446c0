#!/usr/bin/env python3
# timeout: 120
# not-with: emulator (the server has too little time for its deadlines there)
# not-with: address thread (they keep memory of their own)
"""examples/15_server.c while it is attacked in every way at once by more connections than it has descriptors: a byte at
a time, none at all, heads without end, nonsense, big answers that nobody reads. Good requests go on being
answered, and its memory, threads and descriptors stay within bounds."""
import os
import random
import re
import resource
import socket
import subprocess
import sys
import threading
import time

PROGRAM = os.path.join(os.environ["BUILD"], "examples", "15_server")
FILES = 200          # RLIMIT_NOFILE of the server: it serves FILES - 64 at once
ASKERS, EACH = 6, 4  # requests that must be answered meanwhile
GROWTH = 24 << 10    # KiB
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
rng = random.Random(int(os.environ.get("SEED", "1"), 0))


def trickle(_, turn):
    return REQUEST[:-2][turn:turn + 1] or b"x"


def silent(_, turn):
    return b""


def endless(_, turn):
    return b"GET /" + 4000 * b"x" if turn == 0 else 4000 * b"y"


def nonsense(_, turn):
    return rng.randbytes(rng.randrange(1, 3000))


def greedy(_, turn):
    return b"GET /big HTTP/1.1\r\n\r\n" if turn == 0 else b""


ATTACKS = {trickle: 200, silent: 300, endless: 60, nonsense: 60, greedy: 100}


class Attacker:
    """One connection; a new one when the server has ended it."""

    def __init__(self, port, attack):
        self.port, self.attack, self.begun = port, attack, 0
        self.connect()

    def connect(self):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        if self.attack is greedy:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect_ex(("127.0.0.1", self.port))
        self.turn = 0
        self.begun += 1

    def go_on(self):
        """Sends what comes next, and looks whether the server has ended it; the greedy do not read."""
        try:
            piece = self.attack(self, self.turn)
            if piece:
                self.socket.send(piece)
                self.turn += 1
            if self.attack is not greedy and self.socket.recv(1000) == b"":
                raise ConnectionResetError
            state = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
            if self.attack is greedy and state not in (1, 2):    # neither established nor on its way there
                raise ConnectionResetError
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            if error.errno != 107:    # ENOTCONN: still waiting in the backlog
                self.socket.close()
                self.connect()


def numbers(pid):
    """(resident KiB, threads, descriptors)"""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        text = file.read()
    found = [int(re.search(rf"^{key}:\s*(\d+)", text, re.M)[1]) for key in ("VmRSS", "Threads")]
    return (*found, len(os.listdir(f"/proc/{pid}/fd")))


def limit_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))


def ask(port):
    """A good request among the others; its status and body."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(REQUEST)
        data = b""
        while piece := connection.recv(1000):
            data += piece
    return data[9:12], data.partition(b"\r\n\r\n")[2]


def good_requests(port):
    """In a process of its own: how many were answered as they should be."""
    answered = []

    def asker():
        for _ in range(EACH):
            try:
                answered.append(ask(port) == (b"200", b"hello\n"))
            except OSError as error:
                print(f"a good request: {error}", file=sys.stderr)

    askers = [threading.Thread(target=asker) for _ in range(ASKERS)]
    for one in askers:
        one.start()
    for one in askers:
        one.join()
    return sum(answered)


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = sum(ATTACKS.values()) + 100
    if hard != resource.RLIM_INFINITY and hard < want:
        print(f"skipped: RLIMIT_NOFILE allows {hard} files")
        return 77
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, want), hard))
    with subprocess.Popen([PROGRAM, "0"], stdout=subprocess.PIPE, text=True, preexec_fn=limit_files) as server:
        try:
            port = int(server.stdout.readline().split()[1])
            assert ask(port) == (b"200", b"hello\n")
            idle = numbers(server.pid)
            attackers = [Attacker(port, attack) for attack, n in ATTACKS.items() for _ in range(n)]
            good = subprocess.Popen([sys.executable, __file__, str(port)], stdout=subprocess.PIPE, text=True)
            most = idle
            while good.poll() is None:
                for attacker in attackers:
                    attacker.go_on()
                most = tuple(map(max, most, numbers(server.pid)))
                time.sleep(0.02)
            answered = int(good.stdout.read())
            for attacker in attackers:
                attacker.socket.close()
            assert ask(port) == (b"200", b"hello\n"), "after the attack"
            begun = sum(attacker.begun for attacker in attackers)
            print(f"{answered} of {ASKERS * EACH} answered among {begun} attacks; resident {idle[0]} to {most[0]} KiB, "
                  f"threads {most[1]}, descriptors {most[2]}")
            assert answered == ASKERS * EACH, answered
            assert most[0] - idle[0] < GROWTH, most
            assert most[1] < 2 * (os.cpu_count() or 1) + 8, most
            assert begun > len(attackers) + FILES, "the attackers were not shaken off"
            assert server.poll() is None
        finally:
            server.kill()
    return 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(good_requests(int(sys.argv[1])))
        sys.exit(0)
    sys.exit(main())
