"""A TCP proxy between the registry and PostgreSQL that can go silent."""

import contextlib
import socket
import threading

CHUNK = 64 * 1024


class Proxy:
    """Passes bytes on, or drops them like a network whose cable was pulled.

    Connections that were open when the silence began stay mute forever: without data, end or reset. Connections that
    are opened during the silence wait until it ends.
    """

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self._open = threading.Event()
        self._open.set()
        self._lock = threading.Lock()
        self._links: set[Link] = set()
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self) -> None:
        """Drops all bytes from now on."""
        self._open.clear()
        with self._lock:
            for link in self._links:
                link.mute()

    def resume(self) -> None:
        """Passes new connections. Closes the old ones towards PostgreSQL, but not towards the registry."""
        self._open.set()
        with self._lock:
            for link in self._links:
                link.close_server_if_mute()

    def cut(self) -> None:
        """Closes all connections on both sides. New connections pass."""
        with self._lock:
            links, self._links = self._links, set()
        for link in links:
            link.close()

    def close(self) -> None:
        self._closed = True
        self._open.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.wait()
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target, timeout=5)
        except OSError:
            # PostgreSQL is down: the registry sees a closed connection, much as without a proxy.
            client.close()
            return
        server.settimeout(None)
        link = Link(client, server)
        with self._lock:
            self._links.add(link)
            if not self._open.is_set():
                link.mute()
        link.start(self._forget)

    def _forget(self, link: "Link") -> None:
        with self._lock:
            self._links.discard(link)


class Link:
    """A proxied connection: two sockets, and a thread for each direction."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._client, self._server = client, server
        self._mute = threading.Event()
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self, forget) -> None:
        for source, sink in ((self._client, self._server), (self._server, self._client)):
            threading.Thread(target=self._pump, args=(source, sink, forget), daemon=True).start()

    def mute(self) -> None:
        self._mute.set()

    def close_server_if_mute(self) -> None:
        if self._mute.is_set():
            end(self._server)

    def close(self) -> None:
        end(self._client)
        end(self._server)

    def _pump(self, source: socket.socket, sink: socket.socket, forget) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                if not self._mute.is_set():
                    sink.sendall(data)
        # A mute connection passes no end on. Only when the registry closes it are both sides closed.
        if not self._mute.is_set() or source is self._client:
            self.close()
            forget(self)


def end(side: socket.socket) -> None:
    """Closes a socket that another thread may be reading."""
    with contextlib.suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()
