//! Reading columns, so that a corrupt row names itself.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use libsql::Value;

use crate::Error;
use crate::database::Row;
use crate::error::Fault;

/// One row of a table whose first selected column is its id.
pub(crate) struct Columns<'row> {
    row: &'row Row,
    table: &'static str,
}

impl<'row> Columns<'row> {
    pub(crate) fn of(table: &'static str, row: &'row Row) -> Self {
        Self { row, table }
    }

    /// The error for a value that this program would not have written.
    pub(crate) fn corrupt(&self, column: &'static str) -> Fault {
        let id = self.row.get_str(0).unwrap_or_default().to_owned();
        Error::Corrupt { table: self.table, column, id }.into()
    }

    pub(crate) fn text(&self, index: i32, column: &'static str) -> Result<&'row str, Fault> {
        self.row.get_str(index).map_err(|_| self.corrupt(column))
    }

    pub(crate) fn parsed<T: FromStr>(&self, index: i32, column: &'static str) -> Result<T, Fault> {
        self.text(index, column)?.parse().map_err(|_| self.corrupt(column))
    }

    pub(crate) fn parsed_if_any<T: FromStr>(
        &self,
        index: i32,
        column: &'static str,
    ) -> Result<Option<T>, Fault> {
        match self.row.get_value(index) {
            Ok(Value::Null) => Ok(None),
            Ok(Value::Text(text)) => text.parse().map(Some).map_err(|_| self.corrupt(column)),
            _ => Err(self.corrupt(column)),
        }
    }

    pub(crate) fn bytes(&self, index: i32, column: &'static str) -> Result<Vec<u8>, Fault> {
        match self.row.get_value(index) {
            Ok(Value::Blob(bytes)) => Ok(bytes),
            _ => Err(self.corrupt(column)),
        }
    }

    pub(crate) fn bytes_if_any(&self, index: i32, column: &'static str) -> Result<Option<Vec<u8>>, Fault> {
        match self.row.get_value(index) {
            Ok(Value::Null) => Ok(None),
            Ok(Value::Blob(bytes)) => Ok(Some(bytes)),
            _ => Err(self.corrupt(column)),
        }
    }

    pub(crate) fn flag(&self, index: i32, column: &'static str) -> Result<bool, Fault> {
        match self.row.get_value(index) {
            Ok(Value::Integer(0)) => Ok(false),
            Ok(Value::Integer(1)) => Ok(true),
            _ => Err(self.corrupt(column)),
        }
    }

    pub(crate) fn hash(&self, index: i32, column: &'static str) -> Result<[u8; 32], Fault> {
        self.bytes(index, column)?.try_into().map_err(|_| self.corrupt(column))
    }

    pub(crate) fn time(&self, index: i32, column: &'static str) -> Result<DateTime<Utc>, Fault> {
        self.time_if_any(index, column)?.ok_or_else(|| self.corrupt(column))
    }

    pub(crate) fn time_if_any(
        &self,
        index: i32,
        column: &'static str,
    ) -> Result<Option<DateTime<Utc>>, Fault> {
        match self.row.get_value(index) {
            Ok(Value::Null) => Ok(None),
            Ok(Value::Integer(milliseconds)) => {
                DateTime::from_timestamp_millis(milliseconds).map(Some).ok_or_else(|| self.corrupt(column))
            }
            _ => Err(self.corrupt(column)),
        }
    }
}
