"""The client against a host that answers as no host should, over real sockets."""

import datetime as dt
import gzip
import ipaddress
import socket
import ssl
import threading
import time
import tracemalloc
from contextlib import contextmanager, suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.mail import address
from worker.migadu import (
    AccountRefused,
    EchoMismatch,
    FailureClass,
    Full,
    Invitation,
    MigaduClient,
    MigaduError,
    NotFound,
    Password,
    Refused,
    ThreadClients,
    Throttled,
    Transient,
    Unknown,
    alias_at,
    aliases_of,
    create,
    delete,
    exchange,
    mailbox_at,
    update,
)
from worker.wire import open_client

ADA = address("ada@example.org")
ALIAS = b'{"address":"ada@example.org","destinations":["al@example.org"]}'
KEY = "the-k3y"
RENEWAL = update(alias_at(ADA), {"destinations": (address("al@example.org"),)})
REFUSED = "create-mailbox (POST /domains/example.org/mailboxes) was answered 400: the mail host refused the request."


class RawHost:
    """A host that reads whole requests and answers each with the bytes, or by the function, that it was given."""

    def __init__(self, answer, tls=None):
        self.answer = answer
        self.requests = []
        self.connections = 0
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self):
        """Where the API begins."""
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}/v1/"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                self.connections += 1
                with suppress(OSError), self._secured(accepted) as talk, talk.makefile("rb") as stream:
                    self._talk(talk, stream)

    def _secured(self, accepted):
        try:
            return self._tls.wrap_socket(accepted, server_side=True) if self._tls else accepted
        except OSError:
            accepted.close()
            raise

    def _talk(self, talk, stream):
        while head := _head(stream):
            length = sum(int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length:"))
            self.requests.append((head[0].decode().strip(), stream.read(length)))
            if callable(self.answer):
                self.answer(talk)
                return
            talk.sendall(self.answer)
            if b"Content-Length" not in self.answer:
                return


def _head(stream):
    """Return the lines of a request up to the empty one; nothing once the client has gone."""
    lines = []
    while (line := stream.readline()) not in (b"\r\n", b""):
        lines.append(line)
    return lines


def http(status, body=b"", *headers, content_type="application/json"):
    """Return a whole HTTP answer."""
    lines = [f"HTTP/1.1 {status} Some Phrase", f"Content-Length: {len(body)}", *headers]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def talking_to(answer, *, deadline_s=10.0, hooks=None):
    """Return a client and the raw host it speaks to."""
    with RawHost(answer) as host, ThreadClients(deadline_s=deadline_s) as clients:
        yield MigaduClient(host.url, "admin@example.org", KEY, http=clients.client(), hooks=hooks), host


def raised_by(call, *arguments):
    """Return the error of a call that must fail with one of the room's own."""
    with pytest.raises(MigaduError) as caught:
        call(*arguments)
    return caught.value


def outcomes_of(answer, *, deadline_s=10.0):
    """Return what a read, a write and a delete come to when each is answered so."""
    with talking_to(answer, deadline_s=deadline_s) as (migadu, _):
        return [
            raised_by(migadu.show, alias_at(ADA)),
            raised_by(migadu.send, RENEWAL),
            raised_by(migadu.send, delete(alias_at(ADA))),
        ]


def hang_up(talk):
    """Close the connection after the request was read."""
    talk.shutdown(socket.SHUT_RDWR)


def cut_off(talk):
    """Send less than the head promised, and close the connection."""
    talk.sendall(http(200, ALIAS)[:-5])


def drip(talk):
    """Send the answer's head byte by byte, for longer than anyone should wait."""
    _drip(talk, http(200, ALIAS) + b" " * 1000)


def drip_body(talk):
    """Send the head at once and the body byte by byte."""
    whole = http(200, ALIAS * 20)
    head = whole.index(b"\r\n\r\n") + 4
    talk.sendall(whole[:head])
    _drip(talk, whole[head:])


def _drip(talk, answer):
    for at in range(len(answer)):
        talk.sendall(answer[at : at + 1])
        threading.Event().wait(0.02)


@pytest.mark.parametrize(
    "answer",
    [
        http(200, ALIAS[:-9]),
        http(200, b"<html>hello</html>", content_type="text/html"),
        http(200, ALIAS, content_type="text/html"),
        http(200, b'["ada@example.org"]'),
        http(200, b'{"address":"ada@example.org","destinations":7}')[:-1] + b"x",
        http(200, b" " * (exchange.LARGEST_ANSWER + 1)),
        http(200, b"not gzip", "Content-Encoding: gzip"),
        http(302, b"", "Location: /v1/elsewhere"),
        http(307, b"", "Location: /v1/domains/example.org/aliases/ada"),
        http(302, b"", "Location: http://[::1"),
        http(500, b'"Internal"'),
        http(502, b"<html>", content_type="text/html"),
        http(504, content_type=None),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 999999999 Hm\r\n\r\n",
        hang_up,
        cut_off,
    ],
    ids=lambda answer: getattr(answer, "__name__", None) or answer[:12].decode(),
)
def test_an_answer_that_proves_nothing_leaves_a_write_unknown(answer):
    """Truncated, wrong, huge, redirecting or missing: a read may be repeated, a write has to be read back."""
    read, write, delete = outcomes_of(answer)

    assert (type(read), type(write), type(delete)) == (Transient, Unknown, Unknown)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (http(400, b'{"error":"bad request"}'), Refused),
        (http(401, b'{"error":"The token is invalid or expired."}'), AccountRefused),
        (http(403, b"<html>Request forbidden by administrative rules.</html>", content_type="text/html"), Throttled),
        (http(403, b'{"error":"mailbox limit reached for unverified accounts"}'), Full),
        (http(404), NotFound),
        (http(429, b"", "Retry-After: 7"), Transient),
        (http(503, b"x" * (exchange.LARGEST_ANSWER + 1)), Transient),
    ],
    ids=lambda value: value[9:12].decode() if isinstance(value, bytes) else value.__name__,
)
def test_a_clear_no_is_the_same_for_reads_and_writes(answer, kind):
    """Answers by which nothing was done have one class each, whatever was asked."""
    assert {type(error) for error in outcomes_of(answer)} == {kind}


