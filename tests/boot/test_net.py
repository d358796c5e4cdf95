# SPDX-License-Identifier: MIT
"""Claim: Novice's network works over a real card: addresses by DHCP, ping, files fetched and served, connections both ways, each
to the byte. QEMU's user network is the wire; this machine is the other end. A failure here and not in usertests' socket
cases points at the card's driver or at kernel/net/ip.c."""
import hashlib
import http.client
import http.server
import os
import re
import socket
import threading

import pytest
from machine import BUILD, Failure, Machine

SIZE = 12_000_000


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """This machine's HTTP server, and the digest of its file `big`."""
    folder = tmp_path_factory.mktemp("web")
    data = os.urandom(SIZE)
    (folder / "big").write_bytes(data)
    handler = lambda *a: http.server.SimpleHTTPRequestHandler(*a, directory=str(folder))        # noqa: E731
    http.server.SimpleHTTPRequestHandler.log_message = lambda *a: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], data
    server.shutdown()


@pytest.fixture(scope="module")
def ports():
    return {80: free_port(), 7: free_port(), 5201: free_port()}


@pytest.fixture(scope="module")
def machine(ports):
    forwards = ",".join(f"hostfwd=tcp:127.0.0.1:{here}-:{there}" for there, here in ports.items())
    cfg = """set timeout=0
menuentry native {
  multiboot2 /boot/novice.elf console=com1 hostname=dom0 httpd debugexit
  module2 /boot/guest.cpio
}
"""
    with Machine("net-native", cfg=cfg, files={"novice.elf": os.path.join(BUILD, "novice.elf")}, memory=160, cpus=1,
                 extra=["-netdev", "user,id=net0," + forwards, "-device", "e1000e,netdev=net0"]) as m:
        m.prompt()
        for _ in range(20):
            if "leased" in m.run("ifconfig eth0"):
                break
            m.run("sleep 1")
        yield m


def listen(machine, server):
    """Starts a server and waits until it hears: QEMU takes a connection before the machine does."""
    machine.line(server + " &")
    machine.expect("listening on port")
    machine.sync()


def get(port, path, method="GET", headers=None):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    c.request(method, path, headers=headers or {})
    r = c.getresponse()
    return r.status, r.read(), dict(r.getheaders())


def test_dhcp_gave_everything(machine):
    assert "inet 10.0.2.15/24  gateway 10.0.2.2" in machine.run("ifconfig eth0")
    assert re.search(r"default +10\.0\.2\.2 +eth0", machine.run("route"))
    machine.run("while ! grep -q nameserver /etc/resolv.conf; do sleep 0.1; done", timeout=20)
    assert "nameserver 10.0.2.3" in machine.run("cat /etc/resolv.conf")


def test_ping(machine):
    status, out = machine.status("ping -c 2 -W 10 10.0.2.2")
    assert status == 0 and "2 sent, 2 received, 0% lost" in out
    assert machine.status("ping -c 1 -W 1 10.0.2.77")[0] == 1


def test_wget_brings_every_byte(machine, web):
    port, data = web
    assert machine.status(f"wget -q -O /tmp/big http://10.0.2.2:{port}/big")[0] == 0
    assert f"{SIZE} " in machine.run("ls -l /tmp/big")
    # and back, by httpd, to be compared here
    machine.run("mkdir -p /srv/http/sub; mv /tmp/big /srv/http/; echo small >/srv/http/sub/file.txt")
    assert machine.status(f"wget -O - http://10.0.2.2:{port}/nothing")[0] == 1


