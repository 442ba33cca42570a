//! The private cluster's life: start, sharing, stop, and every kind of kill.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use domain::ids::TenantId;
use service::database::cluster::{Cluster, Error, Options};
use service::database::testing::{data_dir, made_data_dir};
use service::database::{Database, Mode, Settings, doctor};
use sqlx::{ConnectOptions, Executor, PgPool};
use uuid::Uuid;

use super::world::{OtherProcess, eventually, is_alive, kill, open, owner, parent_of, server, settings};

async fn write(database: &Database, text: &str) {
    owner(database).execute("CREATE TABLE IF NOT EXISTS kept (text text)").await.expect("a table");
    sqlx::query("INSERT INTO kept VALUES ($1)").bind(text).execute(owner(database)).await.expect("a row");
}

async fn kept(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT text FROM kept ORDER BY text").fetch_all(pool).await
}

#[tokio::test]
async fn the_second_start_finds_what_the_first_left_and_nothing_runs_between() {
    let folder = data_dir();
    let database = open(folder.path()).await;
    let (process, supervisor) = (server(&database), parent_of(server(&database)));
    let title = fs::read_to_string(format!("/proc/{supervisor}/cmdline")).expect("a title");
    assert!(title.starts_with("baton-postgres: supervisor"), "{title}");
    write(&database, "first").await;
    database.close().await.expect("it closes");
    assert!(!is_alive(process), "the last one out has stopped the server");
    assert!(!folder.path().join("postgres/data/postmaster.pid").exists());
    eventually("the supervisor has gone", async || !is_alive(supervisor)).await;

    let database = open(folder.path()).await;
    assert_ne!(server(&database), process);
    assert_eq!(kept(owner(&database)).await.expect("the table"), ["first"]);
    database.close().await.expect("it closes");
}

#[tokio::test]
async fn a_dropped_database_stops_the_server_too() {
    let folder = made_data_dir().await;
    let database = open(folder.path()).await;
    let process = server(&database);
    drop(database);
    eventually("the server has stopped", async || !is_alive(process)).await;
}

#[tokio::test]
async fn processes_share_the_server_and_the_last_one_out_stops_it() {
    let folder = made_data_dir().await;
    let here = open(folder.path()).await;
    let process = server(&here);
    let again = open(folder.path()).await;
    assert_eq!(server(&again), process, "one server for both");
    let other = OtherProcess::start(folder.path());
    again.close().await.expect("it closes");
    here.close().await.expect("it closes");
    assert!(is_alive(process), "another process still uses it");
    other.end();
    assert!(!is_alive(process), "the last one out has waited until it stopped");
}

#[tokio::test]
async fn joining_all_at_once_makes_one_cluster() {
    let folder = data_dir();
    let paths = std::iter::repeat_n(folder.path().to_owned(), 6);
    let opening: Vec<_> = paths.map(|path| tokio::spawn(async move { open(&path).await })).collect();
    let mut databases = Vec::new();
    for one in opening {
        databases.push(one.await.expect("no panic"));
    }
    let process = server(&databases[0]);
    assert!(databases.iter().all(|database| server(database) == process));
    for database in databases {
        database.close().await.expect("it closes");
    }
    assert!(!is_alive(process));
}

#[tokio::test]
async fn the_server_outlives_the_kill_of_who_started_it() {
    let folder = made_data_dir().await;
    let starter = OtherProcess::start(folder.path());
    let database = open(folder.path()).await;
    let process = server(&database);
    write(&database, "before").await;
    starter.kill();
    write(&database, "after").await;
    assert_eq!(server(&database), process);
    database.close().await.expect("it closes");
    assert!(!is_alive(process));
}

#[tokio::test]
async fn after_the_kill_of_its_only_user_the_server_stops_and_the_next_start_finds_the_data() {
    let folder = made_data_dir().await;
    let database = open(folder.path()).await;
    write(&database, "kept").await;
    database.close().await.expect("it closes");
    for _ in 0..3 {
        let user = OtherProcess::start(folder.path());
        let postmaster = folder.path().join("postgres/data/postmaster.pid");
        let text = fs::read_to_string(&postmaster).expect("the server runs");
        let process: i32 = text.lines().next().and_then(|line| line.parse().ok()).expect("a process");
        user.kill();
        // At once, so that it meets the server while it stops.
        let database = open(folder.path()).await;
        assert_eq!(kept(owner(&database)).await.expect("the table"), ["kept"]);
        database.close().await.expect("it closes");
        assert!(!is_alive(process));
    }
}

