//! Everything of a tenant's database in an open form, for its export: no password's hash, no secret, no private key.
//! Bytes are written in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libsql::Value;
use serde_json::{Map, Value as Json, json};

use crate::database::Row;
use crate::error::Fault;
use crate::{Error, Tenant};

/// Columns that prove or seal something: whoever moves elsewhere makes new ones.
const SECRET_COLUMNS: [&str; 10] = [
    "password_hash",
    "secret_hash",
    "private_key",
    "email_hash",
    "address_hash",
    "state_hash",
    "browser_hash",
    "code_hash",
    "challenge",
    "proof_hash",
];
/// And whatever a column's name says is sealed.
const SEALED: &str = "_sealed";
/// Rows that are read at a time.
const PAGE: i64 = 1000;

impl Tenant {
    /// The tables of the database, by name.
    pub async fn tables(&self) -> Result<Vec<String>, Error> {
        let sql =
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
        self.read("list tables", sql, (), |row| Ok(row.get::<String>(0)?)).await
    }

    /// How many values of columns `…_sealed` another key has sealed than the one of that name (bytes 1 to 4 of a value).
    pub async fn sealed_with_another_key(&self, name: [u8; 4]) -> Result<u64, Error> {
        let sql = "SELECT m.name, p.name FROM sqlite_schema m, pragma_table_info(m.name) p \
                   WHERE m.type = 'table' AND p.name LIKE '%\\_sealed' ESCAPE '\\'";
        let decode = |row: &Row| Ok((row.get::<String>(0)?, row.get::<String>(1)?));
        let mut count = 0;
        for (table, column) in self.read("list sealed columns", sql, (), decode).await? {
            let sql = format!(
                "SELECT count(*) FROM \"{table}\" WHERE \"{column}\" IS NOT NULL AND substr(\"{column}\", 2, 4) <> ?1"
            );
            let found =
                self.read_first("count sealed values", &sql, [name.to_vec()], |row| Ok(row.get::<i64>(0)?));
            count += u64::try_from(found.await?.unwrap_or(0)).unwrap_or(0);
        }
        Ok(count)
    }

    /// A page of a table's rows as JSON objects, secrets left out; an empty one is the end.
    pub async fn dump(&self, table: &str, page: u32) -> Result<Vec<Json>, Error> {
        if !self.tables().await?.iter().any(|known| known == table) {
            return Err(Error::InvalidField { field: "table", must: "must be a table of the database" });
        }
        // Its name comes from the catalogue, so it is safe inside quotes.
        let sql = format!("SELECT * FROM \"{table}\" ORDER BY 1, 2 LIMIT ?1 OFFSET ?2");
        self.read("dump a table", &sql, [PAGE, PAGE * i64::from(page)], as_json).await
    }
}

fn as_json(row: &Row) -> Result<Json, Fault> {
    let mut object = Map::new();
    for index in 0..row.column_count() {
        let name = row.column_name(index).unwrap_or_default();
        if SECRET_COLUMNS.contains(&name) || name.ends_with(SEALED) {
            continue;
        }
        let value = match row.get_value(index)? {
            Value::Null => Json::Null,
            Value::Integer(number) => json!(number),
            Value::Real(number) => json!(number),
            Value::Text(text) => json!(text),
            Value::Blob(bytes) => json!(STANDARD.encode(bytes)),
        };
        object.insert(name.to_owned(), value);
    }
    Ok(Json::Object(object))
}
