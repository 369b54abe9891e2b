"""SSH public keys, signing certificates and credentials for one service: what a user can have beside password, keys and devices.

Nobody signs in here with them: they are kept and listed, and their user can't be deleted while there are any (as in AWS).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sekisho.estate import User
from sekisho.sandbox.credentials import new_id, new_secret_key
from sekisho.sandbox.fault import AwsFault, no_such_entity
from sekisho.sandbox.iam.entities import USER, on, put, the, with_extra
from sekisho.sandbox.iam.names import iso, operation
from sekisho.sandbox.operation import Operation, Work


@dataclass(frozen=True)
class _Kind:
    """``part``: where a user's are kept; ``id`` the member that names one; ``most`` how many a user may have; ``must`` be done before a deletion."""

    part: str
    id: str
    prefix: str
    most: int
    word: str
    must: str


_SSH = _Kind("SSHPublicKeys", "SSHPublicKeyId", "APKA", 5, "SSH public key", "delete SSH public keys")
_CERTIFICATE = _Kind("Certificates", "CertificateId", "", 2, "certificate", "delete signing certificates")
_SERVICE = _Kind("ServiceSpecificCredentials", "ServiceSpecificCredentialId", "ACCA", 2, "service-specific credential",
                 "delete service-specific credentials")  # fmt: skip


def held(user: User) -> Iterator[str]:
    """What must be done before the user can be deleted."""
    yield from (kind.must for kind in (_SSH, _CERTIFICATE, _SERVICE) if user.extra.get(kind.part))


def _save(work: Work, user: User, kind: _Kind, things: list[Mapping[str, Any]]) -> None:
    put(work, USER, with_extra(user, **{kind.part: things or None}), user)


def _add(work: Work, kind: _Kind, members: Mapping[str, Any]) -> dict[str, Any]:
    user: User = the(work, USER)
    there = list(user.extra.get(kind.part) or ())
    if len(there) >= kind.most:
        raise AwsFault("LimitExceeded", f"Cannot exceed quota for {kind.part}PerUser: {kind.most}", 409)
    key = new_id(kind.prefix, 24 if kind is _CERTIFICATE else 16)
    made = {"UserName": user.name, kind.id: key, "Status": "Active", "At": iso(work.now), **members}
    _save(work, user, kind, [*there, made])
    return made


def upload_ssh_key(work: Work) -> Mapping[str, Any]:
    made = _add(work, _SSH, {"SSHPublicKeyBody": work.params["SSHPublicKeyBody"]})
    return {"SSHPublicKey": {**made, "UploadDate": made["At"]}}


def upload_certificate(work: Work) -> Mapping[str, Any]:
    made = _add(work, _CERTIFICATE, {"CertificateBody": work.params["CertificateBody"]})
    return {"Certificate": {**made, "UploadDate": made["At"]}}


def create_service_credential(work: Work) -> Mapping[str, Any]:
    """The password is in this answer alone."""
    service = work.params["ServiceName"]
    made = _add(work, _SERVICE, {"ServiceName": service, "ServiceUserName": f"{work.params.get('UserName', 'user')}-at-{work.caller.account}"})
    return {"ServiceSpecificCredential": {**made, "CreateDate": made["At"], "ServicePassword": new_secret_key()}}


def _listed(kind: _Kind, date: str) -> Operation:
    def run(work: Work) -> Mapping[str, Any]:
        wanted = work.params.get("ServiceName")
        there = [t for t in the(work, USER).extra.get(kind.part) or () if wanted in (None, t.get("ServiceName"))]
        return {kind.part: [{**t, date: t["At"]} for t in there], "IsTruncated": False}

    return operation(run, on(USER))


def _deleted(kind: _Kind) -> Operation:
    def run(work: Work) -> Mapping[str, Any]:
        user: User = the(work, USER)
        there = list(user.extra.get(kind.part) or ())
        left = [t for t in there if t[kind.id] != work.params[kind.id]]
        if len(left) == len(there):
            raise no_such_entity(f"The {kind.word} with id {work.params[kind.id]} cannot be found.")
        _save(work, user, kind, left)
        return {}

    return operation(run, on(USER))


OPERATIONS: dict[str, Operation] = {
    "UploadSSHPublicKey": operation(upload_ssh_key, on(USER)),
    "ListSSHPublicKeys": _listed(_SSH, "UploadDate"),
    "DeleteSSHPublicKey": _deleted(_SSH),
    "UploadSigningCertificate": operation(upload_certificate, on(USER)),
    "ListSigningCertificates": _listed(_CERTIFICATE, "UploadDate"),
    "DeleteSigningCertificate": _deleted(_CERTIFICATE),
    "CreateServiceSpecificCredential": operation(create_service_credential, on(USER)),
    "ListServiceSpecificCredentials": _listed(_SERVICE, "CreateDate"),
    "DeleteServiceSpecificCredential": _deleted(_SERVICE),
}
