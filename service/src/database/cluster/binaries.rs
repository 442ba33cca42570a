//! The installed Postgres: the newest, or the one that made the cluster.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Error, Result};

/// The oldest major version that is used.
const OLDEST: u32 = 15;

/// A folder with `postgres` and `initdb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    /// The folder.
    pub(super) folder: PathBuf,
    /// Its major version.
    pub(super) major: u32,
}

impl Binaries {
    /// The newest installed, or the one of major version `made_by` when a cluster is there already.
    pub(super) fn find(made_by: Option<u32>, cluster: &Path) -> Result<Self> {
        choose(candidates().iter().filter_map(|folder| Self::of(folder)).collect(), made_by, cluster)
    }

    fn of(folder: &Path) -> Option<Self> {
        if !folder.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        let major = major_of(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { folder: folder.to_owned(), major })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn choose(mut found: Vec<Binaries>, made_by: Option<u32>, cluster: &Path) -> Result<Binaries> {
    // Stable, and the last is taken: of two alike the distribution's own comes before one that the path names.
    found.reverse();
    found.sort_by_key(|binaries| binaries.major);
    let newest = found.last().map(|newest| format!("PostgreSQL {}", newest.major));
    match made_by {
        None => found.pop().filter(|newest| newest.major >= OLDEST).ok_or_else(|| Error::NoBinaries {
            found: newest.map(|newest| format!(" (there is {newest})")).unwrap_or_default(),
        }),
        Some(made_by) => {
            found.into_iter().rev().find(|binaries| binaries.major == made_by).ok_or_else(|| {
                let folder = cluster.to_owned();
                Error::OtherMajor { folder, made_by, installed: newest.unwrap_or_else(|| "none".to_owned()) }
            })
        }
    }
}

/// Where distributions put the programs, then where the path says they are.
fn candidates() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    let versions = std::fs::read_dir("/usr").into_iter().flatten().flatten();
    let named =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pgsql-"));
    folders.extend(versions.map(|version| version.path()).filter(named).map(|path| path.join("bin")));
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path).filter(|folder| folder.join("postgres").is_file()));
    }
    folders
}

/// The major version in text such as `postgres (PostgreSQL) 17.2 (Debian 17.2-1)` or `… 18beta1`.
fn major_of(text: &str) -> Option<u32> {
    let version = text.split_once("(PostgreSQL)")?.1.trim_start();
    let end = version.find(|character: char| !character.is_ascii_digit()).unwrap_or(version.len());
    version[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_postgres_prints() {
        for (text, major) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 17.2\n", Some(17)),
            ("postgres (PostgreSQL) 19beta1\n", Some(19)),
            ("postgres 15", None),
            ("", None),
        ] {
            assert_eq!(major_of(text), major, "{text}");
        }
    }

    #[test]
    fn the_newest_makes_a_cluster_and_its_maker_runs_it() {
        let cluster = Path::new("data/postgres");
        let installed = |majors: &[u32]| -> Vec<Binaries> {
            let binaries =
                |major: &u32| Binaries { folder: PathBuf::from(format!("/pg/{major}")), major: *major };
            majors.iter().map(binaries).collect()
        };
        assert_eq!(choose(installed(&[17, 15, 16]), None, cluster).expect("one").major, 17);
        let twice = [Binaries { folder: PathBuf::from("/path"), major: 17 }];
        let twice = choose([installed(&[17]), twice.to_vec()].concat(), None, cluster).expect("one");
        assert_eq!(twice.folder, Path::new("/pg/17"));
        assert_eq!(choose(installed(&[17, 15, 16]), Some(15), cluster).expect("one").major, 15);
        let none = choose(installed(&[]), None, cluster).expect_err("none").to_string();
        assert!(none.contains("apt-get install postgresql"), "{none}");
        let old = choose(installed(&[13]), None, cluster).expect_err("too old").to_string();
        assert!(old.contains("PostgreSQL 13"), "{old}");
        let other = choose(installed(&[17]), Some(15), cluster).expect_err("another").to_string();
        assert!(other.contains("postgresql-15") && other.contains("PostgreSQL 17"), "{other}");
    }
}