def test_retry_after_reaches_the_caller():
    """The pause the host asks for, also as a date by the host's own clock, is on the error."""
    date = http(503, b"", "Date: Fri, 20 Nov 2026 09:00:00 GMT", "Retry-After: Fri, 20 Nov 2026 09:01:30 GMT")

    assert [error.retry_after_s for error in outcomes_of(http(429, b"", "Retry-After: 7"))] == [7.0] * 3
    assert [error.retry_after_s for error in outcomes_of(date)] == [90.0] * 3


def test_a_redirect_is_never_followed():
    """A redirect to itself costs one request and no more."""
    with talking_to(http(301, b"", "Location: /v1/domains/example.org/aliases/ada")) as (migadu, host):
        raised_by(migadu.send, delete(alias_at(ADA)))

        assert len(host.requests) == 1


@pytest.mark.parametrize("answer", [drip, drip_body])
def test_a_host_that_drips_is_given_up_at_the_deadline(answer):
    """However steadily the bytes trickle, a call ends at its deadline, and a write is unknown."""
    with talking_to(answer, deadline_s=0.3) as (migadu, _):
        began = time.monotonic()
        error = raised_by(migadu.send, delete(alias_at(ADA)))

        assert time.monotonic() - began < 10  # of the twenty seconds that the answer takes
        assert isinstance(error, Unknown)