def test_httpd_serves(machine, web, ports):
    p = ports[80]
    status, page, _ = get(p, "/")
    assert status == 200 and b"This is dom0" in page and b'<a href="sub/">' in page
    status, body, head = get(p, "/big")
    assert status == 200 and hashlib.sha256(body).digest() == hashlib.sha256(web[1]).digest()
    assert get(p, "/big", headers={"Range": "bytes=1000-1999"})[:2] == (206, web[1][1000:2000])
    assert get(p, "/big", headers={"Range": "bytes=-10"})[1] == web[1][-10:]
    assert get(p, "/sub/file.txt")[:2] == (200, b"small\n")
    assert get(p, "/sub/file.txt", "HEAD")[1] == b""
    assert get(p, "/sub")[0] == 301 and get(p, "/none")[0] == 404 and get(p, "/x" * 700)[0] == 414
    assert get(p, "/sub/file.txt", "DELETE")[0] == 405
    for path in ("/../etc/hosts", "/sub/../../../etc/hosts", "/%2e%2e/etc/hosts", "/sub/%2e%2e%2f%2e%2e%2fetc/hosts"):
        status, body, _ = get(p, path)
        assert status == 403 and b"localhost" not in body, path


def test_httpd_survives_the_impolite(machine, ports):
    """Bad requests, ends in the middle, and many at once; afterwards it serves as before."""
    for text in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET /%zz HTTP/1.1\r\n\r\n", b"\0" * 100 + b"\r\n\r\n", b"x" * 9000, b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", ports[80]), 20) as s:
            s.sendall(text)
            s.shutdown(socket.SHUT_WR)
            try:
                while s.recv(4096):
                    pass
            except ConnectionError:
                pass
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", ports[80]), 20) as s:
            s.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
            s.recv(1000)
    results = []
    threads = [threading.Thread(target=lambda: results.append(get(ports[80], "/sub/file.txt")[:2])) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [(200, b"small\n")] * 20


def test_nc_both_ways(machine, ports):
    listen(machine, "nc -l -k -v -e cat 7")
    data = os.urandom(300_000)
    got = bytearray()
    with socket.create_connection(("127.0.0.1", ports[7]), 30) as s:
        sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
        sender.start()
        while piece := s.recv(65536):
            got += piece
        sender.join()
    assert bytes(got) == data
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    machine.line(f"echo question | nc 10.0.2.2 {port}")
    conn, _ = server.accept()
    with conn:
        assert conn.makefile("rb").readline() == b"question\n"
        conn.sendall(b"the answer\n")
    machine.expect("the answer")
    machine.prompt()
    server.close()
    status, out = machine.status(f"nc 10.0.2.2 {port} </dev/null")
    assert status == 1 and "refused" in out


def test_throughput_is_sane(machine, ports):
    """Not a measurement (make bench is): that streams flow both ways and are not stuck in timeouts."""
    listen(machine, "nettest -s")
    for word, n in (("out", 8 << 20), ("in", 8 << 20)):
        with socket.create_connection(("127.0.0.1", ports[5201]), 30) as s:
            s.sendall(f"{word} {n}\n".encode())
            if word == "out":
                s.sendall(bytes(n))
                assert s.makefile("rb").readline() == b"ok\n"
                continue
            while n > 0:
                piece = s.recv(1 << 16)
                assert piece
                n -= len(piece)
    with socket.create_connection(("127.0.0.1", ports[5201]), 30) as s:
        s.sendall(b"echo 100\n")
        for _ in range(100):
            s.sendall(bytes(64))
            left = 64
            while left:
                left -= len(s.recv(left))


def test_static_address_and_bad_words(machine):
    for words in ("10.0.2.256/24", "10.0.2.15/33", "10.0.2.15/24,x", "fast"):
        status, out = machine.status(f"ifconfig eth0 {words}")
        assert status != 0 and "ADDRESS/LENGTH" in out, words
    assert "there is no such interface" in machine.run("ifconfig eth7 10.0.0.1/8")
    assert "not an address" in machine.run("ifconfig eth0 10.0.2.255/24")
    assert machine.status("ifconfig eth0 10.0.2.20/24,10.0.2.2,10.0.2.3")[0] == 0
    assert machine.status("ping -c 1 -W 10 10.0.2.2")[0] == 0
    assert machine.status("ifconfig eth0 down; ping -c 1 -W 1 10.0.2.2")[0] == 1
    assert machine.status("ifconfig eth0 10.0.2.15/24,10.0.2.2; ping -c 1 -W 10 10.0.2.2")[0] == 0
    if "panic" in machine.tail(400):
        raise Failure(machine.tail(100))
