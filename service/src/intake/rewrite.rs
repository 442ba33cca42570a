//! Revised leads are written back, however many, by one statement.

use std::collections::HashMap;

use compact_str::CompactString;
use domain::ids::ImportId;
use domain::intake::{write_details_json, write_extra_json, write_warnings_json};
use domain::lead::Lead;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::merge::{Candidate, Origin, scope};

/// The revised lead, and the record that revised it.
pub(super) type Revised<'a> = (Lead, &'a Candidate);

const REVISE: &str = "UPDATE lead SET import_id = $2, record = n.record, fingerprint = n.fingerprint,
        lead_type = n.lead_type, channel = coalesce(n.channel, lead.channel), first_name = n.first_name, last_name = n.last_name,
        phone = n.phone, phone_ext = n.phone_ext, alt_phones = n.alt_phones, email = n.email, alt_emails = n.alt_emails,
        address = n.address, city = n.city, state = n.state, zip = n.zip, zip4 = n.zip4,
        details = n.details, extra = n.extra, warnings = n.warnings,
        phone_scope = CASE WHEN n.phone IS NOT NULL THEN coalesce(lead.phone_scope, n.phone_scope) END,
        email_scope = CASE WHEN n.email IS NOT NULL THEN coalesce(lead.email_scope, n.email_scope) END
    FROM jsonb_to_recordset($3) AS n(id uuid, record integer, fingerprint uuid, lead_type text, channel text, first_name text,
        last_name text, phone text, phone_ext text, alt_phones text[], email text, alt_emails text[], address text,
        city text, state text, zip text, zip4 text, details jsonb, extra jsonb, warnings jsonb,
        phone_scope uuid, email_scope uuid)
    WHERE lead.tenant_id = $1 AND lead.id = n.id";

/// What was held for want of something may have it now.
const RELEASE_HELD: &str = "UPDATE delivery
    SET state = 'pending', due_at = $3, budget_from = attempts, reason = NULL, finished_at = NULL, code = NULL,
        failed_once = true
    WHERE tenant_id = $1 AND lead_id = ANY($2) AND state = 'held'";

/// A revised lead as [`REVISE`] reads it.
#[derive(Serialize)]
struct Row<'a> {
    id: Uuid,
    record: Option<i32>,
    fingerprint: Uuid,
    lead_type: Option<&'a str>,
    channel: Option<&'a str>,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    phone: Option<&'a str>,
    phone_ext: Option<&'a str>,
    alt_phones: Option<&'a [CompactString]>,
    email: Option<&'a str>,
    alt_emails: Option<&'a [CompactString]>,
    address: Option<&'a str>,
    city: Option<&'a str>,
    state: Option<&'a str>,
    zip: Option<&'a str>,
    zip4: Option<&'a str>,
    details: Box<RawValue>,
    extra: Option<Box<RawValue>>,
    warnings: Option<Box<RawValue>>,
    phone_scope: Uuid,
    email_scope: Uuid,
}

impl<'a> Row<'a> {
    fn of(origin: &Origin, id: Uuid, (lead, candidate): &'a Revised<'_>) -> Result<Self, serde_json::Error> {
        fn some(values: &[CompactString]) -> Option<&[CompactString]> {
            (!values.is_empty()).then_some(values)
        }
        let written = |write: &dyn Fn(&mut String)| {
            let mut text = String::new();
            write(&mut text);
            RawValue::from_string(text)
        };
        let extra = || written(&|text| write_extra_json(lead, text));
        let warnings = || written(&|text| write_warnings_json(&candidate.warnings, text));
        Ok(Self {
            id,
            record: origin.import.map(|_| candidate.record),
            fingerprint: Uuid::from_u128(candidate.fingerprint),
            lead_type: lead.lead_type.as_deref(),
            channel: lead.channel.as_deref(),
            first_name: lead.first_name.as_deref(),
            last_name: lead.last_name.as_deref(),
            phone: lead.phone.as_deref(),
            phone_ext: lead.phone_ext.as_deref(),
            alt_phones: some(&lead.alt_phones),
            email: lead.email.as_deref(),
            alt_emails: some(&lead.alt_emails),
            address: lead.address.as_deref(),
            city: lead.city.as_deref(),
            state: lead.state.as_deref(),
            zip: lead.zip.as_deref(),
            zip4: lead.zip4.as_deref(),
            details: written(&|text| write_details_json(lead, text))?,
            extra: (!lead.extra.is_empty()).then(extra).transpose()?,
            warnings: (!candidate.warnings.is_empty()).then(warnings).transpose()?,
            phone_scope: scope(origin, origin.identity.phone, id),
            email_scope: scope(origin, origin.identity.email, id),
        })
    }
}

/// Writes revisions, and releases the deliveries that waited for them.
pub(super) async fn write(
    connection: &mut PgConnection,
    origin: &Origin,
    revised: &HashMap<Uuid, Revised<'_>>,
) -> Result<(), sqlx::Error> {
    if revised.is_empty() {
        return Ok(());
    }
    let rows: Result<Vec<_>, _> = revised.iter().map(|(id, revised)| Row::of(origin, *id, revised)).collect();
    let rows = rows.map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(REVISE)
        .bind(origin.tenant.uuid())
        .bind(origin.import.map(ImportId::uuid))
        .bind(Json(rows))
        .execute(&mut *connection)
        .await?;
    sqlx::query(RELEASE_HELD)
        .bind(origin.tenant.uuid())
        .bind(revised.keys().copied().collect::<Vec<_>>())
        .bind(origin.now)
        .execute(connection)
        .await?;
    Ok(())
}