def test_nothing_was_sent_where_nobody_listens():
    """A refused connection is transient for a write too."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with MigaduClient(url, "admin@example.org", KEY) as migadu:
        error = raised_by(migadu.send, delete(alias_at(ADA)))

    assert isinstance(error, Transient)
    assert (error.status, error.reason) == (None, "got no whole answer (ConnectError)")


def test_what_was_sent_is_what_was_asked():
    """A local part is percent-encoded, a write is partial and JSON, and one connection serves several calls."""
    odd = address("a+b@example.org")
    answer = http(200, b'{"address":"a+b@example.org","destinations":["ada@example.org"]}')
    with talking_to(answer) as (migadu, host):
        migadu.send(update(alias_at(odd), {"destinations": (ADA,)}))
        migadu.show(alias_at(odd))

        assert host.requests == [
            ("PUT /v1/domains/example.org/aliases/a%2Bb HTTP/1.1", b'{"destinations":["ada@example.org"]}'),
            ("GET /v1/domains/example.org/aliases/a%2Bb HTTP/1.1", b""),
        ]
        assert host.connections == 1


def test_an_address_of_dots_has_no_place():
    """No address can be made to name what lies above it in the path."""
    for make in (alias_at, mailbox_at):
        with pytest.raises(ValueError, match="without a name of its own"):
            make("..@example.org")


def test_another_object_than_the_one_asked_for_is_not_taken():
    """An answer about someone else proves nothing."""
    other = http(200, ALIAS.replace(b"ada@", b"eve@"))
    with talking_to(other) as (migadu, _):
        read = raised_by(migadu.show, alias_at(ADA))
        write = raised_by(migadu.send, RENEWAL)

    assert (type(read), type(write)) == (Transient, Unknown)


def test_a_door_that_stays_open_is_a_refusal():
    """A block whose echo shows an open door, or none, raises and names the flag; hooks hear it as refused."""
    heard = []

    class Listening:
        def before(self, attempt):
            """Do nothing."""

        def after(self, attempt, outcome):
            """Keep the class of failure."""
            heard.append(outcome.failure)

    body = b'{"address":"ada@example.org","name":"Ada","identities":[],"may_send":true,"may_access_imap":false}'
    doors = {"may_send": False, "may_access_imap": False, "may_access_pop3": False}
    with talking_to(http(200, body), hooks=Listening()) as (migadu, _):
        error = raised_by(migadu.send, update(mailbox_at(ADA), doors))

    assert isinstance(error, EchoMismatch)
    assert error.differing == ("may_access_pop3", "may_send")
    assert heard == [FailureClass.REFUSED]
    assert "Ada" not in error.excerpt


def test_other_fields_that_are_ignored_are_reported():
    """An autoresponder that the host leaves out of its echo is named and fails nothing."""
    body = b'{"address":"ada@example.org","name":"Ada","identities":[],"spam_action":"drop"}'
    with talking_to(http(200, body)) as (migadu, _):
        written = migadu.send(update(mailbox_at(ADA), {"autorespond_active": True, "spam_action": "drop"}))

    assert written.ignored == ("autorespond_active",)


def test_an_error_shows_no_secret_and_nobody():
    """Passwords, keys and personal addresses that the host quotes back are in neither the text nor the excerpt."""
    quoted = b'{"error":"Sup3r_s3cr3T is bad, ada@home.example, the-k3y","password":"Sup3r_s3cr3T"}'
    with talking_to(http(400, quoted)) as (migadu, _):
        with pytest.raises(Refused) as by_password:
            migadu.send(create(mailbox_at(ADA), {"name": "Ada"}, Password("Sup3r_s3cr3T")))
        with pytest.raises(Refused) as by_invitation:
            migadu.send(create(mailbox_at(ADA), {"name": "Ada"}, Invitation("ada@home.example")))

    for error in (by_password.value, by_invitation.value):
        assert "home.example" not in repr(error) + error.excerpt
        assert KEY not in error.excerpt
        assert str(error) == REFUSED
    assert "Sup3r" not in by_password.value.excerpt


def test_an_index_may_be_long():
    """An index holds a whole domain and may be longer than the answer about one object."""
    many = b",".join([ALIAS] * (exchange.LARGEST_ANSWER // len(ALIAS) + 1))
    with talking_to(http(200, b'{"address_aliases":[' + many + b"]}")) as (migadu, _):
        found = migadu.index(aliases_of("example.org"))

    assert len(found) > 15_000


@pytest.mark.parametrize(
    ("ask", "most"),
    [
        (lambda migadu: migadu.show(alias_at(ADA)), 8_000_000),
        (lambda migadu: migadu.index(aliases_of("example.org")), 2 * exchange.LARGEST_INDEX),
    ],
    ids=["show", "index"],
)
def test_a_body_without_end_takes_no_memory(ask, most):
    """Of 100 MB a call reads what it may and hangs up; of that it keeps the beginning."""
    megabyte, sent = b" " * 1_000_000, []

    def flood(talk):
        talk.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(100):
            talk.sendall(megabyte)
            sent.append(len(megabyte))

    tracemalloc.start()
    try:
        with talking_to(flood) as (migadu, _):
            error = raised_by(ask, migadu)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert isinstance(error, Transient)
    assert error.answered_bytes <= exchange.LARGEST_INDEX + 1_000_000
    assert sum(sent) < 100_000_000
    assert peak < most


def test_a_compressed_answer_is_not_unpacked():
    """A few hundred bytes that swell to fifty megabytes take no memory; a status says what it says all the same."""
    bomb = gzip.compress(gzip.compress(b" " * 50_000_000))
    packed = ("Content-Encoding: gzip, gzip",)
    tracemalloc.start()
    try:
        read, write, _ = outcomes_of(http(200, bomb, *packed))
        refused, _, _ = outcomes_of(http(403, bomb, *packed, content_type="text/html"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (type(read), type(write), type(refused)) == (Transient, Unknown, Throttled)
    assert read.answered_bytes == len(bomb)
    assert peak < 8_000_000


def test_a_host_of_many_addresses_is_given_up_at_the_deadline(monkeypatch):
    """The deadline is that of the call, however many addresses a name has that swallow what is sent to them."""
    listeners = [socket.socket() for _ in range(4)]
    waiting = []
    for number, each in enumerate(listeners, 2):
        each.bind((f"127.0.0.{number}", listeners[0].getsockname()[1] if number > 2 else 0))
        each.listen(0)
        for _ in range(3):  # the queue is full from then on, so that connecting is answered by nobody
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            with suppress(BlockingIOError):
                waiting[-1].connect(each.getsockname())
    port = listeners[0].getsockname()[1]
    resolve = socket.getaddrinfo

    def resolved(host, *arguments, **more):
        hosts = [each.getsockname()[0] for each in listeners] if host == "many.example" else [host]
        return [found for each in hosts for found in resolve(each, *arguments, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with ThreadClients(deadline_s=0.5) as clients:
        migadu = MigaduClient(f"http://many.example:{port}/v1", "admin@example.org", KEY, http=clients.client())
        began = time.monotonic()
        error = raised_by(migadu.send, RENEWAL)
        took_s = time.monotonic() - began
    for each in (*waiting, *listeners):
        each.close()

    assert isinstance(error, Transient)
    assert took_s < 1


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".example"])
def test_a_host_that_no_resolver_takes_is_a_failure_like_any_other(host):
    """A name that cannot even be looked up comes out as the room's own error."""
    with MigaduClient(f"http://{host}/v1", "admin@example.org", KEY) as migadu:
        assert isinstance(raised_by(migadu.send, RENEWAL), Transient)


