"""A mail server on loopback that keeps what it is given: the demo's mailbox, and the peer that tests speak SMTP with.

It speaks as much of RFC 5321 as handing in takes, and can be told to fail at a chosen place.
"""

from __future__ import annotations

import enum
import socketserver
import threading
from collections import deque
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from typing import Self, cast

KEPT = 50
LONGEST_LINE = 1000
LONGEST_MAIL = 1_000_000
PATIENCE_S = 60.0


class Fault(enum.Enum):
    """What can be wrong with it."""

    REFUSE = "refuse"
    """It knows no such mailbox (550)."""
    BUSY = "busy"
    """It takes nothing now (451)."""
    HANG_UP = "hang up"
    """It ends the connection before it asks for the text."""
    TAKE_AND_HANG_UP = "take and hang up"
    """It takes the mail and ends the connection without an answer."""
    SILENT = "silent"
    """It takes the mail and says nothing."""


@dataclass(frozen=True, slots=True)
class Received:
    """A mail as its reader sees it."""

    to: str
    subject: str
    text: str


class Mailbox:
    """The server; ``with`` starts and stops it. ``mails`` are the latest, oldest first."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.fault: Fault | None = None
        self.mails: deque[Received] = deque(maxlen=KEPT)
        self.attempts = 0
        self._server = _Server((host, port), _Conversation)
        self._server.mailbox = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    @property
    def url(self) -> str:
        """Its address, as ``verifier.smtp`` wants it."""
        host, port = self._server.server_address[:2]
        return f"smtp+plain://{host if isinstance(host, str) else host.decode()}:{port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def keep(self, to: str, raw: bytes) -> None:
        """Put a mail into the box."""
        mail = message_from_bytes(raw, policy=default)
        body = mail.get_body(("plain",))
        self.mails.append(Received(to, str(mail["Subject"] or ""), body.get_content() if body is not None else ""))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    mailbox: Mailbox


class _Conversation(socketserver.StreamRequestHandler):
    timeout = PATIENCE_S

    def handle(self) -> None:
        """Answer until the client is done or hangs up."""
        box = cast(_Server, self.server).mailbox
        to = ""
        self._say("220 mailbox")
        while (line := self.rfile.readline(LONGEST_LINE)) and box.fault is not Fault.HANG_UP:
            verb = line.strip().upper()
            if verb.startswith((b"EHLO", b"HELO", b"MAIL", b"RSET", b"NOOP")):
                self._say("250 fine")
            elif verb.startswith(b"RCPT"):
                box.attempts += 1
                to = line.partition(b"<")[2].partition(b">")[0].decode("utf-8", "replace")
                self._say("550 no such mailbox" if box.fault is Fault.REFUSE else "250 fine")
            elif verb == b"DATA":
                if not self._take(box, to):
                    return
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("502 not here")

    def _take(self, box: Mailbox, to: str) -> bool:
        """Take the text; return whether the conversation goes on."""
        if box.fault is Fault.BUSY:
            self._say("451 later")
            return True
        self._say("354 go on")
        lines: list[bytes] = []
        size = 0
        while (line := self.rfile.readline(LONGEST_LINE)) and line != b".\r\n" and size < LONGEST_MAIL:
            lines.append(line[1:] if line.startswith(b"..") else line)
            size += len(line)
        box.keep(to, b"".join(lines))
        if box.fault is Fault.SILENT:
            self.rfile.readline(LONGEST_LINE)
            return False
        if box.fault is Fault.TAKE_AND_HANG_UP:
            return False
        self._say("250 taken")
        return True

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
