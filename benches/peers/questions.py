"""The questions, as each server's schema asks them, and the variables of their requests."""

import dataclasses
import random

QUESTIONS = ("empty", "number", "person", "page", "employers", "coverage", "enroll")

TITLES = {
    "empty": "a query without data",
    "number": "one person by number, no relation",
    "person": "one person by id, three relations",
    "page": "page of 50, nested",
    "employers": "20 employers, ten people and the count of each",
    "coverage": "active people by province and segment",
    "enroll": "enroll one person",
}

_HAND_WRITTEN = {
    "empty": "{ __typename }",
    "number": "query($nik: String!) { participantByNik(nik: $nik) { id name status } }",
    "person": """query($id: Int!) { participant(id: $id) { id nik name status
        employer { name province { name } } channel { name kind } province { name } } }""",
    "page": """query($province: Int!, $after: Int!) {
        participants(provinceId: $province, status: %s, afterId: $after, first: 50) { id nik name segment
            employer { name province { name } } channel { name province { name } } } }""",
    "employers": """query($after: Int!) { employers(afterId: $after, first: 20) {
        id name province { name } participantCount participants(first: 10) { id nik name } } }""",
    "coverage": "{ coverage { provinceName segment active } }",
    "enroll": """mutation($form: Form!) { enroll(form: $form) {
        id nik status employer { name } channel { name } } }""",
}

MERCURIUS = {name: text % "ACTIVE" if "%s" in text else text for name, text in _HAND_WRITTEN.items()}
PLAIN = {name: text % '"ACTIVE"' if "%s" in text else text for name, text in _HAND_WRITTEN.items()}

POSTGRAPHILE = {
    "empty": "{ __typename }",
    "number": "query($nik: String!) { participantByNik(nik: $nik) { rowId name status } }",
    "person": """query($id: BigInt!) { participantByRowId(rowId: $id) { rowId nik name status
        employerByEmployerId { name provinceByProvinceId { name } } channelByChannelId { name kind }
        provinceByProvinceId { name } } }""",
    "page": """query($province: Int!, $after: BigInt!) {
        allParticipants(condition: {provinceId: $province, status: ACTIVE}, filter: {rowId: {greaterThan: $after}},
                        first: 50) {
            nodes { rowId nik name segment employerByEmployerId { name provinceByProvinceId { name } }
                    channelByChannelId { name provinceByProvinceId { name } } } } }""",
    "employers": """query($after: Int!) { allEmployers(filter: {rowId: {greaterThan: $after}}, first: 20) {
        nodes { rowId name provinceByProvinceId { name }
                participantsByEmployerId(first: 10) { totalCount nodes { rowId nik name } } } } }""",
    "coverage": "{ allCoverages { nodes { provinceName segment active } } }",
    "enroll": """mutation($form: EnrollParticipantInput!) { enrollParticipant(input: $form) {
        result { rowId nik status employerByEmployerId { name } channelByChannelId { name } } } }""",
}

# Without `enroll`: a mutation of Seaography writes rows of one table, and this one writes a person and the enrollment.
SEAOGRAPHY = {
    "empty": "{ __typename }",
    "number": "query($nik: String!) { participants(filters: {nik: {eq: $nik}}) { nodes { id name status } } }",
    "person": """query($id: Int!) { participants(filters: {id: {eq: $id}}) { nodes { id nik name status
        employers { name provinces { name } } channels { name kind } provinces { name } } } }""",
    "page": """query($province: Int!, $after: Int!) {
        participants(filters: {provinceId: {eq: $province}, status: {eq: "ACTIVE"}, id: {gt: $after}},
                     orderBy: {id: ASC}, pagination: {page: {limit: 50, page: 0}}) {
            nodes { id nik name segment employers { name provinces { name } }
                    channels { name provinces { name } } } } }""",
    "employers": """query($after: Int!) {
        employers(filters: {id: {gt: $after}}, orderBy: {id: ASC}, pagination: {page: {limit: 20, page: 0}}) {
            nodes { id name provinces { name }
                    participants(orderBy: {id: ASC}, pagination: {page: {limit: 10, page: 0}}) {
                        paginationInfo { total } nodes { id nik name } } } } }""",
    "coverage": "{ coverage { nodes { provinceName segment active } } }",
}

# PostGraphile takes these variables, of its type `BigInt`, as text.
TEXTS = {"person": "id", "page": "after"}

REGISTRY = {
    "empty": "{ viewer { __typename } }",
    "number": "query($number: String!) { participant(by: {cardNumber: $number}) { id fullName status } }",
    "person": """query($id: ID!) { node(id: $id) { ... on Participant { cardNumber fullName status
        employer { name province { name } } channel { name kind } province { name } } } }""",
    "page": """query($province: String!, $after: String) {
        participants(first: 50, after: $after, filterBy: {provinceCode: $province, status: [ACTIVE]}) {
            nodes { id cardNumber fullName employer { name province { name } }
                    channel { name provinces { name } } } } }""",
    "employers": """query($after: String) { employers(first: 20, after: $after) { nodes { id name province { name }
        participants(first: 10) { totalCount nodes { id cardNumber fullName } } } } }""",
    "coverage": """{ coverage { byProvince { province { name } counts { active } }
                     bySegment { segment counts { active } } } }""",
    "enroll": """mutation($form: EnrollParticipantInput!) { enrollParticipant(input: $form) {
        participant { id status employer { name } channel { name } } errors { code path message } } }""",
}


@dataclasses.dataclass
class Peers:
    """Makes the variables of requests to the other servers."""

    people: int
    numbers: random.Random = dataclasses.field(default_factory=lambda: random.Random(2014))
    enrolled: int = 0

    def variables(self, question: str) -> dict:
        pick = self.numbers.randint
        match question:
            case "number":
                return {"nik": nik_of(pick(1, self.people))}
            case "person":
                return {"id": pick(1, self.people)}
            case "page":
                return {"province": pick(1, 34), "after": pick(0, self.people * 9 // 10)}
            case "employers":
                return {"after": pick(0, self.people // 80 - 21)}
            case "enroll":
                self.enrolled += 1
                return {
                    "form": {
                        "nik": f"98{self.enrolled:014}",
                        "name": "Baru Terdaftar",
                        "birthDate": "1990-01-01",
                        "gender": "M",
                        "segment": "WAGE",
                        "provinceId": pick(1, 34),
                        "channelId": pick(1, 1000),
                        "employerId": pick(1, self.people // 80),
                    }
                }
            case _:
                return {}


def nik_of(person: int) -> str:
    """Returns the number of a person, as `nik_of` of register.sql does."""
    return f"{11 + person % 34}{person * 4827100003 % 99999999999973:014}"
