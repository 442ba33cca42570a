//! One tenant's report views as Parquet files, one folder a day, for Rill, `DuckDB` and whoever reads such files.
//!
//! A day is written under another name and moved into place, so that a reader sees it whole; writing it again replaces it.
//! Rows are read and written in groups, so memory does not grow with the day.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::sla::Period;
use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::database::TenantTx;
use crate::error::Error;

/// Rows of a group.
const GROUP: usize = 20_000;
/// The most days of one export.
const DAYS_MAX: usize = 400;

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Id,
    Time,
    Number,
    Boolean,
}

/// A view and how its days and pages are found.
struct View {
    name: &'static str,
    /// The column whose day is the folder.
    day: &'static str,
    /// A unique column, or two, that pages go by.
    key: &'static str,
    columns: &'static [(&'static str, Kind)],
}

use Kind::{Boolean, Id, Number, Text, Time};

const VIEWS: [View; 4] = [
    View {
        name: "lead",
        day: "received_at",
        key: "lead_id::text",
        columns: &[
            ("lead_id", Id),
            ("received_at", Time),
            ("source", Text),
            ("lead_type", Text),
            ("channel", Text),
            ("state", Text),
            ("campaign", Text),
            ("delivered_at", Time),
            ("contacted_at", Time),
            ("qualified_at", Time),
            ("sold_at", Time),
            ("lost_at", Time),
        ],
    },
    View {
        name: "clock",
        day: "started_at",
        key: "(lead_id::text || clock)",
        columns: &[
            ("lead_id", Id),
            ("clock", Text),
            ("source", Text),
            ("lead_type", Text),
            ("channel", Text),
            ("state", Text),
            ("campaign", Text),
            ("agent", Text),
            ("team", Text),
            ("started_at", Time),
            ("due_at", Time),
            ("stopped_at", Time),
            ("breached_at", Time),
            ("elapsed_seconds", Number),
            ("in_target", Boolean),
            ("reason", Text),
        ],
    },
    View {
        name: "refusal",
        day: "created_at",
        key: "(failed_record_id::text || coalesce(code, ''))",
        columns: &[
            ("failed_record_id", Id),
            ("created_at", Time),
            ("source", Text),
            ("state", Text),
            ("code", Text),
        ],
    },
    View {
        name: "amount",
        day: "received_at",
        key: "(lead_id::text || kind || currency)",
        columns: &[
            ("lead_id", Id),
            ("received_at", Time),
            ("source", Text),
            ("kind", Text),
            ("currency", Text),
            ("amount", Number),
        ],
    },
];

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Files.
    pub files: usize,
    /// Rows.
    pub rows: usize,
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("writing a Parquet file", error)
}

/// Writes the views' rows of the period below the folder, by days of UTC. Days without a row have no file, but for the last.
pub async fn export(tx: &TenantTx, period: Period, folder: &Path) -> Result<Written, Error> {
    let (first, last) =
        (period.from.date_naive(), (period.until - chrono::TimeDelta::microseconds(1)).date_naive());
    let mut written = Written::default();
    for (count, day) in first.iter_days().take_while(|day| *day <= last).enumerate() {
        if count >= DAYS_MAX {
            return Err(Error::Limit(format!("an export has at most {DAYS_MAX} days").into()));
        }
        for view in &VIEWS {
            // The last day has a file of each view, be it empty, so that a reader finds its columns.
            if let Some(rows) = one_day(tx, view, day, folder, day == last).await? {
                written.files += 1;
                written.rows += rows;
            }
        }
    }
    Ok(written)
}

/// The rows of the day's file; none when there is no file.
async fn one_day(
    tx: &TenantTx,
    view: &View,
    day: NaiveDate,
    folder: &Path,
    even_empty: bool,
) -> Result<Option<usize>, Error> {
    let folder: PathBuf = folder.join(view.name).join(format!("day={day}"));
    let (path, part) = (folder.join("rows.parquet"), folder.join("rows.parquet.part"));
    let mut rows = page(tx, view, day, "").await?;
    if rows.is_empty() && !even_empty {
        // What an earlier export found there is gone.
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(None),
        };
    }
    fs::create_dir_all(&folder).map_err(failed)?;
    let file = File::create(&part).map_err(failed)?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer =
        SerializedFileWriter::new(file, Arc::new(schema(view)?), Arc::new(properties)).map_err(failed)?;
    let mut count = 0;
    while let Some(last) = rows.last() {
        let after: String = last.try_get("page_key")?;
        let mut group = writer.next_row_group().map_err(failed)?;
        write_group(&mut group, view, &rows)?;
        group.close().map_err(failed)?;
        count += rows.len();
        rows = if rows.len() < GROUP { Vec::new() } else { page(tx, view, day, &after).await? };
    }
    writer.close().map_err(failed)?;
    fs::rename(&part, &path).map_err(failed)?;
    Ok(Some(count))
}

