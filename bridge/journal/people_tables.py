"""The journal's tables of the people who administer, and of what they approved by OAuth 2.0.

Nothing in them opens a door by itself: passwords are argon2 hashes, everything else that is a
secret is kept as a digest under the install key.

Rule: what may be used once has a column that says when it was, and one UPDATE that sets it.
"""

from sqlalchemy import BigInteger, Column, Index, Table, UniqueConstraint

from bridge.journal.tables import Text, metadata

# A person; organization NULL is the whole installation. Never made from a SCIM resource.
account = Table(
    "account",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization", Text),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("password", Text),
    Column("created", BigInteger, nullable=False),
    Column("disabled", BigInteger),
    Index("account_of", "organization"),
)

# A browser that is signed in, by the digest of its cookie.
session = Table(
    "session",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Index("session_of", "account"),
    Index("session_expires", "expires"),
)

# A link that signs its account in, once.
sign_in_link = Table(
    "sign_in_link",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("used", BigInteger),
)

# An identity provider as a client of the authorization server; redirect_uris is a JSON array.
oauth_client = Table(
    "oauth_client",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization", Text, nullable=False),
    Column("connection", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("redirect_uris", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("revoked", BigInteger),
    UniqueConstraint("organization", "name"),
)

# One question to a person, whole: asked, decided, redeemed for a grant.
oauth_request = Table(
    "oauth_request",
    metadata,
    Column("ticket", Text, primary_key=True),
    Column("client", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("state", Text),
    Column("challenge", Text),
    Column("expires", BigInteger, nullable=False),
    Column("decided", BigInteger),
    Column("code", Text, unique=True),
    Column("redeemed", BigInteger),
    Column("grant_id", Text),
    Index("oauth_request_expires", "expires"),
)

# What a person (or, with client_credentials, the client itself) may do for how long.
oauth_grant = Table(
    "oauth_grant",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("account", Text),
    Column("refresh", Text, unique=True),
    Column("created", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("revoked", BigInteger),
    Index("oauth_grant_of", "client"),
)

# The access tokens (rows of `token`) of a grant.
oauth_token = Table(
    "oauth_token",
    metadata,
    Column("token", Text, primary_key=True),
    Column("grant_id", Text, nullable=False),
    Index("oauth_token_of", "grant_id"),
)
