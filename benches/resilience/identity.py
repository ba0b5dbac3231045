"""Forged, stale, misaddressed and malformed tokens."""

import base64
import concurrent.futures
import json
import time
from http.client import HTTPConnection

from report import Report
from wire import Answer, Client
from environment import Server, Environment, base64url, sign

OURSELVES = "participant-registry"
QUESTION = b'{"query": "{ viewer { name } }"}'
DAY = 86_400


def claims(**changes) -> dict:
    """What a good token says, with changes; a claim that is None is left out."""
    now = int(time.time())
    said = {"iss": OURSELVES, "aud": OURSELVES, "sub": "resilience", "iat": now, "nbf": now, "exp": now + 3_600, **changes}
    return {name: value for name, value in said.items() if value is not None}


def tokens(environment: Environment, report: Report) -> None:
    server = environment.server()
    known = environment.sign(claims())
    headers = {name: f"Bearer {token}" for name, token in forged(environment).items()}
    headers |= malformed(environment.token)
    if known is not None:
        headers |= {name: f"Bearer {token}" for name, token in signed_but_wrong(environment).items()}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = dict(zip(headers, pool.map(lambda header: show(server, header), headers.values())))
    answers["none"] = show(server, None)
    answers["two tokens"] = two_tokens(server)
    let_in = [f"{name}: {answer.status}" for name, answer in answers.items() if answer.status != 401]
    bodies = {answer.told for answer in answers.values()}
    report.judge(
        "tokens",
        "every forged, stale, misaddressed or malformed token: 401",
        f"{len(answers)} tokens; {'; '.join(let_in) or 'all 401'}",
        not let_in and len(answers) >= 25,
    )
    report.judge("tokens", "one body, byte for byte", f"{len(bodies)} bodies", len(bodies) == 1)
    good = show(server, f"Bearer {environment.token}").status
    report.judge("tokens", "a good token holds", f"{good}", good == 200)
    if known is None:
        report.skip("tokens", "30 s of skew are accepted, 90 s are not", "the installation's key cannot be read")
    else:
        skew(environment, server, report)
    foreign_page(server, report)


def show(server: Server, authorization: str | None) -> Answer:
    """Asks with this header, or with none."""
    headers = {"content-type": "application/json"}
    if authorization is not None:
        headers["authorization"] = authorization
    client = Client(server.port, None)
    try:
        return client.send("POST", "/graphql", QUESTION, headers)
    finally:
        client.close()


def two_tokens(server: Server) -> Answer:
    """Two headers: which one would a proxy have looked at?"""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest("POST", "/graphql")
    for name, value in (
        ("accept", "application/graphql-response+json"),
        ("content-type", "application/json"),
        ("content-length", str(len(QUESTION))),
        ("authorization", f"Bearer {server.token}"),
        ("authorization", f"Bearer {server.token}"),
    ):
        connection.putheader(name, value)
    connection.endheaders(QUESTION)
    got = connection.getresponse()
    body = got.read()
    connection.close()
    return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, body, 0)


def forged(environment: Environment) -> dict[str, str]:
    """Made without the key."""
    header, payload, signature = environment.token.split(".")
    said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    other = base64url(json.dumps({**said, "sub": "demo-administrator"}).encode())
    none = base64url(b'{"typ":"JWT","alg":"none"}')
    flipped = signature[:-2] + ("A" if signature[-2] != "A" else "B") + signature[-1]
    public = b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"
    return {
        "another key": sign(b"\x01" * 32, claims()),
        "an empty key": sign(b"", claims()),
        "a key in words": sign(b"secret", claims()),
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
        "brings its key": sign(b"k" * 32, claims(), {"alg": "HS256", "jwk": {"kty": "oct", "k": base64url(b"k" * 32)}}),
        "says where its key is": sign(b"k" * 32, claims(), {"alg": "HS256", "jku": "http://127.0.0.1:1/keys"}),
        "a key id that is a path": sign(b"", claims(), {"alg": "HS256", "kid": "../../../dev/null"}),
    }


def malformed(token: str) -> dict[str, str]:
    """Headers that hold no token."""
    return {
        "empty": "",
        "a word": "Bearer",
        "a blank": "Bearer ",
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
    """Made with the installation's own key, as whoever stole it would not need to; each breaks one rule."""
    now = int(time.time())
    rules = {
        "over for 90 s": claims(nbf=now - 3_600, exp=now - 90),
        "over for a day": claims(nbf=now - 2 * DAY, exp=now - DAY),
        "begins in 90 s": claims(nbf=now + 90, exp=now + 3_600),
        "never ends": claims(exp=None),
        "never begins": claims(nbf=None),
        "holds a year": claims(exp=now + 365 * DAY),
        "ends before it begins": claims(nbf=now + 20, exp=now),
        "ends in words": claims(exp="tomorrow"),
        "ends in 2^63": claims(exp=2**63),
        "another issuer": claims(iss="https://evil.example"),
        "no issuer": claims(iss=None),
        "another audience": claims(aud="payroll"),
        "no audience": claims(aud=None),
        "audiences of others": claims(aud=["a", "b"]),
        "nobody": claims(sub=None),
        "an empty name": claims(sub=""),
        "a stranger": claims(sub="nobody-here"),
        "a name of 1,000": claims(sub="a" * 1_000),
        "NUL in the name": claims(sub="resilience\0"),
    }
    made = {name: environment.sign(said) for name, said in rules.items()}
    headers = {
        "a token in a token": {"alg": "HS256", "cty": "JWT"},
        "critical": {"alg": "HS256", "crit": ["x"], "x": 1},
        "another type": {"alg": "HS256", "typ": "dpop+jwt"},
    }
    return made | {name: environment.sign(claims(), header) for name, header in headers.items()}


def skew(environment: Environment, server: Server, report: Report) -> None:
    """Two seconds inside the 30 s, because the question takes time too."""
    now = int(time.time())
    near = {"over for 28 s": claims(nbf=now - 600, exp=now - 28), "begins in 28 s": claims(nbf=now + 28)}
    far = {"over for 90 s": claims(nbf=now - 600, exp=now - 90), "begins in 90 s": claims(nbf=now + 90)}
    statuses = {name: show(server, f"Bearer {environment.sign(said)}").status for name, said in (near | far).items()}
    held = all(statuses[name] == 200 for name in near) and all(statuses[name] == 401 for name in far)
    report.judge(
        "tokens",
        "30 s of skew are accepted, 90 s are not",
        ", ".join(f"{name}: {status}" for name, status in statuses.items()),
        held,
    )


def foreign_page(server: Server, report: Report) -> None:
    """A browser asks first, and must hear nothing that lets it go on."""
    client = server.client()
    asked = {
        "origin": "https://evil.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type",
    }
    answers = [
        client.send("OPTIONS", "/graphql", None, asked),
        client.send(
            "POST", "/graphql", QUESTION, {"origin": "https://evil.example", "content-type": "application/json"}
        ),
    ]
    found = sorted({name for answer in answers for name in answer.headers if name.startswith("access-control-")})
    report.judge("tokens", "an unknown Origin gets no CORS headers", ", ".join(found) or "none", not found)