def test_each_thread_has_its_own_client():
    """A thread keeps its client, another thread gets another, and closing closes both."""
    with ThreadClients() as clients:
        mine = clients.client()
        theirs = []
        other = threading.Thread(target=lambda: theirs.append(clients.client()))
        other.start()
        other.join()

        assert clients.client() is mine
        assert theirs[0] is not mine
    assert mine.is_closed
    assert theirs[0].is_closed


@pytest.mark.parametrize("url", ["api.example.org", "ftp://host/v1", "http://", "http://u:p@host/", "http://[::1"])
def test_the_hosts_address_must_be_a_url(url):
    """An address that is no HTTP URL is found out before the first call, and its credentials are not repeated."""
    with ThreadClients() as clients, pytest.raises(ValueError, match="the mail host's address") as caught:
        MigaduClient(url, "admin@example.org", KEY, http=clients.client())

    assert "u:p" not in str(caught.value)


@given(
    head=st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"]),
    rest=st.binary(max_size=60),
)
@settings(max_examples=60, deadline=None)
def test_no_bytes_break_the_client(head, rest):
    """Whatever a host sends back, a call ends in one of the room's own errors."""
    with talking_to(lambda talk: talk.sendall(head + rest), deadline_s=2.0) as (migadu, _):
        assert isinstance(raised_by(migadu.show, mailbox_at(ADA)), MigaduError)


def certificate(directory):
    """Write a certificate for 127.0.0.1 with its key, and return the contexts of a server and of a client."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    begin = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin.replace(year=2120))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = directory / "host.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


def test_calls_go_over_tls_within_the_deadline(tmp_path):
    """TLS is spoken with a host whose certificate is trusted; a stranger is sent nothing, so a write is transient."""
    server, trusting = certificate(tmp_path)
    with (
        RawHost(http(200, ALIAS), tls=server) as host,
        open_client(trusting) as trusted,
        ThreadClients() as clients,
    ):
        found = MigaduClient(host.url, "admin@example.org", KEY, http=trusted).show(alias_at(ADA))
        trusted.close()
        stranger = MigaduClient(host.url, "admin@example.org", KEY, http=clients.client())
        error = raised_by(stranger.send, delete(alias_at(ADA)))

    assert found.address == ADA
    assert isinstance(error, Transient)
    assert len(host.requests) == 1
