"""Starting and stopping a server on this machine that plays an archive, and answers that are none."""

import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["HTML", "VOTABLE_ERROR", "LocalArchive", "LocalHandler", "LocalServer"]

HTML = "<html><head><title>IRSA is down for maintenance</title></head><body>Back soon.</body></html>"
VOTABLE_ERROR = (
    '<?xml version="1.0"?>\n<VOTABLE version="1.4"><RESOURCE type="results">'
    '<INFO name="QUERY_STATUS" value="ERROR">ORA-24459: OCISessionGet() timed out waiting for pool</INFO>'
    "</RESOURCE></VOTABLE>\n"
)


class LocalArchive:
    """Context manager for a server on a free port; a subclass makes the server.

    Attributes
    ----------
    address : str
        Address of the server, without a slash at its end.
    closing : threading.Event
        Set when the server is to stop, for handlers that wait.
    """

    def make_server(self):
        """Give an HTTP server that listens; its handlers find this object as ``server.archive``."""
        raise NotImplementedError

    def __enter__(self):
        self.closing = threading.Event()
        self._http = self.make_server()
        self._http.archive = self
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class LocalServer(ThreadingHTTPServer):
    """Server that does not mind clients that went away."""

    def handle_error(self, request, client_address):
        pass


class LocalHandler(BaseHTTPRequestHandler):
    """One request, of which nothing is said on the terminal."""

    def reset(self):
        """End the connection without an answer, as a crashed server does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.wfile.close()
        self.connection.close()

    def log_message(self, *_):
        pass
