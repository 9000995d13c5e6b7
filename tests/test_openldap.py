"""The OpenLDAP fixture is a real server: what the other tests build on holds."""

import socket
import ssl
from urllib.parse import urlsplit

import pytest

from tests.containers import Launch
from tests.openldap import OpenLDAP, parse_ldif

PERSON = """dn: uid=ann,{base}
objectClass: inetOrgPerson
uid: ann
cn:: w4RubiBTbWl0aA==
sn: Smith
description: two
description: values
"""


def test_what_is_loaded_is_found_by_the_command_line_tools(openldap: OpenLDAP) -> None:
    openldap.load(PERSON.format(base=openldap.base_dn))

    found = openldap.search("(uid=ann)", ("*", "entryUUID"))

    entry = found[f"uid=ann,{openldap.base_dn}"]
    assert entry["cn"] == ("Änn Smith",)
    assert entry["description"] == ("two", "values")
    assert len(entry["entryUUID"][0]) == 36


def test_every_test_has_a_base_of_its_own(openldap: OpenLDAP) -> None:
    assert list(openldap.search()) == [openldap.base_dn]


def test_a_fresh_base_is_gone_afterwards(openldap: OpenLDAP) -> None:
    with openldap.fresh_base() as inner:
        inner.load(PERSON.format(base=inner.base_dn))
        assert len(inner.search()) == 2
    assert list(openldap.search()) == [openldap.base_dn]


@pytest.mark.parametrize(("host", "trusted"), [("localhost", True), ("127.0.0.1", False)])
def test_the_certificate_is_good_for_localhost_only(
    openldap: OpenLDAP, host: str, trusted: bool
) -> None:
    if openldap.ldaps_uri is None:
        pytest.skip("a given server's certificate is its own")
    context = ssl.create_default_context(cafile=openldap.ca_file)
    port = urlsplit(openldap.ldaps_uri).port
    with socket.create_connection(("127.0.0.1", port), 5) as raw:
        if trusted:
            context.wrap_socket(raw, server_hostname=host).close()
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                context.wrap_socket(raw, server_hostname=host)


def test_a_killed_server_comes_back_with_its_entries_on_the_same_address(
    start_openldap: Launch,
) -> None:
    directory = start_openldap()
    directory.load(PERSON.format(base=directory.base_dn))
    directory.stop()
    with pytest.raises(OSError, match=r"refused|reset"):
        answer_of(directory)
    directory.start()
    assert len(directory.search("(uid=ann)")) == 1
    assert answer_of(directory)


def test_a_paused_server_answers_only_when_it_goes_on(start_openldap: Launch) -> None:
    directory = start_openldap()
    directory.pause()
    try:
        with pytest.raises(TimeoutError):
            answer_of(directory)
    finally:
        directory.resume()
    assert answer_of(directory)


def test_more_configuration_reaches_the_database(start_openldap: Launch) -> None:
    directory = start_openldap(extra="overlay memberof")
    base = directory.base_dn
    directory.load(
        PERSON.format(base=base)
        + f"\ndn: cn=all,{base}\nobjectClass: groupOfNames\ncn: all\nmember: uid=ann,{base}\n"
    )
    (ann,) = directory.search("(uid=ann)", ("memberOf",)).values()
    assert ann["memberOf"] == (f"cn=all,{base}",)


def answer_of(directory: OpenLDAP) -> bytes:
    """What the server answers to an anonymous bind (RFC 4511 section 4.2), within half a second."""
    port = urlsplit(directory.uri).port
    with socket.create_connection(("127.0.0.1", port), 0.5) as connection:
        connection.sendall(bytes.fromhex("300c020101600702010304008000"))
        answer = connection.recv(64)
    if not answer:
        raise ConnectionResetError("reset")
    return answer


def test_ldif_of_bytes_that_are_no_text_keeps_them() -> None:
    entry = parse_ldif("dn: cn=x\nuserCertificate:: /w==\n")["cn=x"]
    assert entry["userCertificate"][0].encode(errors="surrogateescape") == b"\xff"
