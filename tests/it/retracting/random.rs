//! Random histories over the real database: what is recorded and retracted equals what was never recorded.

use super::paid;
use crate::support::random::Random;
use crate::support::{App, Person, Value, json};

/// What is told to the registry about a person. Enrollments are named by their number in the story.
#[derive(Clone, Copy, Debug)]
enum Told {
    Enrolled { employer: usize, day: u64 },
    Paid { enrollment: usize, month: u64 },
    Ended { enrollment: usize, day: u64 },
    Transferred { enrollment: usize, employer: usize, day: u64 },
}

/// A person whose story is told.
struct Hero<'a> {
    app: &'a App,
    person: Person,
    employers: &'a [String],
    /// The enrollments by the position in the story of what began them.
    enrollments: Vec<Option<String>>,
    id: Option<String>,
}

fn day(day: u64) -> String {
    format!("2014-{:02}-{:02}", 6 + day / 28, 1 + day % 28)
}

impl Hero<'_> {
    /// Tells a part of the story. Returns whether the registry accepted it and recorded something.
    async fn tell(&mut self, told: Told) -> bool {
        let enrollment_of = |number: usize| self.enrollments.get(number).cloned().flatten();
        let mut begun = None;
        let is_recorded = match told {
            Told::Enrolled { employer, day: on } => {
                let person =
                    self.person.clone().at(&self.employers[employer]).with("startsOn", json!(day(on)));
                let payload = self.app.enroll(&paid(person)).await;
                begun = payload["enrollment"]["id"].as_str().map(str::to_owned);
                if let Some(id) = payload["participant"]["id"].as_str() {
                    self.id = Some(id.to_owned());
                }
                payload["errors"] == json!([])
            }
            Told::Paid { enrollment, month } => match enrollment_of(enrollment) {
                Some(id) => {
                    self.app.pay_month(&id, &format!("2014-{:02}-01", 6 + month)).await["recorded"] == 1
                }
                None => false,
            },
            Told::Ended { enrollment, day: on } => match enrollment_of(enrollment) {
                Some(id) => self.app.end(&id, &day(on), "RESIGNED").await["errors"] == json!([]),
                None => false,
            },
            Told::Transferred { enrollment, employer, day: on } => match enrollment_of(enrollment) {
                Some(id) => {
                    let payload = self.app.transfer(&id, &self.employers[employer], &day(on)).await;
                    begun = payload["enrollment"]["id"].as_str().map(str::to_owned);
                    payload["errors"] == json!([])
                }
                None => false,
            },
        };
        self.enrollments.push(begun);
        is_recorded
    }

    /// Skips a part of the story.
    fn skip(&mut self) {
        self.enrollments.push(None);
    }

    /// Returns the enrollments without their ids, and the status.
    async fn state(&self) -> Value {
        let Some(id) = &self.id else { return json!([]) };
        let mut life = self.app.life(id).await;
        let mut nodes = life["enrollments"]["nodes"].take();
        let nodes = nodes.as_array_mut().unwrap();
        nodes.iter_mut().for_each(|node| {
            node.as_object_mut().unwrap().remove("id");
        });
        if nodes.is_empty() { json!([]) } else { json!([life["status"], life["employer"], nodes]) }
    }

    /// Returns the ids of the events in force that are no lapses, the oldest first.
    async fn events(&self) -> Vec<String> {
        let Some(id) = &self.id else { return Vec::new() };
        let life = self.app.life(id).await;
        let is_fact = |event: &&Value| {
            event["retractionState"].is_null()
                && !["LAPSED", "RESUMED"].contains(&event["kind"].as_str().unwrap())
        };
        let nodes = life["events"]["nodes"].as_array().unwrap().iter().rev();
        nodes.filter(is_fact).map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }
}

fn invent(random: &mut Random) -> Vec<Told> {
    let mut story = vec![Told::Enrolled { employer: 0, day: random.below(60) }];
    for _ in 0..7 {
        let enrollment = usize::try_from(random.below(story.len() as u64)).unwrap();
        let employer = usize::try_from(random.below(2)).unwrap();
        story.push(match random.below(8) {
            0..2 => Told::Enrolled { employer, day: random.below(150) },
            2..5 => Told::Paid { enrollment, month: random.below(6) },
            5..7 => Told::Transferred { enrollment, employer, day: 30 + random.below(130) },
            _ => Told::Ended { enrollment, day: 30 + random.below(130) },
        });
    }
    story
}

#[tokio::test]
async fn what_is_recorded_and_retracted_equals_what_was_never_recorded() {
    let app = App::on(super::DECEMBER).await;
    let channel = app.channel("BR-PLG").await;
    let employers = [app.employer("PT Musi").await, app.employer("PT Ogan").await];
    let hero = || Hero {
        app: &app,
        person: Person::new(&channel),
        employers: &employers,
        enrollments: Vec::new(),
        id: None,
    };
    let mut taken_back = 0;
    for seed in 1..=16 {
        let mut random = Random(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let story = invent(&mut random);
        // The events that each part of the story recorded.
        let (mut one, mut parts, mut known) = (hero(), Vec::new(), 0);
        for &told in &story {
            let is_recorded = one.tell(told).await;
            let events = one.events().await;
            parts.push((told, is_recorded, events[known..].to_vec()));
            known = events.len();
        }
        for _ in 0..4 {
            let at = usize::try_from(random.below(parts.len() as u64)).unwrap();
            let Some(event) = parts[at].2.first().cloned() else { continue };
            if app.retract(&event).await["errors"] == json!([]) {
                parts[at].1 = false;
                parts[at].2.clear();
                taken_back += 1;
            }
        }
        let mut never = hero();
        for &(told, is_kept, _) in &parts {
            if is_kept {
                assert!(never.tell(told).await, "{seed}: {told:?} was kept, so it is accepted: {story:?}");
            } else {
                never.skip();
            }
        }
        assert_eq!(one.state().await, never.state().await, "{seed}: {parts:?}");
    }
    assert!(taken_back >= 12, "{taken_back}");
    assert_eq!(app.differing_counters().await, 0);
}
