"""Row 12: the network."""

from __future__ import annotations

from .reading import look

_NETWORK = (
    look(
        "internet",
        "has a way to the internet",
        """
        import socket
        for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
            try:
                with socket.socket(family, socket.SOCK_DGRAM) as probe:
                    probe.connect((address, 9))  # sends nothing, but needs a route
                    print("LOOT: a route to", address)
            except OSError:
                pass
        cards = [name for _, name in socket.if_nameindex() if name != "lo"]
        if cards:
            print("LOOT: network cards", *cards)
    """,
        row=12,
    ),
    look(
        "localhost",
        "talks to a service on this machine: a database, JupyterHub, a notebook server",
        """
        import socket
        for address in ("127.0.0.1", "localhost", "0.0.0.0"):
            try:
                socket.create_connection((address, @PORT@), timeout=2)
                print("LOOT: a connection to", address)
            except OSError:
                pass
    """,
        row=12,
    ),
    look(
        "unix-socket",
        "talks to a service on this machine through a socket in a folder",
        """
        import socket
        for address in ("@SOCKET@", "/run/docker.sock", "/run/dbus/system_bus_socket"):
            try:
                with socket.socket(socket.AF_UNIX) as service:
                    service.connect(address)
                    print("LOOT: a connection to", address)
            except OSError:
                pass
    """,
        row=12,
    ),
)

ATTACKS = _NETWORK
