//! Databases as files of a folder that goes with the test.

use std::path::Path;

use domain::ids::TenantId;
use libsql::{Builder, Value};
use tenants::Place;

pub struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    #[expect(clippy::unused_async, reason = "a server has to be waited for")]
    pub async fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn place(&self) -> Place {
        Place::Folder(self.folder.path().to_owned())
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// For another process.
    pub fn to_text(&self) -> String {
        self.folder.path().to_str().unwrap().to_owned()
    }

    pub fn place_of(text: &str) -> Place {
        Place::Folder(text.into())
    }

    /// As another program sees the database.
    pub async fn sql(&self, tenant: TenantId, sql: &str) -> Result<Vec<Vec<Value>>, String> {
        let path = self.folder.path().join(format!("{}.db", tenant.uuid()));
        let database = Builder::new_local(path).build().await.unwrap();
        let mut rows = database.connect().unwrap().query(sql, ()).await.map_err(|error| error.to_string())?;
        let mut found = vec![];
        while let Some(row) = rows.next().await.map_err(|error| error.to_string())? {
            found.push((0..row.column_count()).map(|index| row.get_value(index).unwrap()).collect());
        }
        Ok(found)
    }
}
