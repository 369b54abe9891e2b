"""GetCallerIdentity through the embedded AWS, with signature check, decision and record, beside moto's own server, without any of them.

Each client sends one signed request over and over (a signature is good for 15 minutes) through a plain socket, so that the servers work and
not the client; a server that closes the connection after each answer, as moto's does, gets a new one each time, as any client would do.
boto3's own client, which spends more than the servers do, has rows of its own. ``bench/sandbox.py --profile`` shows where our time goes.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from measuring import Report, Row, interleaved, median_ratio
from measuring import peers as peer

BIN = Path(sys.executable).parent
CALLS = 240
CLIENTS = 8
BODY = b"Action=GetCallerIdentity&Version=2011-06-15"
Keys = tuple[str, str]


def signed_request(port: int, keys: Keys) -> bytes:
    """The bytes of one GetCallerIdentity, signed by botocore."""
    headers = {"Host": f"127.0.0.1:{port}", "Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "User-Agent": "bench"}
    request = AWSRequest("POST", f"http://127.0.0.1:{port}/", headers=headers, data=BODY)
    SigV4Auth(Credentials(*keys), "sts", "us-east-1").add_auth(request)
    lines = [f"{name}: {value}" for name, value in {**dict(request.headers.items()), "Content-Length": str(len(BODY))}.items()]
    return "\r\n".join(["POST / HTTP/1.1", *lines, "", ""]).encode() + BODY


class Client:
    """One connection at a time; a new one where the server closes it."""

    def __init__(self, port: int, request: bytes) -> None:
        self.port, self.request = port, request
        self._socket: socket.socket | None = None

    def ask(self) -> bytes:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=30)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(self.request)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._more()
        head, _, body = got.partition(b"\r\n\r\n")
        lower = head.lower()
        length = int(next(line.split(b":")[1] for line in lower.split(b"\r\n") if line.startswith(b"content-length:")))
        while len(body) < length:
            body += self._more()
        if lower.startswith(b"http/1.0") or b"connection: close" in lower:
            self.close()
        if b" 200 " not in head.split(b"\r\n")[0] + b" ":
            raise RuntimeError(f"{head.decode()}\n{body.decode()}")
        return body

    def _more(self) -> bytes:
        assert self._socket is not None
        part = self._socket.recv(65536)
        if not part:
            raise RuntimeError("the server closed the connection in the middle of an answer")
        return part

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def asking(port: int, keys: Keys, clients: int) -> Callable[[], float]:
    """Seconds a call, seen from outside: ``clients`` threads share the calls."""
    request = signed_request(port, keys)
    each = CALLS // clients

    def timed() -> float:
        failures: list[BaseException] = []

        def one() -> None:
            client = Client(port, request)
            try:
                for _ in range(each):
                    client.ask()
            except BaseException as error:
                failures.append(error)
            finally:
                client.close()

        threads = [threading.Thread(target=one) for _ in range(clients)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return (time.perf_counter() - started) / (each * clients)

    return timed


def asking_with_boto3(port: int, keys: Keys) -> Callable[[], float]:
    client = boto3.client(
        "sts", region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id=keys[0], aws_secret_access_key=keys[1],
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip

    def timed() -> float:
        started = time.perf_counter()
        for _ in range(CALLS // 4):
            client.get_caller_identity()
        return (time.perf_counter() - started) / (CALLS // 4)

    return timed


# Servers -----------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def running(command: list[str], **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, env={**os.environ, **environment}) as started:
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(10)
            except subprocess.TimeoutExpired:
                started.kill()


def until(there: Callable[[], bool], process: "subprocess.Popen[bytes]", what: str) -> None:
    end = time.monotonic() + 60
    while not there():
        if process.poll() is not None or time.monotonic() > end:
            raise peer.Missing(f"{what} did not start (exit status {process.poll()})")
        time.sleep(0.1)


@contextlib.contextmanager
def ours(folder: Path, *options: str) -> Iterator[tuple[int, Keys]]:
    """The embedded AWS of one account: its port, and the keys of a user with the article's three group policies and an administrator's."""
    ready = folder / "ready.json"
    with running([str(BIN / "sekisho"), "sandbox", "--port", "0", "--accounts", "111122223333", "--ready-file", str(ready), *options]) as process:
        until(ready.exists, process, "sekisho sandbox")
        said = json.loads(ready.read_text())
        os.environ["AWS_SHARED_CREDENTIALS_FILE"], os.environ["AWS_CONFIG_FILE"] = said["credentials_file"], said["config_file"]
        session = boto3.Session(profile_name=said["profile"].replace("{account}", "111122223333"))
        iam = session.client("iam", endpoint_url=said["endpoint"])
        iam.create_user(UserName="test-user")
        for document in sorted((Path(__file__).resolve().parent / "data").glob("group-*.json")):
            iam.put_user_policy(UserName="test-user", PolicyName=document.stem, PolicyDocument=document.read_text())
        made = iam.create_access_key(UserName="test-user")["AccessKey"]
        yield int(said["endpoint"].rpartition(":")[2]), (made["AccessKeyId"], made["SecretAccessKey"])


@contextlib.contextmanager
def moto() -> Iterator[tuple[int, Keys]]:
    """moto's own server, the release that Sekisho stands on."""
    from importlib.metadata import version

    python = peer.virtual_environment("moto-server", f"moto[iam,server,sts]=={version('moto')}")
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def listens() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=1):
                return True
        except OSError:
            return False

    with running([str(python.parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)], PYTHONWARNINGS="ignore") as process:
        until(listens, process, "moto_server")
        yield port, ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


