"""Runs inside a namespace and does there what the test says.

Speaks JSON, a line per request and answer, over standard input and output, so
that no packet has to wait for a new process.  Sockets stay open under a
number, to be used by later requests.
"""
import base64
import json
import select
import socket
import sys
import threading
import time

sockets = {}
next_number = [0]


def keep(sock):
    next_number[0] += 1
    sockets[next_number[0]] = sock
    return next_number[0]


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def echo_stream(connection):
    with connection:
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        except OSError:
            pass


def serve(sock, datagrams):
    while True:
        try:
            if datagrams:
                data, peer = sock.recvfrom(65536)
                sock.sendto(data, peer)
            else:
                connection, _ = sock.accept()
                threading.Thread(target=echo_stream, args=(connection,),
                                 daemon=True).start()
        except OSError:
            return


def listen(family, port, datagrams=False):
    """Echoes what comes to a port."""
    kind = socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM
    sock = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET,
                         kind)
    if family == 6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("::" if family == 6 else "", port))
    if not datagrams:
        sock.listen(64)
    threading.Thread(target=serve, args=(sock, datagrams),
                     daemon=True).start()
    return keep(sock)


def connect(address, port, timeout=1.0, source_port=0):
    """A TCP connection that stays open, or None."""
    sock = socket.socket(family_of(address), socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(timeout)
    try:
        if source_port:
            sock.bind(("", source_port))
        sock.connect((address, port))
        return keep(sock)
    except OSError:
        sock.close()
        return None


def tcp(address, port, timeout=1.0):
    """Can a connection be opened, and does data come back?"""
    number = connect(address, port, timeout)
    if number is None:
        return False
    return talk(number, "hello", timeout) == "hello"


def talk(number, text, timeout=1.0):
    """Sends text over an open connection and returns the echo, or None."""
    sock = sockets[number]
    sock.settimeout(timeout)
    try:
        sock.sendall(text.encode())
        data = b""
        while len(data) < len(text):
            part = sock.recv(65536)
            if not part:
                return None
            data += part
        return data.decode()
    except OSError:
        return None


def open_udp(port=0, family=4):
    sock = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET,
                         socket.SOCK_DGRAM)
    sock.bind(("::" if family == 6 else "", port))
    return keep(sock)


def send(number, text, address=None, port=None):
    if address:
        sockets[number].sendto(text.encode(), (address, port))
    else:
        sockets[number].sendall(text.encode())
    return True


def receive(number, timeout=1.0):
    """What comes next, or None."""
    sockets[number].settimeout(timeout)
    try:
        return sockets[number].recv(65536).decode()
    except OSError:
        return None


def accept_on(port, family=4):
    """A listening socket that does not echo."""
    sock = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("::" if family == 6 else "", port))
    sock.listen(8)
    return keep(sock)


def accept(number, timeout=1.0):
    sockets[number].settimeout(timeout)
    connection, _ = sockets[number].accept()
    return keep(connection)


def udp(address, port, size=5, timeout=1.0):
    """Does a datagram come back?"""
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        data = b"x" * size
        try:
            sock.sendto(data, (address, port))
            return sock.recvfrom(65536)[0] == data
        except OSError:
            return False


def close(number):
    sockets.pop(number).close()
    return True


def raw_socket():
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind(("eth0", 0))
    return sock


def inject(frames):
    """Sends frames (base64) as they are."""
    with raw_socket() as sock:
        for frame in frames:
            sock.send(base64.b64decode(frame))
    return True


def inject_paced(frames, per_second):
    """Sends frames (base64) at a steady rate; returns when each was sent."""
    frames = [base64.b64decode(frame) for frame in frames]
    times, begin = [], time.monotonic()
    with raw_socket() as sock:
        for i, frame in enumerate(frames):
            pause = begin + i / per_second - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            times.append(time.time())
            sock.send(frame)
    return times


def sniff_start():
    sock = raw_socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    return keep(sock)


def sniff_end(number, timeout=0.3):
    """The frames that came in since sniff_start(), base64."""
    sock = sockets.pop(number)
    frames = []
    until = time.monotonic() + timeout
    with sock:
        while (left := until - time.monotonic()) > 0:
            if not select.select([sock], [], [], left)[0]:
                break
            data, address = sock.recvfrom(65536)
            if address[2] != socket.PACKET_OUTGOING:
                frames.append(base64.b64encode(data).decode())
    return frames


background = {}


def in_background(run):
    """run(stop) in a thread, until it is ended by its number."""
    next_number[0] += 1
    stop, result = threading.Event(), {}
    thread = threading.Thread(target=lambda: result.update(run(stop)),
                              daemon=True)
    background[next_number[0]] = stop, thread, result
    thread.start()
    return next_number[0]


def end(number):
    """Ends what runs in the background; returns what it found."""
    stop, thread, result = background.pop(number)
    stop.set()
    thread.join()
    return result


def flood(frames, per_second):
    """Sends frames (base64; one or a list) again and again."""
    frames = [base64.b64decode(frame) for frame in
              (frames if isinstance(frames, list) else [frames])]

    def run(stop):
        sent, begin = 0, time.monotonic()
        with raw_socket() as sock:
            while not stop.is_set():
                while sent < (time.monotonic() - begin) * per_second:
                    try:
                        sock.send(frames[sent % len(frames)])
                    except OSError:
                        pass  # The port is away.
                    sent += 1
                time.sleep(0.0005)
        return {"sent": sent}
    return in_background(run)


def count(marker):
    """Counts frames with a marker (base64) in them as they come in; when the
    first and the last came, in seconds since the epoch, or 0."""
    marker = base64.b64decode(marker)
    sock = raw_socket()
    sock.settimeout(0.05)

    def run(stop):
        seen, first, last = 0, 0, 0
        while True:
            try:
                data, address = sock.recvfrom(65536)
            except TimeoutError:
                if stop.is_set():
                    sock.close()
                    return {"seen": seen, "first": first, "last": last}
                continue
            if address[2] != socket.PACKET_OUTGOING and marker in data:
                seen, last = seen + 1, time.time()
                first = first or last
    return in_background(run)


def chatter(number, pause=0.002):
    """Talks over an open connection without end; the longest time that an
    echo took, and whether one never came."""
    def run(stop):
        rounds, longest = 0, 0
        while not stop.is_set():
            start = time.monotonic()
            if talk(number, "x" * 1000, 20) is None:
                return {"rounds": rounds, "longest": longest, "lost": True}
            longest = max(longest, time.monotonic() - start)
            rounds += 1
            time.sleep(pause)
        return {"rounds": rounds, "longest": longest, "lost": False}
    return in_background(run)


FUNCTIONS = {f.__name__: f for f in (
    end, flood, count, chatter,
    listen, connect, tcp, talk, open_udp, send, receive, accept_on, accept,
    udp, close, inject, inject_paced, sniff_start, sniff_end)}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"result": FUNCTIONS[request[0]](*request[1:])}
    except Exception as error:  # The test shall see it, whatever it is.
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
