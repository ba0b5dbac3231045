//! Random payers over the real database: a payment that is recorded and reversed leaves everything as it was.

use super::renewals::{TRANSFER, pay_for};
use super::*;
use crate::support::random::Random;

const STEPS: usize = 12;

struct Payer {
    app: App,
    employers: [String; 2],
    outlet: String,
    /// The enrollments, by employer, that have not ended.
    enrollments: Vec<(usize, String)>,
    payments: usize,
    random: Random,
}

fn month(n: u64) -> String {
    format!("2014-{:02}-01", 7 + n)
}

impl Payer {
    async fn new(seed: u64) -> Self {
        let app = App::new().await;
        app.channel("BR-PLG").await;
        let employers = [app.employer("PT Karet").await, app.employer("PT Kopi").await];
        let outlet = app.outlet("OUT-1").await;
        Self { app, employers, outlet, enrollments: Vec::new(), payments: 0, random: Random(seed) }
    }

    /// Changes something that bills depend on. What is refused changes nothing.
    async fn change(&mut self) -> String {
        let on = month(self.random.below(4));
        let of = self.random.below(self.enrollments.len().max(1) as u64) as usize;
        match (self.random.below(6), self.enrollments.get(of).cloned()) {
            (0, Some((_, id))) => {
                self.enrollments.remove(of);
                let day = on.replace("-01", &format!("-{:02}", 1 + self.random.below(27)));
                self.app.end(&id, &day, "RESIGNED").await;
                format!("end {of} {day}")
            }
            (1, Some((_, id))) => {
                let wage = 2_000_000 + 100_000 * self.random.below(10);
                let input = json!({"enrollmentId": id, "monthlyWage": wage, "effectiveOn": on});
                let change =
                    "mutation ($input: ChangeWageInput!) { changeWage(input: $input) { errors { code } } }";
                self.app.ask(change, json!({"input": input})).await;
                format!("wage {of} {wage} {on}")
            }
            (2, Some((employer, id))) => {
                let input = json!({"enrollmentIds": [id], "month": on});
                self.app.record_payment(&self.app.administrator().await, input).await;
                format!("record {of} of {employer} {on}")
            }
            (3, Some((employer, id))) if on != month(0) => {
                let to = 1 - employer;
                let input = json!({"enrollmentId": id, "employerId": self.employers[to], "channelCode": "BR-PLG", "on": on,
                    "monthlyWage": 2_000_000});
                let payload =
                    self.app.ask(TRANSFER, json!({"input": input})).await["transferEnrollment"].take();
                if let Some(id) = payload["enrollment"]["id"].as_str() {
                    self.enrollments[of] = (to, id.to_owned());
                }
                format!("transfer {of} {on} {}", payload["errors"])
            }
            _ => {
                let employer = self.random.below(2) as usize;
                let form = worker("BR-PLG", &self.employers[employer], 2_000_000).with("startsOn", json!(on));
                let (_, id) = self.app.enrollment(&form).await;
                self.enrollments.push((employer, id));
                format!("enroll at {employer} {on}")
            }
        }
    }

    /// Pays, if somebody was enrolled there, and returns the reference.
    async fn pay(&mut self, employer: usize, amount: i64) -> Option<String> {
        self.payments += 1;
        let reference = format!("P{}", self.payments);
        if self.app.bill(&self.outlet, &self.employers[employer], OCTOBER).await["people"] == 0 {
            return None;
        }
        pay_for(&self.app, &self.outlet, &self.employers[employer], (&reference, amount)).await;
        Some(reference)
    }

    /// Everything that payments change.
    async fn state(&self) -> String {
        let sql = "select concat_ws(e'\n',
            (select string_agg(concat_ws(' ', participant_id, id, status, paid, settled, owed), e'\n' order by participant_id, id)
             from enrollment),
            (select string_agg(concat_ws(' ', a.payment_id, a.month, a.purpose, a.amount), e'\n'
                               order by a.payment_id, a.month, a.purpose)
             from payment_allocation a join payment p on p.id = a.payment_id where p.reversed_at is null),
            (select string_agg(concat_ws(' ', employer_id, month, due), e'\n' order by employer_id, month, due)
             from payment_settlement))";
        sqlx::query_scalar(sql).fetch_one(&self.app.sql).await.unwrap()
    }
}

#[tokio::test]
async fn a_payment_that_is_reversed_at_once_leaves_everything_as_it_was() {
    for seed in [3, 20, 201] {
        let mut payer = Payer::new(seed).await;
        let mut story = Vec::new();
        for _ in 0..STEPS {
            story.push(payer.change().await);
            if payer.random.below(3) == 0 {
                let (employer, amount) =
                    (payer.random.below(2) as usize, 1 + payer.random.below(600_000) as i64);
                payer.pay(employer, amount).await;
                story.push(format!("pay {employer} {amount}"));
            }
            let employer = payer.random.below(2) as usize;
            // Money that a change has freed goes its way first.
            payer.pay(employer, 1).await;
            let before = payer.state().await;
            let amount = 1 + payer.random.below(700_000) as i64;
            story.push(format!("pay and reverse {employer} {amount}"));
            if let Some(reference) = payer.pay(employer, amount).await {
                let reversed = payer.app.reverse(&payer.outlet, &reference).await;
                assert_eq!(reversed["errors"], json!([]));
            }
            assert_eq!(payer.state().await, before, "seed {seed}: {story:#?}");
        }
        // Without any money nothing is covered by money, in whatever order it goes.
        let mut references: Vec<String> = (1..=payer.payments).map(|n| format!("P{n}")).collect();
        while !references.is_empty() {
            let at = payer.random.below(references.len() as u64) as usize;
            payer.app.reverse(&payer.outlet, &references.swap_remove(at)).await;
        }
        let covered = "select count(*) from enrollment where settled is not null";
        assert_eq!(payer.app.count(covered).await, 0, "seed {seed}: {story:#?}");
        assert_eq!(payer.app.count("select count(*) from payment_allocation").await, 0);
        assert_eq!(payer.app.differing_counters().await, 0);
    }
}