#[tokio::test]
async fn a_killed_supervisor_takes_the_server_along_and_a_user_starts_both_again() {
    let folder = made_data_dir().await;
    let database = open(folder.path()).await;
    write(&database, "kept").await;
    let process = server(&database);
    kill(parent_of(process));
    eventually("the old server has gone", async || !is_alive(process)).await;
    eventually("the pool works again", async || kept(owner(&database)).await.is_ok()).await;
    assert_eq!(kept(owner(&database)).await.expect("the table"), ["kept"]);
    let process = server(&database);
    database.close().await.expect("it closes");
    assert!(!is_alive(process));
}

#[tokio::test]
async fn a_killed_server_is_started_again() {
    let folder = made_data_dir().await;
    // In earnest: without durability the row might be lost.
    let database = Database::open(&Settings::private(folder.path())).await.expect("it opens");
    write(&database, "kept").await;
    let process = server(&database);
    let busy = owner(&database).clone();
    let busy =
        tokio::spawn(async move { busy.execute("SELECT count(*) FROM generate_series(1, 1e9)").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    kill(process);
    let cluster = database.cluster().expect("private");
    let another = || cluster.process().is_some_and(|now| now != process);
    eventually("another server runs", async || another()).await;
    eventually("it accepts connections", async || cluster.owner_options().connect().await.is_ok()).await;
    let tenant = TenantId(Uuid::from_u128(1));
    let begun = database.begin(tenant, Mode::ReadOnly).await.expect("the broken connections are passed over");
    begun.rollback().await.expect("it ends");
    eventually("the owner's pool works again", async || kept(owner(&database)).await.is_ok()).await;
    busy.await.expect("no panic").expect_err("its server is gone");
    database.close().await.expect("it closes");
}

#[tokio::test]
async fn a_stale_file_with_the_number_of_a_living_program_blocks_nothing() {
    let folder = made_data_dir().await;
    let database = open(folder.path()).await;
    write(&database, "kept").await;
    let data = folder.path().join("postgres/data");
    let text = fs::read_to_string(data.join("postmaster.pid")).expect("the server runs");
    database.close().await.expect("it closes");
    let (_, rest) = text.split_once('\n').expect("lines");
    let stale = format!("{}\n{rest}", std::process::id());
    assert!(stale.contains("ready"));
    fs::write(data.join("postmaster.pid"), stale).expect("the stale file");

    let database = open(folder.path()).await;
    assert_eq!(kept(owner(&database)).await.expect("the table"), ["kept"]);
    database.close().await.expect("it closes");
}

#[tokio::test]
async fn a_half_made_cluster_is_made_anew() {
    let folder = data_dir();
    let draft = folder.path().join("postgres/data.new");
    fs::create_dir_all(&draft).expect("a folder");
    fs::write(draft.join("PG_VERSION"), "15\n").expect("a file");
    let database = open(folder.path()).await;
    assert!(!draft.exists());
    database.close().await.expect("it closes");
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_gets_a_short_one() {
    let folder = data_dir();
    let long = folder.path().join("a-folder-with-a-long-name".repeat(3)).join("another-long-name".repeat(3));
    let database = open(&long).await;
    let socket = database.cluster().expect("private").socket().to_owned();
    assert!(!socket.starts_with(folder.path()), "{}", socket.display());
    let mode = fs::metadata(&socket).expect("the folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let second = open(&long).await;
    assert_eq!(second.cluster().expect("private").socket(), socket);
    second.close().await.expect("it closes");
    database.close().await.expect("it closes");
    fs::remove_dir_all(socket).expect("it is removed");
}

fn namespaces_are_allowed() -> bool {
    let tried = std::process::Command::new("unshare").args(["--user", "true"]).status();
    tried.is_ok_and(|status| status.success())
}

#[tokio::test]
async fn a_folder_below_a_closed_home_works_or_says_what_to_do() {
    let home = tempfile::tempdir().expect("a folder");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).expect("a mode");
    let joined = Cluster::join(Options::below(&home.path().join("data"))).await;
    // Without user namespaces root has no way; without root nothing is in the way.
    match joined {
        Ok(cluster) => cluster.leave().await.expect("it stops"),
        Err(error @ Error::Unreachable { .. }) => {
            assert!(!namespaces_are_allowed(), "{error}");
            assert!(error.to_string().contains("chmod o+x"), "{error}");
        }
        Err(other) => panic!("{other}"),
    }
    // A closed home that is opened later: the data changes its owner and is found again.
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o711)).expect("a mode");
    let cluster = Cluster::join(Options::below(&home.path().join("data"))).await.expect("it starts");
    cluster.leave().await.expect("it stops");
}

#[tokio::test]
async fn a_cluster_of_a_version_that_is_not_installed_is_named() {
    let folder = data_dir();
    let data = folder.path().join("postgres/data");
    fs::create_dir_all(&data).expect("a folder");
    fs::write(data.join("PG_VERSION"), "9\n").expect("a file");
    let error = Cluster::join(Options::below(folder.path())).await.expect_err("refused");
    assert!(error.to_string().contains("made by PostgreSQL 9"), "{error}");
}

#[tokio::test]
async fn the_servers_log_holds_no_data_of_a_lead() {
    let folder = made_data_dir().await;
    let database = open(folder.path()).await;
    let owner = owner(&database);
    owner.execute("CREATE TABLE lead (phone text PRIMARY KEY)").await.expect("a table");
    owner.execute("INSERT INTO lead VALUES ('+12025550143')").await.expect("a row");
    owner.execute("INSERT INTO lead VALUES ('+12025550143')").await.expect_err("a duplicate");
    let bound = sqlx::query("INSERT INTO lead VALUES ($1)").bind("+12025550143").execute(owner).await;
    bound.expect_err("a duplicate");
    database.close().await.expect("it closes");
    let log = folder.path().join("postgres/server.log");
    let text = fs::read_to_string(&log).expect("the log");
    assert!(text.contains("duplicate key") && !text.contains("+12025550143"), "{text}");
    assert_eq!(fs::metadata(log).expect("the log").permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn settings_of_the_operator_win() {
    let folder = made_data_dir().await;
    open(folder.path()).await.close().await.expect("it closes");
    let own = folder.path().join("postgres/data/conf.d/own.conf");
    fs::write(&own, "work_mem = '37MB'\n").expect("a file");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o644)).expect("a mode");
    let database = open(folder.path()).await;
    let shown: String =
        sqlx::query_scalar("SHOW work_mem").fetch_one(&database.app).await.expect("a setting");
    assert_eq!(shown, "37MB");
    let shown: String =
        sqlx::query_scalar("SHOW listen_addresses").fetch_one(&database.app).await.expect("a setting");
    assert_eq!(shown, "", "no TCP port");
    database.close().await.expect("it closes");
}

async fn states(data_dir: &Path, known: &[&str]) -> Vec<(&'static str, doctor::State)> {
    let known: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
    let report = doctor::inspect(&settings(data_dir), &known).await;
    report.findings.iter().map(|finding| (finding.name, finding.state)).collect()
}

#[tokio::test]
async fn the_doctor_sees_pending_and_unknown_migrations() {
    let folder = data_dir();
    let of =
        |states: &[(&str, doctor::State)], name| states.iter().find(|(found, _)| *found == name).map(|f| f.1);
    let found = states(folder.path(), &["m1"]).await;
    assert_eq!(of(&found, "migrations"), Some(doctor::State::Fail));
    for name in ["server", "version", "owner role", "login role", "database size"] {
        assert_eq!(of(&found, name), Some(doctor::State::Ok), "{name}");
    }
    assert!(of(&found, "disk").is_some());

    let database = open(folder.path()).await;
    let table = "CREATE TABLE seaql_migrations (version text PRIMARY KEY, applied_at bigint NOT NULL)";
    owner(&database).execute(table).await.expect("a table");
    owner(&database).execute("INSERT INTO seaql_migrations VALUES ('m1', 0)").await.expect("a row");
    assert_eq!(of(&states(folder.path(), &["m1"]).await, "migrations"), Some(doctor::State::Ok));
    assert_eq!(of(&states(folder.path(), &[]).await, "migrations"), Some(doctor::State::Fail));
    database.close().await.expect("it closes");
}
