//! A destination that redirects to an address of the inside, and one whose TLS is none, under a kill: nothing goes where it must
//! not, no lead is lost, and all arrive once when a person has put the addresses right.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use domain::ids::TenantId;
use service::access::{self, NewTenant};
use service::database::testing::made_data_dir;
use service::delivery::manage::{self, DestinationChange};
use service::delivery::testing::{FakeCrm, Received, Step};
use service::intake::sources::{self, NewSource};
use service::runtime::Clock;
use tests::data::{deliver, destination, rows, submit};
use tests::fixture_noon;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::workers::{Worker, numbered_lead, open};

const LEADS: usize = 6;

/// Accepts connections and never says a word of TLS; at first it says nothing at all.
async fn without_tls(silent: Arc<AtomicBool>, accepted: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://{}/hook", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            accepted.fetch_add(1, Ordering::Relaxed);
            let silent = silent.load(Ordering::Relaxed);
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                if silent {
                    std::future::pending::<()>().await;
                }
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doors_that_lead_elsewhere_or_nowhere_lose_and_double_nothing() {
    let folder = made_data_dir().await;
    let app = open(folder.path(), Clock::manual(fixture_noon())).await;
    let new = NewTenant { slug: "acme".to_owned(), name: None, time_zone: None };
    let tenant = TenantId(access::create_tenant(&app, new).await.expect("a tenant").id);
    let new = NewSource { slug: "ls".to_owned(), name: None, kind: "leadsource".to_owned(), mapping: None };
    let source = sources::create(&app, tenant, new).await.expect("a source");

    let (silent, accepted) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let inside = FakeCrm::start([]).await;
    let (quiet, elsewhere) = (Arc::clone(&silent), inside.url());
    let redirecting = FakeCrm::answering(move |_: &Received| {
        let redirect = Step::header(307, "Location", elsewhere.clone());
        if quiet.load(Ordering::Relaxed) { Step::Hang } else { redirect }
    })
    .await;
    let tls = without_tls(Arc::clone(&silent), Arc::clone(&accepted)).await;
    let doors = [
        destination(&app, tenant, "webhook", redirecting.url(), None).await,
        destination(&app, tenant, "bonzo", tls, None).await,
    ];
    for number in 0..LEADS {
        submit(&app, tenant, &source, &numbered_lead(number)).await;
    }
    let worker = Worker::start(folder.path(), 0).await;
    redirecting.wait_for(LEADS).await;
    while accepted.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    worker.kill(Duration::ZERO).await;

    silent.store(false, Ordering::Relaxed);
    for _ in 0..3 {
        app.clock.advance(TimeDelta::hours(13));
        deliver(&app).await;
    }
    assert_eq!(inside.count(), 0, "nobody follows a redirect");
    let deliveries = rows(&app, tenant, &["delivery"]).await;
    assert_eq!(deliveries.len(), 2 * LEADS);
    assert!(deliveries.iter().all(|row| row["state"] != "delivered"), "{deliveries:?}");

    // A person puts both addresses right.
    let good = FakeCrm::start([]).await;
    for door in doors {
        let change = DestinationChange { url: Some(good.url().into()), ..DestinationChange::default() };
        manage::update(&app, tenant, door, change).await.expect("changed");
        app.retries().resume(tenant, door, "test").await.expect("resumed");
    }
    deliver(&app).await;
    let deliveries = rows(&app, tenant, &["delivery"]).await;
    assert!(deliveries.iter().all(|row| row["state"] == "delivered"), "{deliveries:?}");
    let mut copies = BTreeMap::new();
    for request in good.received() {
        *copies.entry(request.webhook_id().to_owned()).or_insert(0) += 1;
    }
    assert_eq!((copies.len(), good.count()), (2 * LEADS, 2 * LEADS), "each once: {copies:?}");
}
