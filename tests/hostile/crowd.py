"""Many connections at once, in one thread: what each sends, how much of the answer it takes, until when it stays."""
import errno
import selectors
import socket
import time


class Peer:
    """Sends what `chunks` yields (None: wait a tick), takes answers or leaves them."""

    def __init__(self, chunks, takes, small_window):
        self.chunks, self.takes, self.small_window = chunks, takes, small_window
        self.socket, self.pending, self.ended, self.half_closed, self.next_at = None, b"", False, False, 0.0


class Crowd:
    def __init__(self, bootstrap, row):
        host, port = bootstrap.rsplit(":", 1)
        self.address, self.row = (host, int(port)), row
        self.selector = selectors.DefaultSelector()
        self.peers, self.closed_by_broker = [], 0

    def join(self, count, chunks, takes=True, small_window=False, per_second=None):
        """`chunks()` gives a fresh iterator for each of `count` peers."""
        started = time.monotonic()
        for n in range(count):
            peer = Peer(chunks(), takes, small_window)
            peer.socket = socket.socket()
            if small_window:
                peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            # Many source addresses: one has 28,000 ports, and those of closed connections rest for a while.
            peer.socket.bind((f"127.0.1.{1 + n % 200}", 0))
            peer.socket.settimeout(10)
            peer.socket.connect(self.address)
            peer.socket.setblocking(False)
            self.peers.append(peer)
            self.row.connections += 1
            self.selector.register(peer.socket, selectors.EVENT_READ | selectors.EVENT_WRITE if takes else selectors.EVENT_WRITE, peer)
            if n % 64 == 63:
                self.turn(0)
            if per_second:
                time.sleep(max(0.0, started + n / per_second - time.monotonic()))

    def end(self, peer):
        if not peer.ended:
            peer.ended = True
            self.closed_by_broker += 1
            self.selector.unregister(peer.socket)
            peer.socket.close()

    def push(self, peer, now):
        if not peer.pending:
            if now < peer.next_at:
                return
            try:
                peer.pending = next(peer.chunks)
            except StopIteration:
                self.watch(peer, False)
                return
            if peer.pending is None:  # waits
                peer.pending = b""
                peer.next_at = now + 1
                self.watch(peer, False)
                return
            if peer.pending == "half-close":
                peer.pending = b""
                peer.socket.shutdown(socket.SHUT_WR)
                peer.half_closed = True
                self.watch(peer, False)
                return
            self.row.tries += 1
        try:
            sent = peer.socket.send(peer.pending)
            self.row.sent += sent
            peer.pending = peer.pending[sent:]
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET):
                raise
            self.end(peer)

    def watch(self, peer, writes):
        events = (selectors.EVENT_READ if peer.takes else 0) | (selectors.EVENT_WRITE if writes else 0)
        if events:
            self.selector.modify(peer.socket, events, peer)
        elif peer.socket in self.selector.get_map():
            self.selector.unregister(peer.socket)
            peer.ended = "parked"

    def turn(self, wait):
        now = time.monotonic()
        for key, events in self.selector.select(wait):
            peer = key.data
            if events & selectors.EVENT_READ:
                try:
                    got = peer.socket.recv(1 << 18)
                except BlockingIOError:
                    got = None
                except OSError:
                    got = b""
                if got == b"":
                    self.end(peer)
                    continue
                self.row.taken += len(got or b"")
            if events & selectors.EVENT_WRITE:
                self.push(peer, now)

    def run(self, seconds):
        """Lets all go on; those that wait go on each second."""
        deadline = time.monotonic() + seconds
        woken = time.monotonic()
        while time.monotonic() < deadline:
            self.turn(0.02)
            if time.monotonic() - woken >= 1:
                woken = time.monotonic()
                for peer in self.peers:
                    if peer.ended == "parked":
                        peer.ended = False
                        self.selector.register(peer.socket, selectors.EVENT_WRITE | (selectors.EVENT_READ if peer.takes else 0), peer)
                    elif not peer.ended and peer.next_at and not peer.half_closed:
                        self.watch(peer, True)

    def all_ended(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(not p.ended for p in self.peers):
            self.turn(0.02)
        return sum(not p.ended for p in self.peers)

    def go(self):
        for peer in self.peers:
            if peer.ended is not True:
                peer.socket.close()
        self.selector.close()
