use std::process::{Command, Stdio};

use domain::ids::TenantId;
use tenants::{NewPassword, Store, Tenant};

use crate::ground::Ground;

use super::{Fixture, options, start, user_of};

const USERS: usize = 100;

async fn write_users(tenant: &Tenant, writer: &str) {
    for number in 0..USERS {
        user_of(tenant, &format!("user{number}@{writer}.example"), NewPassword::Absent).await;
    }
}

async fn count_users(tenant: &Tenant) -> usize {
    let (mut count, mut after) = (0, None);
    loop {
        let page = tenant.users(after, 200).await.unwrap();
        let Some(last) = page.last() else { return count };
        count += page.len();
        after = Some(last.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_and_handles_write_one_database_at_once() {
    let fixture = Fixture::new().await;
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..4 {
        // Two clones of one handle, two handles of their own.
        let store = if number < 2 { fixture.store.clone() } else { fixture.neighbour() };
        let tenant = store.open(fixture.tenant.id()).await.unwrap();
        writers.spawn(async move { write_users(&tenant, &format!("writer{number}")).await });
    }
    writers.join_all().await;
    assert_eq!(count_users(&fixture.tenant).await, 4 * USERS);
}

#[tokio::test]
async fn processes_write_one_database_at_once() {
    let fixture = Fixture::new().await;
    let mut children = Vec::new();
    for number in 0..2 {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "shared::processes::another_process", "--ignored", "--test-threads=1"])
            .env("WRITER_GROUND", fixture.ground.to_text())
            .env("WRITER_TENANT", fixture.tenant.id().to_string())
            .env("WRITER_NAME", format!("process{number}"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        children.push(child);
    }
    write_users(&fixture.tenant, "parent").await;
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(count_users(&fixture.tenant).await, 3 * USERS);
}

#[tokio::test]
#[ignore = "run by processes_write_one_database_at_once as a process of its own"]
async fn another_process() {
    let place = Ground::place_of(&std::env::var("WRITER_GROUND").unwrap());
    let tenant: TenantId = std::env::var("WRITER_TENANT").unwrap().parse().unwrap();
    let store = Store::new(options(place)).unwrap();
    let tenant = store.open(tenant).await.unwrap();
    write_users(&tenant, &std::env::var("WRITER_NAME").unwrap()).await;
}

#[tokio::test]
async fn a_write_is_finished_when_its_caller_stops_waiting() {
    let fixture = Fixture::new().await;
    let tenant = fixture.tenant.clone();
    let user = fixture.user("ada@example.com").await.id;
    let mut change = Box::pin(tenant.set_user_name(user, "Countess"));
    // Polled once, so that it has begun; then nobody waits for it any more.
    assert!(is_pending_after_one_poll(&mut change).await);
    drop(change);
    let renamed = async {
        while fixture.tenant.user(user).await.unwrap().unwrap().name != "Countess" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), renamed).await.unwrap();
    // The handle is whole: no transaction is left open in it.
    user_of(&fixture.tenant, "eve@example.com", NewPassword::Absent).await;
    assert_eq!(fixture.tenant.user(user).await.unwrap().unwrap().created_at, start());
}

/// Polls a future once; says whether it is still pending.
async fn is_pending_after_one_poll<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
    })
    .await
}
