"""A TCP proxy that delays what it passes on.

usage: slow.py LISTEN-PORT HOST PORT DELAY

Each piece of at most 65,536 bytes waits DELAY seconds.  Listens on 127.0.0.1.
"""
import socket
import sys
import threading
import time


def pump(source, target, delay):
    try:
        while data := source.recv(65536):
            time.sleep(delay)
            target.sendall(data)
    except OSError:
        pass
    for sock in (source, target):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main(port, host, host_port, delay):
    with socket.create_server(("127.0.0.1", int(port))) as server:
        while True:
            near = server.accept()[0]
            far = socket.create_connection((host, int(host_port)))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pump, args=(*pair, float(delay)),
                                 daemon=True).start()


main(*sys.argv[1:])
