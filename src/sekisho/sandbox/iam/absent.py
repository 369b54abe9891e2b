"""Lists of what can't be made in the embedded AWS: certificates, SSH keys, identity providers. There are none, and tools that look get told so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sekisho.sandbox.iam.entities import USER, on, on_account, the
from sekisho.sandbox.iam.names import operation
from sekisho.sandbox.operation import Operation, Run, Work


def _none(member: str) -> Run:
    return lambda work: {member: [], "IsTruncated": False}


def _none_of_user(member: str) -> Run:
    def run(work: Work) -> Mapping[str, Any]:
        the(work, USER)
        return {member: [], "IsTruncated": False}

    return run


OPERATIONS: dict[str, Operation] = {
    "ListSSHPublicKeys": operation(_none_of_user("SSHPublicKeys"), on(USER)),
    "ListSigningCertificates": operation(_none_of_user("Certificates"), on(USER)),
    "ListServiceSpecificCredentials": operation(_none_of_user("ServiceSpecificCredentials"), on(USER)),
    "ListServerCertificates": operation(_none("ServerCertificateMetadataList"), on_account),
    "ListSAMLProviders": operation(_none("SAMLProviderList"), on_account),
    "ListOpenIDConnectProviders": operation(_none("OpenIDConnectProviderList"), on_account),
}