async fn page(tx: &TenantTx, view: &View, day: NaiveDate, after: &str) -> Result<Vec<PgRow>, Error> {
    let View { name, day: column, key, columns } = view;
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let sql = format!(
        "SELECT {}, {key} AS page_key FROM report_{name}
         WHERE tenant_id = $1 AND {column} >= $2 AND {column} < $3 AND {key} COLLATE \"C\" > $4
         ORDER BY {key} COLLATE \"C\" LIMIT {GROUP}",
        names.join(", ")
    );
    let from: DateTime<Utc> = day.and_time(chrono::NaiveTime::MIN).and_utc();
    let mut connection = tx.lock().await;
    Ok(sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(tx.tenant().uuid())
        .bind(from)
        .bind(from + Days::new(1))
        .bind(after)
        .fetch_all(&mut *connection)
        .await?)
}

fn schema(view: &View) -> Result<Type, Error> {
    let fields = view.columns.iter().map(|(name, kind)| {
        let (physical, converted) = match kind {
            Text | Id => (Physical::BYTE_ARRAY, ConvertedType::UTF8),
            Time => (Physical::INT64, ConvertedType::TIMESTAMP_MICROS),
            Number => (Physical::DOUBLE, ConvertedType::NONE),
            Boolean => (Physical::BOOLEAN, ConvertedType::NONE),
        };
        let column = Type::primitive_type_builder(name, physical);
        column.with_converted_type(converted).with_repetition(Repetition::OPTIONAL).build().map(Arc::new)
    });
    let fields = fields.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    Type::group_type_builder(view.name).with_fields(fields).build().map_err(failed)
}

/// Values of a column and, for each row, whether it has one.
fn column<T>(
    rows: &[PgRow],
    read: impl Fn(&PgRow) -> Result<Option<T>, sqlx::Error>,
) -> Result<(Vec<T>, Vec<i16>), Error> {
    let mut values = Vec::with_capacity(rows.len());
    let mut levels = Vec::with_capacity(rows.len());
    for row in rows {
        let value = read(row)?;
        levels.push(i16::from(value.is_some()));
        values.extend(value);
    }
    Ok((values, levels))
}

fn write_group(
    group: &mut SerializedRowGroupWriter<'_, File>,
    view: &View,
    rows: &[PgRow],
) -> Result<(), Error> {
    for (place, (_, kind)) in view.columns.iter().enumerate() {
        let mut writer = group
            .next_column()
            .map_err(failed)?
            .ok_or_else(|| Error::internal("writing a Parquet file", "a column is missing in its schema"))?;
        match kind {
            Text => {
                let (values, levels) = column(rows, |row| {
                    Ok(row
                        .try_get::<Option<String>, _>(place)?
                        .map(|text| ByteArray::from(text.into_bytes())))
                })?;
                writer.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).map_err(failed)?;
            }
            Id => {
                let (values, levels) = column(rows, |row| {
                    let id = row.try_get::<Option<Uuid>, _>(place)?;
                    Ok(id.map(|id| ByteArray::from(id.to_string().into_bytes())))
                })?;
                writer.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).map_err(failed)?;
            }
            Time => {
                let (values, levels) = column(rows, |row| {
                    Ok(row.try_get::<Option<DateTime<Utc>>, _>(place)?.map(|at| at.timestamp_micros()))
                })?;
                writer.typed::<Int64Type>().write_batch(&values, Some(&levels), None).map_err(failed)?;
            }
            Number => {
                let (values, levels) = column(rows, |row| row.try_get::<Option<f64>, _>(place))?;
                writer.typed::<DoubleType>().write_batch(&values, Some(&levels), None).map_err(failed)?;
            }
            Boolean => {
                let (values, levels) = column(rows, |row| row.try_get::<Option<bool>, _>(place))?;
                writer.typed::<BoolType>().write_batch(&values, Some(&levels), None).map_err(failed)?;
            }
        }
        writer.close().map_err(failed)?;
    }
    Ok(())
}
