#!/usr/bin/env python3
"""A partner of the registry: enrolls one person, and onboards a roster from a file.

    partner.py enroll person.json --key KEY
    partner.py submit roster.csv --employer ID --channel CODE --province CODE --starts-on DAY --key KEY
    partner.py approve BATCH
    partner.py report BATCH refused.csv

API_URL is the address of the registry (http://127.0.0.1:8080 by default), API_TOKEN a bearer token. Each
command prints one JSON object. It needs Python 3.11 and nothing else.
"""

import argparse
import hashlib
import http.client
import json
import os
import random
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

REGISTRY = os.environ.get("API_URL", "http://127.0.0.1:8080")
ATTEMPTS = 8
# The registry answers a mutation within 30 seconds, if only to say that its outcome is unknown.
TIMEOUT = 35
# A large file is read while it is being sent and judged afterwards.
UPLOAD_TIMEOUT = 600
NETWORK = (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException)
ENDED = ("COMPLETED", "CANCELLED", "FAILED")


class RequestError(Exception):
    """A refused or failed request, with `extensions.code`."""

    def __init__(self, code, message, retryable=False, retry_after=None):
        super().__init__(f"{code}: {message}")
        self.code, self.retryable, self.retry_after = code, retryable, retry_after


class FormError(Exception):
    """Problems that the partner can correct, each with `code`, `path`, `message` and `hint`."""

    def __init__(self, problems):
        super().__init__("; ".join(f"{'.'.join(p['path'])}: {p['code']}: {p['message']}" for p in problems))
        self.problems = problems


# Requests


def send(method, url, body=None, headers=None, timeout=TIMEOUT):
    """Sends one HTTP request and returns the open response, of whatever status."""
    request = urllib.request.Request(urllib.parse.urljoin(REGISTRY, url), body, headers or {}, method=method)
    request.add_header("Authorization", f"Bearer {os.environ['API_TOKEN']}")
    try:
        return urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as response:
        return response


def retry_after(response):
    """Returns the seconds of the header Retry-After, or None."""
    value = response.headers.get("Retry-After", "")
    return int(value) if value.isdigit() else None


def refusal(response, errors):
    """Turns the first error of an answer into an exception."""
    extensions = errors[0].get("extensions", {})
    code, retryable = extensions.get("code", "UNKNOWN"), extensions.get("retryable", False)
    return RequestError(code, errors[0]["message"], retryable, retry_after(response))


def ask(query, variables):
    """Runs a query or a mutation once, and returns its data."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/graphql-response+json"}
    with send("POST", "/graphql", body, headers) as response:
        answer = read_json(response)
        if answer.get("errors"):
            raise refusal(response, answer["errors"])
        return answer["data"]


def read_json(response):
    """Reads an answer. What is no JSON comes from a proxy on the way."""
    try:
        return json.load(response)
    except ValueError:
        raise RequestError("BAD_GATEWAY", f"HTTP {response.status}", True, retry_after(response)) from None


def retrying(action):
    """Runs `action` until it is answered. Call it with a mutation only if that has an idempotency key.

    A lost connection leaves the outcome unknown: the same key then gives the answer of the first time.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return action()
        except RequestError as error:
            if not error.retryable or attempt == ATTEMPTS:
                raise
            pause, reason = error.retry_after, error.code
        except NETWORK as error:
            if attempt == ATTEMPTS:
                raise
            pause, reason = None, type(error).__name__
        # Spread, so that many clients do not come back at the same moment.
        pause = (pause or min(30, 0.5 * 2**attempt)) * random.uniform(1, 1.5)
        print(f"{reason}: trying again in {pause:.1f} s ({attempt} of {ATTEMPTS})", file=sys.stderr)
        time.sleep(pause)


def mutate(field, query, variables):
    """Runs a mutation with its key until it is answered, and returns the payload."""
    payload = retrying(lambda: ask(query, variables))[field]
    problems = [problem for problem in payload["errors"] if problem["severity"] == "ERROR"]
    if problems:
        raise FormError(problems)
    return payload


# One person

ENROLL = """
mutation Enroll($input: EnrollParticipantInput!) {
  enrollParticipant(input: $input) {
    participant { id cardNumber status }
    errors { code severity path message hint }
  }
}
"""


def enroll(person, key):
    """Enrolls one person, once, however often it is called with this key."""
    return mutate("enrollParticipant", ENROLL, {"input": person | {"idempotencyKey": key}})["participant"]


# A roster

START = """
mutation Start($input: StartOnboardingInput!) {
  startOnboarding(input: $input) {
    batch { id state uploadUrl }
    errors { code severity path message hint }
  }
}
"""

APPROVE = """
mutation Approve($input: ApproveOnboardingInput!) {
  approveOnboarding(input: $input) {
    batch { id state }
    errors { code severity path message hint }
  }
}
"""

