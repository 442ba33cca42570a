//! Rows out of the store by COPY in binary: for many, the way out of the database costs more than what is done with them.

use futures_util::TryStreamExt as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;

/// The fields of one row in binary.
pub(super) struct Fields<'a>(&'a [u8]);

/// Microseconds from 1970 to 2000, where Postgres counts from.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

impl<'a> Fields<'a> {
    /// The bytes of the next field; none when it is NULL or missing.
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
        let (field, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    /// Whether the next field is NULL, which is passed over then.
    pub(super) fn skip_null(&mut self) -> bool {
        /// What stands for the length of a field that is NULL.
        const NULL: [u8; 4] = (-1_i32).to_be_bytes();
        let rest = self.0.strip_prefix(&NULL);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// The next field as a UUID.
    pub(super) fn uuid(&mut self) -> Option<Uuid> {
        Uuid::from_slice(self.next()?).ok()
    }

    /// The next field as a moment, microseconds since 1970.
    pub(super) fn micros(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.next()?.try_into().ok()?) + POSTGRES_EPOCH_MICROS)
    }

    /// The next field as a truth value.
    pub(super) fn boolean(&mut self) -> Option<bool> {
        Some(*self.next()?.first()? != 0)
    }
}

/// Runs a COPY … TO STDOUT in binary and hands over each row.
pub(super) async fn copy_out(
    connection: &mut PgConnection,
    statement: &str,
    mut each: impl FnMut(&mut Fields<'_>) -> Option<()>,
) -> Result<(), Error> {
    /// Signature, flags, length of the header's extension.
    const HEADER_BYTES: usize = 19;
    let unreadable = || Error::internal("reading rows of COPY", "a row is not what was asked for");
    let mut pieces = connection.copy_out_raw(statement).await?;
    let mut header = true;
    // Postgres sends one message a row, which is what keeps this simple: a message is whole rows.
    while let Some(piece) = pieces.try_next().await? {
        let mut bytes: &[u8] = &piece;
        if std::mem::take(&mut header) {
            bytes = bytes.get(HEADER_BYTES..).ok_or_else(unreadable)?;
        }
        while !bytes.is_empty() {
            let (count, rest) = bytes.split_first_chunk::<2>().ok_or_else(unreadable)?;
            if i16::from_be_bytes(*count) < 0 {
                break;
            }
            let mut fields = Fields(rest);
            each(&mut fields).ok_or_else(unreadable)?;
            bytes = fields.0;
        }
    }
    Ok(())
}
