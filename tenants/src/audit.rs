//! The audit log: who did what to what, only ever appended.
//!
//! The database refuses to change or remove a line, and each line's hash covers the line before it, so that whoever
//! edits the file with another program is found out by [`Tenant::verify_audit`].

use chrono::{DateTime, Utc};
use domain::ids::AuditId;
use libsql::params;
use sha2::{Digest, Sha256};

use crate::database::{Row, select};
use crate::error::Fault;
use crate::row::Columns;
use crate::user::millisecond;
use crate::{Error, Tenant};

/// The most lines of one page.
const PAGE_MAX: u32 = 200;
/// The longest detail in bytes: a line says what was done, it is no copy of it.
const DETAIL_BYTES_MAX: usize = 16 * 1024;

/// A line to be written.
#[derive(Debug, Clone)]
pub struct NewAuditEntry {
    /// Who: a `TypeID`, or `operator`.
    pub actor: String,
    /// What, as in `user.invited`.
    pub action: String,
    /// To what: a `TypeID` or a name.
    pub subject: String,
    /// From which network address, when it came over one.
    pub address: Option<String>,
    /// More about it, as JSON; never a secret. At most 16 KiB.
    pub detail: serde_json::Value,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Its place, from 1, without gaps.
    pub number: i64,
    /// Its id.
    pub id: AuditId,
    /// When it was done.
    pub at: DateTime<Utc>,
    /// Who: a `TypeID`, or `operator`.
    pub actor: String,
    /// What, as in `user.invited`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// From which network address.
    pub address: Option<String>,
    /// More about it.
    pub detail: serde_json::Value,
}

/// Which lines.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only those of that actor.
    pub actor: Option<String>,
    /// Only those whose action begins so, as in `user.`.
    pub action: Option<String>,
    /// Only those about that.
    pub subject: Option<String>,
    /// Only those at or after that moment.
    pub since: Option<DateTime<Utc>>,
    /// Only those before that place: what follows on the page before.
    pub before: Option<i64>,
}

impl Tenant {
    /// Appends a line.
    pub async fn append_audit(&self, new: NewAuditEntry, now: DateTime<Utc>) -> Result<AuditId, Error> {
        let id = AuditId(self.new_id(now));
        let now = millisecond(now);
        let detail = new.detail.to_string();
        if detail.len() > DETAIL_BYTES_MAX {
            return Err(Error::InvalidField { field: "detail", must: "must have at most 16 KiB" });
        }
        self.write("append to the audit log", async move |transaction| {
            let sql = "SELECT number, hash FROM audit_entry ORDER BY number DESC LIMIT 1";
            let last = select(transaction, sql, (), |row| {
                Ok((row.get::<i64>(0)?, Columns::of("audit_entry", row).hash(1, "hash")?))
            });
            let (number, before) = last.await?.pop().unwrap_or((0, [0; 32]));
            let number = number + 1;
            let line = Line { number, id: &id.to_string(), at: now, new: &new, detail: &detail };
            let hash = line.hash(before).to_vec();
            let sql = "INSERT INTO audit_entry (number, id, at, actor, action, subject, address, detail, hash) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            let values = params![
                number,
                id.to_string(),
                now.timestamp_millis(),
                new.actor,
                new.action,
                new.subject,
                new.address,
                detail,
                hash,
            ];
            transaction.execute(sql, values).await?;
            Ok(())
        })
        .await?;
        Ok(id)
    }

    /// A page of the log, newest first; at most 200.
    pub async fn audit_entries(&self, filter: AuditFilter, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        let sql = "SELECT id, number, at, actor, action, subject, address, detail FROM audit_entry \
                   WHERE (?1 IS NULL OR actor = ?1) AND (?2 IS NULL OR substr(action, 1, length(?2)) = ?2) \
                   AND (?3 IS NULL OR subject = ?3) AND (?4 IS NULL OR at >= ?4) AND (?5 IS NULL OR number < ?5) \
                   ORDER BY number DESC LIMIT ?6";
        let since = filter.since.map(|since| since.timestamp_millis());
        let values =
            params![filter.actor, filter.action, filter.subject, since, filter.before, limit.min(PAGE_MAX)];
        self.read("read the audit log", sql, values, read_entry).await
    }

    /// Walks the whole log. The place of the first line that was changed or is missing; none when it is whole.
    ///
    /// Lines cut off at the very end cannot be seen from the log alone; its length can be noted elsewhere.
    pub async fn verify_audit(&self) -> Result<Option<i64>, Error> {
        let mut before = [0; 32];
        let mut expected = 1;
        loop {
            let sql = "SELECT id, number, at, actor, action, subject, address, detail, hash FROM audit_entry \
                       WHERE number >= ?1 ORDER BY number LIMIT ?2";
            let page = self.read("verify the audit log", sql, params![expected, PAGE_MAX], read_line).await?;
            if page.is_empty() {
                return Ok(None);
            }
            for (number, id, at, new, detail, hash) in page {
                let line = Line { number, id: &id, at, new: &new, detail: &detail };
                if number != expected || line.hash(before) != hash {
                    return Ok(Some(expected));
                }
                before = hash;
                expected += 1;
            }
        }
    }
}

/// What a line's hash covers.
struct Line<'a> {
    number: i64,
    id: &'a str,
    at: DateTime<Utc>,
    new: &'a NewAuditEntry,
    detail: &'a str,
}

impl Line<'_> {
    /// SHA-256 over the hash before and every field with its length, so that no two lines have the same bytes.
    fn hash(&self, before: [u8; 32]) -> [u8; 32] {
        let mut digest = Sha256::new().chain_update(before);
        let (number, at) = (self.number.to_string(), self.at.timestamp_millis().to_string());
        let address = self.new.address.as_deref().unwrap_or("-");
        let new = self.new;
        for field in [&number, self.id, &at, &new.actor, &new.action, &new.subject, address, self.detail] {
            digest.update((field.len() as u64).to_be_bytes());
            digest.update(field.as_bytes());
        }
        digest.finalize().into()
    }
}

fn read_entry(row: &Row) -> Result<AuditEntry, Fault> {
    let columns = Columns::of("audit_entry", row);
    Ok(AuditEntry {
        id: columns.parsed(0, "id")?,
        number: row.get(1)?,
        at: columns.time(2, "at")?,
        actor: columns.text(3, "actor")?.to_owned(),
        action: columns.text(4, "action")?.to_owned(),
        subject: columns.text(5, "subject")?.to_owned(),
        address: columns.parsed_if_any(6, "address")?,
        detail: serde_json::from_str(columns.text(7, "detail")?).map_err(|_| columns.corrupt("detail"))?,
    })
}

type StoredLine = (i64, String, DateTime<Utc>, NewAuditEntry, String, [u8; 32]);

/// A line as it is stored, byte for byte: what its hash was made of.
fn read_line(row: &Row) -> Result<StoredLine, Fault> {
    let columns = Columns::of("audit_entry", row);
    let new = NewAuditEntry {
        actor: columns.text(3, "actor")?.to_owned(),
        action: columns.text(4, "action")?.to_owned(),
        subject: columns.text(5, "subject")?.to_owned(),
        address: columns.parsed_if_any(6, "address")?,
        detail: serde_json::Value::Null,
    };
    let detail = columns.text(7, "detail")?.to_owned();
    Ok((
        row.get(1)?,
        columns.text(0, "id")?.to_owned(),
        columns.time(2, "at")?,
        new,
        detail,
        columns.hash(8, "hash")?,
    ))
}
