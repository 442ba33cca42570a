//! A report that only a static code vouches for is held against the service's own record before it has an effect.
//!
//! Whoever knows the code can write anything. So only what the record bears out counts: that it is there; that somebody was in touch with its
//! person; that its status is as far as was said; that its person wants no more contact. Where the record is silent about one of these, its
//! being there is all that can be asked. A record that has gone further bears out the steps before. Of sold and lost, only the same.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::bonzo::{self, Contact, Prospect};
use super::words::Words;
use super::{Report, StatusMap};
use crate::journey::Step;

/// What the record says of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is taken apart at once")]
pub enum Confirmed {
    /// It bears this out: what is left of the report, and names the lead in its own terms.
    Report(Report),
    /// It bears nothing out; why, for people.
    Contradicted(String),
}

/// Holds a report of Bonzo's against the prospect as Bonzo's API gives it; none: the API knows no such prospect.
pub fn confirm(report: &Report, record: Option<&Value>, map: &StatusMap) -> Confirmed {
    let Some(record) = record else {
        return Confirmed::Contradicted("the API knows no such prospect".to_owned());
    };
    let prospect = bonzo::prospect(record, Words(map));
    if prospect.about.remote_id.is_none() || prospect.about.remote_id != report.about.remote_id {
        return Confirmed::Contradicted("the API answers with another prospect".to_owned());
    }
    let mut left = Report {
        about: prospect.about.clone(),
        at: report.at,
        steps: Vec::new(),
        // A wish that the record knows counts whether or not the report speaks of it.
        opted_out: prospect.opted_out.unwrap_or(report.opted_out),
        said: report.said.clone(),
        links: prospect.links.clone(),
    };
    let mut against = Vec::new();
    for step in &report.steps {
        match borne_out(*step, report, &prospect) {
            Ok(at) => {
                left.steps.push(*step);
                left.at = at;
            }
            Err(why) => against.push(why),
        }
    }
    if report.opted_out && !left.opted_out {
        against.push("the person may be contacted".to_owned());
    }
    if left.steps.is_empty() && !left.opted_out && !against.is_empty() {
        return Confirmed::Contradicted(format!("the API says otherwise: {}", against.join(", ")));
    }
    Confirmed::Report(left)
}

/// When it happened, or what the record says instead.
fn borne_out(step: Step, report: &Report, prospect: &Prospect) -> Result<Option<DateTime<Utc>>, String> {
    let status = || match &prospect.status {
        Some(status) => format!("its status is {}", super::said(&[status])),
        None => "it has no status".to_owned(),
    };
    let by_status = |step: Step| match prospect.step.and_then(Step::rank).zip(step.rank()) {
        Some((4, 4)) => prospect.step == Some(step),
        Some((there, said)) => there >= said,
        None => false,
    };
    match step {
        Step::Submitted => Ok(report.at),
        Step::Contacted => match prospect.contact {
            // Its own last contact is the latest that there can have been.
            Contact::Last(last) => Ok(Some(report.at.map_or(last, |at| at.min(last)))),
            Contact::Never if !by_status(step) => Err("nobody was in touch".to_owned()),
            Contact::Never | Contact::Unsaid => Ok(report.at),
        },
        step if prospect.status.is_none() || by_status(step) => Ok(report.at),
        _ => Err(status()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{Kind, read};
    use super::*;

    fn hook(event: &str, more: &Value) -> Report {
        let mut prospect = json!({"id": 7, "phone": "+19705550101", "updated_at": "2026-11-20T12:00:00Z"});
        prospect.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let body = json!({"event": event, "prospect": prospect}).to_string();
        read(Kind::Bonzo, &body, &StatusMap::default()).expect("a report")
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is made where it is given")]
    fn held_against(report: &Report, record: Value) -> Confirmed {
        confirm(report, Some(&record), &StatusMap::default())
    }

    fn left(confirmed: Confirmed) -> (Vec<Step>, bool) {
        match confirmed {
            Confirmed::Report(report) => (report.steps, report.opted_out),
            Confirmed::Contradicted(why) => panic!("contradicted: {why}"),
        }
    }

    fn against(confirmed: Confirmed) -> String {
        match confirmed {
            Confirmed::Report(report) => panic!("borne out: {report:?}"),
            Confirmed::Contradicted(why) => why,
        }
    }

    #[test]
    fn only_what_the_record_bears_out_counts() {
        let sold = hook("prospects.updated", &json!({"status": "Closed Won"}));
        assert_eq!(left(held_against(&sold, json!({"id": 7, "status": "sold"}))), (vec![Step::Sold], false));
        let why = against(held_against(&sold, json!({"id": 7, "status": "Working"})));
        assert_eq!(why, "the API says otherwise: its status is Working");
        against(held_against(&sold, json!({"id": 7, "status": "lost"})));
        against(held_against(&sold, json!({"id": 8, "status": "sold"})));
        assert_eq!(against(confirm(&sold, None, &StatusMap::default())), "the API knows no such prospect");

        let working = hook("prospects.updated", &json!({"status": "working"}));
        let further = held_against(&working, json!({"id": "7", "status": "lost"}));
        assert_eq!(left(further), (vec![Step::Qualified], false), "it has gone further since");
        assert_eq!(
            left(held_against(&working, json!({"id": 7}))).0,
            [Step::Qualified],
            "no status to hold against"
        );
    }

    #[test]
    fn a_contact_is_no_later_than_the_last_one() {
        let sent = hook("messages.outgoing.updated", &json!({}));
        let none = held_against(&sent, json!({"id": 7, "last_contact": null}));
        assert_eq!(against(none), "the API says otherwise: nobody was in touch");
        match held_against(&sent, json!({"id": 7, "last_contact": "2026-11-20T11:00:00Z"})) {
            Confirmed::Report(report) => {
                assert_eq!(report.at.map(|at| at.to_rfc3339()).as_deref(), Some("2026-11-20T11:00:00+00:00"));
            }
            Confirmed::Contradicted(why) => panic!("{why}"),
        }
    }

    #[test]
    fn the_records_own_wish_and_keys_count() {
        let out = hook("prospects.updated", &json!({"dnc": true}));
        assert_eq!(left(held_against(&out, json!({"id": 7, "dnc": 1}))), (vec![], true));
        against(held_against(&out, json!({"id": 7, "dnc": false})));
        assert!(left(held_against(&out, json!({"id": 7}))).1, "in doubt for the person");
        let created = hook("prospects.created", &json!({}));
        let found = held_against(&created, json!({"id": 7, "dnc": true, "phone": "+13035550100"}));
        match found {
            Confirmed::Report(report) => {
                assert!(report.opted_out);
                assert_eq!(
                    report.about.phone.as_deref(),
                    Some("+13035550100"),
                    "not the report's word for whose it is"
                );
            }
            Confirmed::Contradicted(why) => panic!("{why}"),
        }
    }

    proptest! {
        #[test]
        fn no_more_comes_out_than_was_said(said in ".{0,20}", is in ".{0,20}") {
            let report = hook("prospects.updated", &json!({"status": said}));
            if let Confirmed::Report(left) = held_against(&report, json!({"id": 7, "status": is})) {
                prop_assert!(left.steps.iter().all(|step| report.steps.contains(step)));
            }
        }
    }
}
