"""People who do not exist, each with a number that nobody else has, and what is asked about them."""

import datetime
import itertools
import json

ENROLL = """mutation($input: EnrollParticipantInput!) { enrollParticipant(input: $input) {
  participant { id cardNumber } enrollment { id } errors { code severity } } }"""
COUNT = "{ participants(first: 1) { totalCount } }"
READ = """{ participants(first: 10, filterBy: { provinceCode: "16" }) { nodes {
  cardNumber fullName employer { name } channel { name } } } }"""

_FIRST_BIRTH = datetime.date(1970, 1, 1)
_DAYS = 10_000
# Far from the demonstration's own numbers and the roster's: nobody there was first registered in this district.
_REGION = "167199"
# One for each process, and only `begin_at` puts another in its place.
_numbers = itertools.count(1)


def person() -> dict:
    """The form of somebody new, without a key."""
    number = next(_numbers)
    birth = _FIRST_BIRTH + datetime.timedelta(days=number % _DAYS)
    serial = 1 + number // _DAYS
    return {
        "nationalId": f"{_REGION}{birth:%d%m%y}{serial:04}",
        "fullName": f"Budi Pengepungan {letters(number)}",
        "birthDate": birth.isoformat(),
        "sex": "MALE",
        "provinceCode": "16",
        "segment": "SELF_EMPLOYED",
        "programmes": ["WORK_ACCIDENT", "DEATH"],
        "channelCode": "BR-PLG",
        "monthlyWage": 2_000_000,
        "startsOn": "2014-10-02",
        "firstContributionPaid": True,
    }


def begin_at(number: int) -> None:
    """Goes on from another number, so that two processes never make the same person. Up to 99 million."""
    global _numbers
    _numbers = itertools.count(number)


def letters(number: int) -> str:
    """A word for a number: names have no digits."""
    text = ""
    while number:
        number, rest = divmod(number, 26)
        text += chr(ord("a") + rest)
    return text.capitalize()


def enrollment(form: dict, key: str | None = None) -> bytes:
    """The body that enrolls somebody."""
    named = {**form, "idempotencyKey": key} if key else form
    return json.dumps({"query": ENROLL, "variables": {"input": named}}).encode()


def total(client) -> int:
    """How many people the registry has, by its own word."""
    answer = client.patiently(question(COUNT))
    try:
        return answer.data["participants"]["totalCount"]
    except KeyError:
        raise RuntimeError(f"people cannot be counted: {answer.status} {answer.body[:200]!r}") from None


LOOKUP = "{{ {} }}"


def lookup(at: int, national_id: str) -> str:
    """One of several questions for a person; they share a request."""
    wanted = "cardNumber enrollments(first: 1) { totalCount }"
    return f'p{at}: participant(by: {{ nationalId: "{national_id}" }}) {{ {wanted} }}'


def question(query: str) -> bytes:
    """The body that asks."""
    return json.dumps({"query": query}).encode()
