"""Tokens that are forged, expired, malformed or meant for another audience."""

import base64
import concurrent.futures
import json
import time
from http.client import HTTPConnection

from environment import Environment, Server, base64url, sign
from http_client import Answer, Client
from report import Report

ISSUER = "participant-registry"
QUERY = b'{"query": "{ viewer { name } }"}'
DAY = 86_400


def claims(**changes) -> dict:
    """Returns the claims of a valid token with these changes. A claim that is None is left out."""
    now = int(time.time())
    valid = {"iss": ISSUER, "aud": ISSUER, "sub": "resilience", "iat": now, "nbf": now, "exp": now + 3_600}
    return {name: value for name, value in (valid | changes).items() if value is not None}


def tokens(environment: Environment, report: Report) -> None:
    server = environment.server()
    has_key = environment.sign(claims()) is not None
    headers = {name: f"Bearer {token}" for name, token in forged(environment).items()}
    headers |= malformed(environment.token)
    if has_key:
        headers |= {name: f"Bearer {token}" for name, token in signed_but_wrong(environment).items()}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = dict(zip(headers, pool.map(lambda header: viewer(server, header), headers.values())))
    answers["none"] = viewer(server, None)
    answers["two tokens"] = two_tokens(server)
    accepted = [f"{name}: {answer.status}" for name, answer in answers.items() if answer.status != 401]
    bodies = {answer.comparable_body for answer in answers.values()}
    report.judge(
        "tokens",
        "every forged, expired, malformed or misaddressed token: 401",
        f"{len(answers)} tokens; {'; '.join(accepted) or 'all 401'}",
        not accepted and len(answers) >= 25,
    )
    report.judge("tokens", "all refusals have the same body, byte for byte", f"{len(bodies)} bodies", len(bodies) == 1)
    good = viewer(server, f"Bearer {environment.token}").status
    report.judge("tokens", "a valid token is accepted", f"{good}", good == 200)
    if not has_key:
        report.skip("tokens", "30 s of clock skew are accepted, 90 s are not", "the installation's key cannot be read")
    else:
        skew(environment, server, report)
    foreign_origin(server, report)


def viewer(server: Server, authorization: str | None) -> Answer:
    """Sends a query with this authorization header, or without one."""
    headers = {"content-type": "application/json"}
    if authorization is not None:
        headers["authorization"] = authorization
    client = Client(server.port, None)
    try:
        return client.send("POST", "/graphql", QUERY, headers)
    finally:
        client.close()


def two_tokens(server: Server) -> Answer:
    """Sends two authorization headers. A proxy in front may have checked the other one."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest("POST", "/graphql")
    for name, value in (
        ("accept", "application/graphql-response+json"),
        ("content-type", "application/json"),
        ("content-length", str(len(QUERY))),
        ("authorization", f"Bearer {server.token}"),
        ("authorization", f"Bearer {server.token}"),
    ):
        connection.putheader(name, value)
    connection.endheaders(QUERY)
    got = connection.getresponse()
    body = got.read()
    connection.close()
    return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, body, 0)


def forged(environment: Environment) -> dict[str, str]:
    """Returns tokens that are made without the installation's key."""
    header, payload, signature = environment.token.split(".")
    original = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    other = base64url(json.dumps({**original, "sub": "demo-administrator"}).encode())
    none = base64url(b'{"typ":"JWT","alg":"none"}')
    flipped = signature[:-2] + ("A" if signature[-2] != "A" else "B") + signature[-1]
    public = b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"
    own_key = {"kty": "oct", "k": base64url(b"k" * 32)}
    return {
        "another key": sign(b"\x01" * 32, claims()),
        "an empty key": sign(b"", claims()),
        "a guessable key": sign(b"secret", claims()),
        "a public key as secret": sign(public, claims()),
        "alg none": f"{none}.{payload}.",
        "alg none, signed": f"{none}.{payload}.{signature}",
        "alg None": base64url(b'{"alg":"None"}') + f".{payload}.{signature}",
        "alg RS256": base64url(b'{"typ":"JWT","alg":"RS256","kid":"1"}') + f".{payload}.{signature}",
        "alg ES256": base64url(b'{"typ":"JWT","alg":"ES256"}') + f".{payload}.{signature}",
        "alg HS512, another key": sign(b"\x01" * 32, claims(), {"alg": "HS512"}, "sha512"),
        "another subject": f"{header}.{other}.{signature}",
        "no signature": f"{header}.{payload}.",
        "half a signature": f"{header}.{payload}.{signature[:20]}",
        "a changed signature": f"{header}.{payload}.{flipped}",
        "its own key (jwk)": sign(b"k" * 32, claims(), {"alg": "HS256", "jwk": own_key}),
        "the address of its key (jku)": sign(b"k" * 32, claims(), {"alg": "HS256", "jku": "http://127.0.0.1:1/keys"}),
        "a key id that is a path": sign(b"", claims(), {"alg": "HS256", "kid": "../../../dev/null"}),
    }