BATCH = """
query Batch($id: ID!) {
  onboardingBatch(id: $id) {
    id
    state
    planDigest
    reportUrl
    counts { received pending enrolled alreadyEnrolled rejected flagged }
    byProblem { code rows }
    problems { code message }
  }
}
"""


def submit(roster, terms, key):
    """Announces a roster, sends it, and returns its plan: what would happen to each row."""
    with roster.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    announced = terms | {"fileName": roster.name, "sha256": digest.hexdigest(), "idempotencyKey": key}
    batch = mutate("startOnboarding", START, {"input": announced})["batch"]
    # The same key gives the same batch. It has an address for the file until it has the file.
    if batch["state"] == "RECEIVING":
        retrying(lambda: upload(roster, batch["uploadUrl"]))
    return wait_until(batch["id"], ("AWAITING_APPROVAL", *ENDED))


def upload(roster, url):
    """Sends the file from the disk. A file that broke off is simply sent again, as a whole."""
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(roster.stat().st_size)}
    with roster.open("rb") as file, send("PUT", url, file, headers, UPLOAD_TIMEOUT) as response:
        answer = read_json(response)
        if response.status == 200:
            return answer
        errors = answer["errors"]
        # Problems of the file have a code of their own; a refusal has it in `extensions`, as everywhere.
        raise FormError(errors) if "code" in errors[0] else refusal(response, errors)


def read_batch(batch):
    """Returns the batch as it is now."""
    found = retrying(lambda: ask(BATCH, {"id": batch}))["onboardingBatch"]
    if found is None:
        raise RequestError("NOT_FOUND", f"there is no batch {batch}, or it is not yours to see")
    return found


def wait_until(batch, states):
    """Asks once a second until the batch is in one of these states."""
    while (found := read_batch(batch))["state"] not in states:
        time.sleep(1)
    return found


def approve(batch):
    """Approves the plan as it is shown now, and returns the batch when every row has its outcome.

    The client that submitted a batch cannot approve it: this needs the token of an approver.
    """
    plan = read_batch(batch)
    key = f"approve-{batch}-{plan['planDigest']}"[:255]
    mutate("approveOnboarding", APPROVE, {
        "input": {"batchId": batch, "planDigest": plan["planDigest"], "idempotencyKey": key}
    })
    return wait_until(batch, ENDED)


def report(batch, path):
    """Writes the refused rows to a file, to be corrected and submitted as a new roster."""
    url = read_batch(batch)["reportUrl"]
    if url is None:
        raise RequestError("REPORT_GONE", "this batch has no report yet, or has it no more")
    retrying(lambda: download(url, path))
    return {"report": str(path), "bytes": path.stat().st_size}


def download(url, path):
    """Writes an answer to a file, which appears when all of it is there."""
    part = path.with_name(f"{path.name}.part")
    with send("GET", url, timeout=UPLOAD_TIMEOUT) as response:
        if response.status != 200:
            raise refusal(response, read_json(response)["errors"])
        with part.open("wb") as file:
            shutil.copyfileobj(response, file)
    part.replace(path)


# The command line


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("enroll", help="enrolls one person")
    one.add_argument("person", type=Path, help="an EnrollParticipantInput as JSON")
    many = commands.add_parser("submit", help="sends a roster and waits for its plan")
    many.add_argument("roster", type=Path, help="CSV or XLSX")
    many.add_argument("--employer", required=True, dest="employerId", metavar="ID")
    many.add_argument("--channel", required=True, dest="channelCode", metavar="CODE")
    many.add_argument("--province", required=True, dest="provinceCode", metavar="CODE")
    many.add_argument("--starts-on", required=True, dest="startsOn", metavar="DAY")
    many.add_argument("--first-contribution-paid", action="store_true", dest="firstContributionPaid")
    for command in one, many:
        command.add_argument("--key", required=True, help="idempotency key: the same for each retry")
    agree = commands.add_parser("approve", help="approves a plan and waits until it is applied")
    agree.add_argument("batch")
    refused = commands.add_parser("report", help="downloads the refused rows")
    refused.add_argument("batch")
    refused.add_argument("file", type=Path)
    if "API_TOKEN" not in os.environ:
        parser.error("API_TOKEN is missing")
    return parser.parse_args()


def run(given):
    terms = ("employerId", "channelCode", "provinceCode", "startsOn", "firstContributionPaid")
    match given.command:
        case "enroll":
            return enroll(json.loads(given.person.read_text("utf-8")), given.key)
        case "submit":
            return submit(given.roster, {term: getattr(given, term) for term in terms}, given.key)
        case "approve":
            return approve(given.batch)
        case "report":
            return report(given.batch, given.file)


if __name__ == "__main__":
    try:
        print(json.dumps(run(arguments()), indent=2))
    except (RequestError, FormError, OSError) as error:
        sys.exit(f"partner.py: {error}")
