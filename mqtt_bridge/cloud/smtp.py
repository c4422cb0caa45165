"""The one module that speaks SMTP: a mail goes out, or what is certain about it is said.

Before the server has asked for the text (354, RFC 5321) nothing can have been sent; afterwards only its own answer tells. So a
connection that ends in between leaves a mail ambiguous, and nobody sends it again.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid, parseaddr
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from mqtt_bridge.cloud.mailing import Outcome

ANSWER_S = 20.0
PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
_TAKEN, _START, _NEVER = 250, 354, 500
# A line that begins with a dot gets another one (RFC 5321, section 4.5.2).
_FIRST_DOT = re.compile(rb"(?m)^\.")


@dataclass(frozen=True)
class Server:
    """Where mail is handed in. ``scheme``: ``smtp`` wants STARTTLS, ``smtps`` speaks TLS at once, ``smtp+plain`` speaks none."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""

    @classmethod
    def from_url(cls, url: str, password: str = "") -> Server:
        """Return the server of ``scheme://[user@]host[:port]``; raises ``ValueError`` saying what to write instead."""
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname or parts.password or parts.path not in {"", "/"}:
            msg = "write smtp://user@host:587 (STARTTLS), smtps://user@host:465 or smtp+plain://host:25"
            raise ValueError(msg)
        return cls(
            parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme], unquote(parts.username or ""), password
        )


class Delivery(NamedTuple):
    """What became of a mail."""

    outcome: Outcome
    reason: str = ""


def message(sender: str, to: str, subject: str, text: str) -> EmailMessage:
    """Return a plain-text mail; header injection raises ``ValueError`` (the library refuses line breaks)."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain=sender.rpartition("@")[2].rstrip("> "))
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's out-of-office answers this
    mail.set_content(text, cte="quoted-printable")
    return mail


def send(server: Server, mail: EmailMessage, timeout_s: float = ANSWER_S) -> Delivery:
    """Hand a mail in; never raises for what a network or a server may do."""
    started = False
    smtp: smtplib.SMTP | None = None
    try:
        domain = parseaddr(str(mail["From"]))[1].rpartition("@")[2]
        smtp = _connected(server, domain, timeout_s)
        for verb, field in (("MAIL FROM", mail["From"]), ("RCPT TO", mail["To"])):
            code, _answer = smtp.docmd(f"{verb}:<{parseaddr(str(field))[1]}>")
            if code not in {250, 251}:
                return _refused(code)
        code, _answer = smtp.docmd("DATA")
        if code != _START:
            return _refused(code)
        started = True
        smtp.send(_FIRST_DOT.sub(b"..", mail.as_bytes()).rstrip(b"\r\n") + b"\r\n.\r\n")
        code, _answer = smtp.getreply()
    except (OSError, smtplib.SMTPException) as error:
        if started:
            return Delivery("ambiguous", f"the connection ended before the server answered ({type(error).__name__})")
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return Delivery("again", "the server does not take user and password")
        return Delivery("again", f"the server cannot be reached ({type(error).__name__})")
    finally:
        if smtp is not None:
            smtp.close()
    return Delivery("sent") if code == _TAKEN else _refused(code)


def _connected(server: Server, domain: str, timeout_s: float) -> smtplib.SMTP:
    """Connect and greet as ``domain``: the library would ask the network for this machine's own name, each time."""
    if server.scheme == "smtps":
        context = ssl.create_default_context()
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, domain, timeout=timeout_s, context=context)
    else:
        smtp = smtplib.SMTP(server.host, server.port, domain, timeout=timeout_s)
    try:
        smtp.ehlo()
        if server.scheme == "smtp":
            smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo()
        if server.user:
            smtp.login(server.user, server.password)
    except BaseException:
        smtp.close()
        raise
    return smtp


def _refused(code: int) -> Delivery:
    """4xx: not now; 5xx: never (RFC 5321, section 4.2.1). Answers repeat addresses, so only the number is kept."""
    return Delivery("failed" if code >= _NEVER else "again", f"the server answered {code}")
