"""Invented people with unique identity numbers, and the GraphQL requests about them."""

import datetime
import itertools
import json

ENROLL = """mutation($input: EnrollParticipantInput!) { enrollParticipant(input: $input) {
  participant { id cardNumber } enrollment { id } errors { code severity } } }"""
COUNT = "{ participants(first: 1) { totalCount } }"
READ = """{ participants(first: 10, filterBy: { provinceCode: "16" }) { nodes {
  cardNumber fullName employer { name } channel { name } } } }"""

# Employers with some of their people each, and the number of all of them: a heavier question.
EMPLOYERS = """{ employers(first: 20) { nodes { id name province { name } participants(first: 10) {
  totalCount nodes { id cardNumber fullName } } } } }"""

_FIRST_BIRTH = datetime.date(1970, 1, 1)
_DAYS = 10_000
# A district that the demonstration and the roster do not use, so that identity numbers never collide.
_REGION = "167199"
# The numbers of this process; `begin_at` replaces them.
_numbers = itertools.count(1)


def person() -> dict:
    """Returns the input of an enrollment for a new person, without an idempotency key."""
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
    """Continues from another number (at most 99 million), so that no two processes make the same person."""
    global _numbers
    _numbers = itertools.count(number)


def letters(number: int) -> str:
    """Spells a number in letters, because names have no digits."""
    text = ""
    while number:
        number, rest = divmod(number, 26)
        text += chr(ord("a") + rest)
    return text.capitalize()


def enrollment(form: dict, key: str | None = None) -> bytes:
    """Returns the request body of an enrollment."""
    named = {**form, "idempotencyKey": key} if key else form
    return json.dumps({"query": ENROLL, "variables": {"input": named}}).encode()


def total(client) -> int:
    """Returns the number of people that the registry reports."""
    answer = client.post_with_retries(query_body(COUNT))
    try:
        return answer.data["participants"]["totalCount"]
    except KeyError:
        raise RuntimeError(f"totalCount is missing in the answer: {answer.status} {answer.body[:200]!r}") from None


LOOKUP = "{{ {} }}"


def lookup(at: int, national_id: str) -> str:
    """Returns one aliased field that looks a person up; a request holds several."""
    wanted = "cardNumber enrollments(first: 1) { totalCount }"
    return f'p{at}: participant(by: {{ nationalId: "{national_id}" }}) {{ {wanted} }}'


def query_body(query: str) -> bytes:
    """Returns the request body of a query."""
    return json.dumps({"query": query}).encode()
