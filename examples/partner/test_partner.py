"""What partner.py does when the network or the registry fails, against a server that fails on purpose."""

import json
import os
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer
from unittest import mock

import partner

PERSON = {"id": "cDE", "cardNumber": "00000000001", "status": "ACTIVE"}


def problem(code, severity="ERROR"):
    return {"code": code, "severity": severity, "message": "A sentence.", "path": ["nationalId"], "hint": None}


def payload(participant, *errors):
    return 200, {"data": {"enrollParticipant": {"participant": participant, "errors": list(errors)}}}, {}


def refusal(status, code, retryable, headers):
    extensions = {"code": code, "retryable": retryable}
    return status, {"errors": [{"message": "A sentence.", "extensions": extensions}]}, headers


class Retrying(unittest.TestCase):
    def setUp(self):
        self.answers, self.keys, self.pauses = [], [], []
        test = self

        class Registry(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                test.keys.append(body["variables"]["input"]["idempotencyKey"])
                answer = test.answers.pop(0)
                if answer is None:
                    # Hang up: the caller cannot know whether the mutation was done.
                    return
                status, content, headers = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(json.dumps(content).encode() if isinstance(content, dict) else content)

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Registry)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        for patch in (
            mock.patch.dict(os.environ, API_TOKEN="token"),
            mock.patch.object(partner, "REGISTRY", f"http://127.0.0.1:{server.server_port}"),
            mock.patch.object(partner.time, "sleep", self.pauses.append),
            mock.patch("builtins.print"),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def test_a_lost_answer_and_a_busy_registry_are_retried_with_the_same_key(self):
        self.answers = [
            None,
            refusal(503, "OVERLOADED", True, {"Retry-After": "7"}),
            (502, b"<html>bad gateway</html>", {}),
            payload(PERSON),
        ]
        self.assertEqual(partner.enroll({"fullName": "Siti"}, "key-of-siti-0001"), PERSON)
        self.assertEqual(self.keys, ["key-of-siti-0001"] * 4)
        self.assertGreaterEqual(self.pauses[1], 7)

    def test_a_refusal_that_will_not_pass_is_not_retried(self):
        self.answers = [refusal(200, "FORBIDDEN", False, {})]
        with self.assertRaises(partner.RequestError) as raised:
            partner.enroll({}, "key-of-siti-0001")
        self.assertEqual(raised.exception.code, "FORBIDDEN")
        self.assertEqual(len(self.keys), 1)

    def test_problems_of_the_form_are_raised_and_warnings_are_not(self):
        self.answers = [payload(None, problem("NATIONAL_ID_MALFORMED"))]
        with self.assertRaises(partner.FormError) as raised:
            partner.enroll({}, "key-of-siti-0001")
        self.assertEqual([found["code"] for found in raised.exception.problems], ["NATIONAL_ID_MALFORMED"])
        self.answers = [payload(PERSON, problem("NATIONAL_ID_BIRTH_MISMATCH", "WARNING"))]
        self.assertEqual(partner.enroll({}, "key-of-siti-0001"), PERSON)

    def test_it_gives_up_in_the_end(self):
        self.answers = [None] * partner.ATTEMPTS
        with self.assertRaises(partner.NETWORK):
            partner.enroll({}, "key-of-siti-0001")
        self.assertEqual(len(self.keys), partner.ATTEMPTS)


if __name__ == "__main__":
    unittest.main()