def malformed(token: str) -> dict[str, str]:
    """Returns authorization headers without a valid bearer token."""
    return {
        "empty": "",
        "only the scheme": "Bearer",
        "the scheme and a blank": "Bearer ",
        "no scheme": token,
        "Basic": "Basic YTpi",
        "Token": f"Token {token}",
        "one part": "Bearer abc",
        "two parts": "Bearer a.b",
        "four parts": f"Bearer {token}.x",
        "dots": "Bearer ..",
        "three words": "Bearer a.b.c",
        "20 kB": "Bearer " + "a" * 20_000 + ".b.c",
        "in quotes": f'Bearer "{token}"',
        "two in one": f"Bearer {token}, Bearer {token}",
        "Latin-1": "Bearer \xe9.\xe9.\xe9",
        "not base64": "Bearer !!.??.##",
        "JSON bomb": "Bearer " + base64url(b"[" * 3_000) + ".e30.e30",
    }


def signed_but_wrong(environment: Environment) -> dict[str, str]:
    """Returns tokens signed with the installation's own key, each of which breaks one rule."""
    now = int(time.time())
    rules = {
        "expired for 90 s": claims(nbf=now - 3_600, exp=now - 90),
        "expired for a day": claims(nbf=now - 2 * DAY, exp=now - DAY),
        "begins in 90 s": claims(nbf=now + 90, exp=now + 3_600),
        "no expiry": claims(exp=None),
        "valid for a year, without nbf": claims(nbf=None, iat=None, exp=now + 365 * DAY),
        "valid for a year": claims(exp=now + 365 * DAY),
        "expires before it begins": claims(nbf=now + 20, exp=now),
        "expiry in words": claims(exp="tomorrow"),
        "expiry 2^63": claims(exp=2**63),
        "another issuer": claims(iss="https://evil.example"),
        "no issuer": claims(iss=None),
        "another audience": claims(aud="payroll"),
        "no audience": claims(aud=None),
        "other audiences": claims(aud=["a", "b"]),
        "no subject": claims(sub=None),
        "an empty subject": claims(sub=""),
        "an unknown subject": claims(sub="nobody-here"),
        "a subject of 1,000 letters": claims(sub="a" * 1_000),
        "NUL in the subject": claims(sub="resilience\0"),
    }
    made = {name: environment.sign(values) for name, values in rules.items()}
    headers = {
        "a nested token (cty)": {"alg": "HS256", "cty": "JWT"},
        "an unknown critical header": {"alg": "HS256", "crit": ["x"], "x": 1},
        "another type": {"alg": "HS256", "typ": "dpop+jwt"},
    }
    return made | {name: environment.sign(claims(), header) for name, header in headers.items()}


def skew(environment: Environment, server: Server, report: Report) -> None:
    """Judges clock skew at 28 s, not at 30 s, because the request takes time too."""
    now = int(time.time())
    near = {"expired for 28 s": claims(nbf=now - 600, exp=now - 28), "begins in 28 s": claims(nbf=now + 28)}
    far = {"expired for 90 s": claims(nbf=now - 600, exp=now - 90), "begins in 90 s": claims(nbf=now + 90)}
    signed = {name: environment.sign(values) for name, values in (near | far).items()}
    statuses = {name: viewer(server, f"Bearer {token}").status for name, token in signed.items()}
    held = all(statuses[name] == 200 for name in near) and all(statuses[name] == 401 for name in far)
    report.judge(
        "tokens",
        "30 s of clock skew are accepted, 90 s are not",
        ", ".join(f"{name}: {status}" for name, status in statuses.items()),
        held,
    )


def foreign_origin(server: Server, report: Report) -> None:
    """Sends a preflight and a request of another origin. Neither answer may have a header that lets a browser go on."""
    client = server.client()
    preflight = {
        "origin": "https://evil.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type",
    }
    answers = [
        client.send("OPTIONS", "/graphql", None, preflight),
        client.send(
            "POST", "/graphql", QUERY, {"origin": "https://evil.example", "content-type": "application/json"}
        ),
    ]
    found = sorted({name for answer in answers for name in answer.headers if name.startswith("access-control-")})
    report.judge("tokens", "an unknown Origin gets no CORS headers", ", ".join(found) or "none", not found)