def main() -> int:
    report = Report("sandbox", "GetCallerIdentity (median of rounds; ratio: how many times as many calls a second Sekisho answers)")
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (home / "memory").mkdir()
        (home / "disk").mkdir()
        port, keys = stack.enter_context(ours(home / "memory"))
        body = Client(port, signed_request(port, keys)).ask()
        if b"<Arn>arn:aws:iam::111122223333:user/test-user</Arn>" not in body:
            report.wrong.append(f"Sekisho says {body.decode()}")
        kept_port, kept_keys = stack.enter_context(ours(home / "disk", "--state", str(home / "disk" / "state")))
        contenders = {
            "one": asking(port, keys, 1), "several": asking(port, keys, CLIENTS), "boto3": asking_with_boto3(port, keys),
            "one kept": asking(kept_port, kept_keys, 1), "several kept": asking(kept_port, kept_keys, CLIENTS),
        }  # fmt: skip
        try:
            moto_port, moto_keys = stack.enter_context(moto())
            body = Client(moto_port, signed_request(moto_port, moto_keys)).ask()
            if b"<Arn>" not in body:
                report.wrong.append(f"moto says {body.decode()}")
            contenders |= {
                "moto one": asking(moto_port, moto_keys, 1), "moto several": asking(moto_port, moto_keys, CLIENTS),
                "moto boto3": asking_with_boto3(moto_port, moto_keys),
            }  # fmt: skip
        except peer.Missing as why:
            report.notes.append(f"moto's server is left out: {why}")
        seconds = interleaved(contenders, rounds=5, warm=1)
    disk = "every record on disk first"
    named = {
        "one": ("one client", "moto one", 1.0),
        "several": (f"{CLIENTS} clients", "moto several", 1.0),
        "boto3": ("one boto3 client", "moto boto3", 1.0),
        "one kept": (f"one client, {disk}", "moto one", None),
        "several kept": (f"{CLIENTS} clients, {disk}", "moto several", None),
    }
    for name, (work, against, floor) in named.items():
        row = Row(work, 1 / median(seconds[name]), unit="/s", floor=floor)
        if against in seconds:
            row.peer_name, row.peer, row.ratio = "moto_server", 1 / median(seconds[against]), median_ratio(seconds[against], seconds[name])
        report.rows.append(row)
    report.notes.append(
        "moto_server does less: it checks no signature and no policy, and records nothing; it answers for an access key that doesn't exist. "
        "It closes the connection after each answer."
    )
    report.figures["calls_per_second"] = {name: 1 / median(values) for name, values in seconds.items()}
    return report.finish()


def profile() -> int:
    """Where the time of one call goes, in this process and without the port."""
    import cProfile
    import pstats

    from sekisho.sandbox.front import EmbeddedAws
    from sekisho.sandbox.signature import Arrived

    aws = EmbeddedAws(["111122223333"])
    key = aws.store.root_key("111122223333")
    head, _, body = signed_request(4566, (key.id, key.secret)).partition(b"\r\n\r\n")
    pairs = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
    arrived = Arrived("POST", "/", "", tuple((name.lower(), value) for name, _, value in pairs), body)
    assert aws.answer(arrived).status == 200
    for _ in range(500):
        aws.answer(arrived)
    started = time.perf_counter()
    for _ in range(2000):
        aws.answer(arrived)
    print(f"{(time.perf_counter() - started) / 2000 * 1e6:.0f} µs a call, without HTTP")
    watch = cProfile.Profile()
    watch.runcall(lambda: [aws.answer(arrived) for _ in range(2000)])
    pstats.Stats(watch).sort_stats("tottime").print_stats(35)
    return 0


if __name__ == "__main__":
    sys.exit(profile() if sys.argv[1:] == ["--profile"] else main())
