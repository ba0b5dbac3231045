"""A wire between the registry and PostgreSQL that can go silent."""

import contextlib
import socket
import threading

CHUNK = 64 * 1024


class Proxy:
    """Passes bytes, or swallows them without a word, as a network does whose cable was pulled.

    What was connected when the silence began stays mute for ever (its peer has vanished: no end, no reset); whoever
    connects during the silence is let wait until it ends.
    """

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self._open = threading.Event()
        self._open.set()
        self._lock = threading.Lock()
        self._wires: set[Wire] = set()
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self) -> None:
        """From now on nothing passes."""
        self._open.clear()
        with self._lock:
            for wire in self._wires:
                wire.mute()

    def speak(self) -> None:
        """New connections pass again. PostgreSQL finds out that the old ones are dead; the registry is told nothing."""
        self._open.set()
        with self._lock:
            for wire in self._wires:
                wire.end_of_server_if_mute()

    def cut(self) -> None:
        """Ends all connections at once, on both sides; new ones pass."""
        with self._lock:
            wires, self._wires = self._wires, set()
        for wire in wires:
            wire.close()

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
            # PostgreSQL is down: the registry sees what it would see without a proxy.
            client.close()
            return
        server.settimeout(None)
        wire = Wire(client, server)
        with self._lock:
            self._wires.add(wire)
            if not self._open.is_set():
                wire.mute()
        wire.start(self._forget)

    def _forget(self, wire: "Wire") -> None:
        with self._lock:
            self._wires.discard(wire)


class Wire:
    """One connection: two sockets and a thread for each direction."""

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

    def end_of_server_if_mute(self) -> None:
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
        # Neither side hears of the other's end through a wire that is mute; the registry's own end closes both.
        if not self._mute.is_set() or source is self._client:
            self.close()
            forget(self)


def end(side: socket.socket) -> None:
    """Closes a socket that another thread may be reading."""
    with contextlib.suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()
