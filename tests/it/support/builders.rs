//! Builders of people, channels and employers.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::App;

/// The input of a valid enrollment. Each one has another identity number.
#[derive(Clone, Debug)]
pub struct Person(pub Value);

static NEXT: AtomicU32 = AtomicU32::new(1);

impl Person {
    /// Creates a self-employed woman of Palembang, born on 1985-08-02.
    pub fn new(channel: &str) -> Self {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        // No serial ends in 0: a file whose numbers all do looks as if a spreadsheet had damaged them.
        let (district, serial) = (1 + n / 8_991, n / 9 % 999 * 10 + 1 + n % 9);
        Self(json!({
            "nationalId": format!("1671{district:02}420885{serial:04}"),
            "fullName": "Siti Rahayu",
            "birthDate": "1985-08-02",
            "sex": "FEMALE",
            "provinceCode": "16",
            "segment": "SELF_EMPLOYED",
            "programmes": ["WORK_ACCIDENT", "DEATH"],
            "channelCode": channel,
            "startsOn": "2014-10-02",
        }))
    }

    /// Returns the person as a wage earner of an employer.
    pub fn at(self, employer: &str) -> Self {
        self.with("segment", json!("WAGE_EARNER")).with("employerId", json!(employer))
    }

    /// Replaces the value of a field.
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.0[field] = value;
        self
    }
}

/// Returns a row of a roster. Each `n` has unique numbers.
pub fn row(n: u32) -> Value {
    let (year, serial) = (60 + n / 999, 1 + n % 999);
    json!({
        "nationalId": format!("1671010208{year:02}{serial:04}"),
        "serviceNumber": format!("19{year:02}08022005011{serial:03}"),
        "fullName": "Budi Santoso",
        "birthDate": format!("19{year:02}-08-02"),
        "sex": "L",
    })
}

const ENROLL: &str = "mutation ($input: EnrollParticipantInput!) { enrollParticipant(input: $input) {
    participant { id cardNumber status } enrollment { id status } errors { code severity path message hint } } }";

const END: &str = "mutation ($input: EndEnrollmentInput!) { endEnrollment(input: $input) {
    enrollment { id status startsOn endsOn endReason participant { status employer { name } } }
    errors { code severity path message hint } } }";

const CORRECT: &str = "mutation ($input: CorrectParticipantInput!) { correctParticipant(input: $input) {
    participant { id fullName nationalId birthYear sex province { code } }
    errors { code severity path message hint } } }";

impl App {
    /// Enrolls a person as administrator, and returns the payload.
    pub async fn enroll(&self, person: &Person) -> Value {
        self.enroll_as(&self.administrator().await, person).await
    }

    /// Enrolls a person, and returns the payload.
    pub async fn enroll_as(&self, token: &str, person: &Person) -> Value {
        self.ask_as(token, ENROLL, json!({"input": person.0})).await["enrollParticipant"].take()
    }

    /// Enrolls a person, and returns the id.
    pub async fn enrolled(&self, person: &Person) -> String {
        let payload = self.enroll(person).await;
        payload["participant"]["id"].as_str().unwrap_or_else(|| panic!("not enrolled: {payload}")).to_owned()
    }

    /// Enrolls a person, and returns the ids of the participant and the enrollment.
    pub async fn enrollment(&self, person: &Person) -> (String, String) {
        let payload = self.enroll(person).await;
        let id = |noun: &str| {
            payload[noun]["id"].as_str().unwrap_or_else(|| panic!("not enrolled: {payload}")).to_owned()
        };
        (id("participant"), id("enrollment"))
    }

    /// Ends an enrollment as administrator, and returns the payload.
    pub async fn end(&self, id: &str, on: &str, reason: &str) -> Value {
        self.end_as(&self.administrator().await, json!({"enrollmentId": id, "on": on, "reason": reason}))
            .await
    }

    /// Ends an enrollment, and returns the payload.
    pub async fn end_as(&self, token: &str, input: Value) -> Value {
        self.ask_as(token, END, json!({"input": input})).await["endEnrollment"].take()
    }

    /// Corrects a person as administrator, for a reason, and returns the payload.
    pub async fn correct(&self, id: &str, fields: Value) -> Value {
        self.correct_as(&self.administrator().await, id, fields).await
    }

    /// Corrects a person, for a reason unless the fields have one, and returns the payload.
    pub async fn correct_as(&self, token: &str, id: &str, fields: Value) -> Value {
        let mut input = json!({"participantId": id, "reason": "As the identity card has it"});
        input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.ask_as(token, CORRECT, json!({"input": input})).await["correctParticipant"].take()
    }

    /// Opens a branch that serves South Sumatra and Jambi. Returns its code.
    pub async fn channel(&self, code: &str) -> String {
        let query = "mutation ($code: String!) { openChannel(input: {code: $code, name: $code, kind: BRANCH,
            provinceCodes: [\"16\", \"15\"], openedOn: \"2010-01-01\"}) { channel { code } errors { code message } } }";
        let data = self.ask(query, json!({"code": code})).await;
        data["openChannel"]["channel"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("not opened: {data}"))
            .to_owned()
    }

    /// Registers a company in South Sumatra. Returns its id.
    pub async fn employer(&self, name: &str) -> String {
        self.employer_of(name, "COMPANY").await
    }

    /// Registers a government employer in South Sumatra. Returns its id.
    pub async fn government(&self, name: &str) -> String {
        self.employer_of(name, "GOVERNMENT").await
    }

    async fn employer_of(&self, name: &str, kind: &str) -> String {
        let query = "mutation ($name: String!, $kind: EmployerKind!) { registerEmployer(input: {name: $name, kind: $kind,
            provinceCode: \"16\"}) { employer { id } errors { code message } } }";
        let data = self.ask(query, json!({"name": name, "kind": kind})).await;
        let id = data["registerEmployer"]["employer"]["id"].as_str();
        id.unwrap_or_else(|| panic!("not registered: {data}")).to_owned()
    }

    /// Registers an association in South Sumatra. Returns its id.
    pub async fn association(&self, name: &str) -> String {
        let query = "mutation ($name: String!) { registerAssociation(input: {name: $name, trade: \"fishing\",
            provinceCode: \"16\"}) { association { id } errors { code message } } }";
        let data = self.ask(query, json!({"name": name})).await;
        data["registerAssociation"]["association"]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{data}"))
            .to_owned()
    }
}
