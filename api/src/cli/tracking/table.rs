//! Submissions as CSV: S003's columns for NPA's leads, all mapped fields for the others.

use std::collections::BTreeSet;

use domain::ids::DeliveryId;
use serde_json::{Map, Value};
use service::intake::export::neutral;

use super::Shown;
use crate::cli::Failure;

/// The columns of S003-13, which the reports of NPA leads have always had; a further one says why a lead failed.
const NPA_COLUMNS: [&str; 12] = [
    "id",
    "submitted_at",
    "channel",
    "session_id",
    "full_name",
    "phone",
    "email",
    "zip_code",
    "vehicle_make",
    "vehicle_model",
    "vehicle_year",
    "error",
];

/// What leads of other sources begin with; their fields follow.
const COLUMNS: [&str; 10] = [
    "id",
    "lead",
    "submitted_at",
    "channel",
    "session_id",
    "source",
    "destination",
    "state",
    "remote_id",
    "error",
];

/// The rows as CSV: NPA's own columns when all are NPA's, else all their fields.
pub(super) fn csv(rows: &[(DeliveryId, Shown)]) -> Result<Vec<u8>, Failure> {
    let written = if !rows.is_empty() && rows.iter().all(|(_, row)| row.of_npa) {
        npa_csv(rows)
    } else {
        any_csv(rows)
    };
    written.map_err(|error| Failure::failed("writing CSV", error))
}

fn npa_csv(rows: &[(DeliveryId, Shown)]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = rows.iter().any(|(_, row)| row.error.is_some());
    let columns = if failed { &NPA_COLUMNS[..] } else { &NPA_COLUMNS[..NPA_COLUMNS.len() - 1] };
    writer.write_record(columns)?;
    for (_, row) in rows {
        let lead = |name: &str| text(row.lead_data.get(name));
        let names = [lead("first_name"), lead("last_name")];
        let full_name =
            names.iter().map(String::as_str).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" ");
        let cells = [
            row.id.clone(),
            row.submitted_at.map(|at| at.to_rfc3339()).unwrap_or_default(),
            row.channel.clone(),
            row.session_id.clone().unwrap_or_default(),
            full_name,
            ten_digits(&lead("phone")),
            lead("email"),
            lead("zip"),
            lead("vehicle_make"),
            lead("vehicle_model"),
            lead("vehicle_year"),
            row.error.clone().unwrap_or_default(),
        ];
        writer.write_record(cells[..columns.len()].iter().map(|cell| neutral(cell).into_owned()))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn any_csv(rows: &[(DeliveryId, Shown)]) -> Result<Vec<u8>, csv::Error> {
    let nothing = Map::new();
    let fields: BTreeSet<&str> = rows
        .iter()
        .flat_map(|(_, row)| row.lead_data.as_object().unwrap_or(&nothing).keys().map(String::as_str))
        .collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS.iter().copied().chain(fields.iter().copied()))?;
    for (_, row) in rows {
        let own = [
            row.id.clone(),
            row.lead.clone(),
            row.submitted_at.map(|at| at.to_rfc3339()).unwrap_or_default(),
            row.channel.clone(),
            row.session_id.clone().unwrap_or_default(),
            row.source.clone(),
            row.destination.clone(),
            row.state.clone(),
            row.remote_id.clone().unwrap_or_default(),
            row.error.clone().unwrap_or_default(),
        ];
        let lead = fields.iter().map(|name| match (*name, row.lead_data.get(*name)) {
            ("phone", Some(Value::String(phone))) => ten_digits(phone),
            ("alt_phones", Some(Value::Array(phones))) => {
                phones.iter().map(|phone| ten_digits(&text(Some(phone)))).collect::<Vec<_>>().join(", ")
            }
            (_, value) => text(value),
        });
        writer.write_record(own.into_iter().chain(lead).map(|cell| neutral(&cell).into_owned()))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// A North American number as people and CRMs there write it.
fn ten_digits(phone: &str) -> String {
    phone.strip_prefix("+1").filter(|digits| digits.len() == 10).unwrap_or(phone).to_owned()
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(values)) => values.iter().map(|one| text(Some(one))).collect::<Vec<_>>().join(", "),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn row(of_npa: bool, error: Option<&str>, lead_data: Value) -> (DeliveryId, Shown) {
        let id = DeliveryId(Uuid::nil());
        let shown = Shown {
            id: "delivery_1".to_owned(),
            lead: "lead_1".to_owned(),
            destination: "npa".to_owned(),
            state: "delivered".to_owned(),
            submitted_at: DateTime::from_timestamp(1_795_176_000, 0),
            channel: "sms".to_owned(),
            session_id: Some("901".to_owned()),
            session_key: None,
            source: "ivr".to_owned(),
            attempts: 1,
            retries: 0,
            last_attempt_at: None,
            resolved: false,
            error: error.map(str::to_owned),
            remote_id: None,
            http_status: None,
            response: None,
            lead_data,
            of_npa,
        };
        (id, shown)
    }

    #[test]
    fn leads_of_npa_have_the_columns_that_they_always_had() {
        let lead = json!({"first_name": "Pat", "last_name": "Rider01", "phone": "+14065550101", "zip": "59101",
                          "vehicle_make": "Harley-Davidson", "vehicle_year": 2020});
        let text = String::from_utf8(csv(&[row(true, None, lead.clone())]).expect("written")).expect("text");
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some(
                "id,submitted_at,channel,session_id,full_name,phone,email,zip_code,vehicle_make,vehicle_model,vehicle_year"
            )
        );
        assert_eq!(
            lines.next(),
            Some(
                "delivery_1,2026-11-20T12:00:00+00:00,sms,901,Pat Rider01,4065550101,,59101,Harley-Davidson,,2020"
            )
        );
        let failed =
            String::from_utf8(csv(&[row(true, Some("HTTP 200: no"), lead)]).expect("written")).expect("text");
        assert!(
            failed.lines().all(|line| line.ends_with(",error") || line.ends_with(",HTTP 200: no")),
            "{failed}"
        );
    }

    #[test]
    fn other_leads_have_all_their_fields() {
        let rows = [row(false, None, json!({"city": "Boulder"})), row(true, None, json!({"ltv": 55.5}))];
        let text = String::from_utf8(csv(&rows).expect("written")).expect("text");
        assert!(text.lines().next().is_some_and(|header| header.ends_with("error,city,ltv")), "{text}");
        assert!(text.lines().nth(1).is_some_and(|line| line.ends_with(",Boulder,")), "{text}");
    }
}
