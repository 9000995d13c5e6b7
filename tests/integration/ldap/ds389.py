"""A real 389 Directory Server for tests, from this machine's own package (389-ds-base).

Rule: what a test sees of it comes through OpenLDAP's command-line tools, as with OpenLDAP.
"""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.openldap import (
    SUFFIX,
    Account,
    LocalServer,
    OpenLDAP,
    Unavailable,
    free_port,
)

START = Path(__file__).parent / "start-389ds"

BACKEND = f"""\
dn: cn=userRoot,cn=ldbm database,cn=plugins,cn=config
objectClass: top
objectClass: extensibleObject
objectClass: nsBackendInstance
cn: userRoot
nsslapd-suffix: {SUFFIX}

dn: cn="{SUFFIX}",cn=mapping tree,cn=config
objectClass: top
objectClass: extensibleObject
objectClass: nsMappingTree
cn: {SUFFIX}
nsslapd-state: backend
nsslapd-backend: userRoot

dn: {SUFFIX}
objectClass: domain
dc: example
aci: (targetattr="*")(version 3.0; acl "bridge"; allow(all) userdn="ldap:///cn=bridge,{SUFFIX}";)

dn: cn=bridge,{SUFFIX}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: bridge
userPassword: """


class Ds389Server(LocalServer):
    """The ns-slapd process."""

    def pause(self) -> None:
        super().pause()
        assert self.process is not None
        # A thread that is writing to the disk stops only afterwards.
        threads = Path(f"/proc/{self.process.pid}/task")
        while any(_state(thread) not in "tT" for thread in threads.iterdir()):
            time.sleep(0.01)


def _state(thread: Path) -> str:
    return (thread / "stat").read_text().rpartition(") ")[2][0]


@contextmanager
def local_389ds(folder: Path) -> Iterator[OpenLDAP]:
    """Start a server; raises Unavailable where the packages are missing."""
    for program, package in {"ns-slapd": "389-ds-base", "ldapsearch": "ldap-utils"}.items():
        if not shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin"):
            raise Unavailable(f"{program} is not installed on this machine (package {package})")
    admin, bridge = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    port = free_port()
    folder.chmod(0o755)  # the server runs as a user of its own
    server = Ds389Server(
        START, {"DS_DIR": str(folder / "389ds"), "DS_PORT": str(port), "DS_ADMIN_PASSWORD": admin}
    )
    server.start()
    try:
        uri = f"ldap://127.0.0.1:{port}"
        directory = OpenLDAP(
            server=server,
            uri=uri,
            ldaps_uri=None,
            ca_file=None,
            admin=Account("cn=Directory Manager", admin),
            bridge=Account(f"cn=bridge,{SUFFIX}", bridge),
            base_dn=SUFFIX,
            tools_uri=uri,
        )
        directory.wait()
        directory.load(f"{BACKEND}{bridge}\n")
        yield directory
    finally:
        server.stop()
