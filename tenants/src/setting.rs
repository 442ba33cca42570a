//! The tenant's own settings, each a JSON value under a name.

use libsql::params;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::database::Row;
use crate::error::Fault;
use crate::row::Columns;
use crate::{Error, Tenant};

impl Tenant {
    /// The setting of that name; none when nobody has set it.
    pub async fn setting<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, Error> {
        let sql = "SELECT name, value FROM setting WHERE name = ?1";
        let decode = |row: &Row| -> Result<String, Fault> {
            Ok(Columns::of("setting", row).text(1, "value")?.to_owned())
        };
        let Some(text) = self.read_first("read a setting", sql, [name], decode).await? else {
            return Ok(None);
        };
        let corrupt = |_| Error::Corrupt { table: "setting", column: "value", id: name.to_owned() };
        serde_json::from_str(&text).map(Some).map_err(corrupt)
    }

    /// Sets it, or forgets it.
    pub async fn set_setting<T: Serialize>(
        &self,
        name: &'static str,
        value: Option<&T>,
    ) -> Result<(), Error> {
        let unfit = |_| Error::InvalidField { field: "value", must: "must be writable as JSON" };
        let text = value.map(serde_json::to_string).transpose().map_err(unfit)?;
        self.write("change a setting", async move |transaction| {
            match text {
                Some(text) => {
                    let sql = "INSERT INTO setting (name, value) VALUES (?1, ?2) \
                               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                    transaction.execute(sql, params![name, text]).await?;
                }
                None => {
                    transaction.execute("DELETE FROM setting WHERE name = ?1", [name]).await?;
                }
            }
            Ok(())
        })
        .await
    }
}
