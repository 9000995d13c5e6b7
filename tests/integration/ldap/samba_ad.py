"""A real Active Directory domain controller for tests: Samba, from this machine's own package.

Rule: what a test sees of it comes through OpenLDAP's command-line tools, as with OpenLDAP.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme

from tests.openldap import SUFFIX, Account, LocalServer, OpenLDAP, Unavailable

START = Path(__file__).parent / "start-samba-ad"

PROGRAMS = {"samba": "samba", "samba-tool": "samba", "ldapsearch": "ldap-utils"}
PARTS = {
    "/usr/share/samba/setup": "samba-ad-provision",
    "/usr/lib/*/samba/ldb/samba_dsdb.so": "samba-dsdb-modules",
    "/usr/lib/*/samba/vfs/acl_xattr.so": "samba-vfs-modules",
}


class SambaServer(LocalServer):
    """The samba process; its certificate is from an authority that tools have to be told of."""

    def run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        trusting = ("env", f"LDAPTLS_CACERT={self.environment['AD_DIR']}/ca.crt")
        return super().run(*trusting, *command, stdin=stdin)


@contextmanager
def local_samba_ad(folder: Path) -> Iterator[OpenLDAP]:
    """Start a domain controller; raises Unavailable where that is not possible."""
    for program, package in PROGRAMS.items():
        if not shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin"):
            raise Unavailable(f"{program} is not installed on this machine (package {package})")
    for part, package in PARTS.items():
        if not any(Path("/").glob(part.lstrip("/"))):
            raise Unavailable(f"{part} is not on this machine (package {package})")
    if os.geteuid() != 0:
        raise Unavailable("Samba's LDAP ports are fixed, and only root may listen on them")
    address = "127.{}.{}.{}".format(*(1 + secrets.randbelow(250) for _ in range(3)))
    authority = trustme.CA()
    certificate = authority.issue_cert(address, "localhost")
    admin = f"Admin-1-{secrets.token_urlsafe(16)}"
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        "AD_DIR": str(folder),
        "AD_ADDRESS": address,
        "AD_ADMIN_PASSWORD": admin,
        "AD_TLS_CA": authority.cert_pem.bytes().decode(),
        "AD_TLS_CERT": "".join(pem.bytes().decode() for pem in certificate.cert_chain_pems),
        "AD_TLS_KEY": certificate.private_key_pem.bytes().decode(),
    }
    server = SambaServer(START, environment)
    server.start()
    try:
        uri = f"ldaps://{address}"
        account = Account(f"CN=Administrator,CN=Users,{SUFFIX}", admin)
        directory = OpenLDAP(
            server=server,
            uri=uri,
            ldaps_uri=uri,
            ca_file=folder / "ca.crt",
            admin=account,
            bridge=account,
            base_dn=SUFFIX,
            tools_uri=uri,
        )
        directory.wait()
        yield directory
    finally:
        server.stop()
