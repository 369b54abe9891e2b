"""Lists of what can't be made in the embedded AWS: server certificates, identity providers. There are none, and tools that look get told so."""

from __future__ import annotations

from sekisho.sandbox.iam.entities import on_account
from sekisho.sandbox.iam.names import operation
from sekisho.sandbox.operation import Operation, Run


def _none(member: str) -> Run:
    return lambda work: {member: [], "IsTruncated": False}


OPERATIONS: dict[str, Operation] = {
    "ListServerCertificates": operation(_none("ServerCertificateMetadataList"), on_account),
    "ListSAMLProviders": operation(_none("SAMLProviderList"), on_account),
    "ListOpenIDConnectProviders": operation(_none("OpenIDConnectProviderList"), on_account),
}
