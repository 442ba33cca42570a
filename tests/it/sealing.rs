//! The key that seals: from the configuration, changed there, and everything sealed anew with it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ids::TenantId;
use secrecy::{ExposeSecret as _, SecretString};
use service::App;
use service::access::{Viewer, embedding};
use service::database::Mode;
use service::resealing::{self, SEALED_COLUMNS};
use service::secrets::{Context, Purpose, Settings};
use sqlx::AssertSqlSafe;
use tenants::{FrameProofKind, Role};
use tests::TestApp;
use tests::data::{everything, identity_provider};

fn key(byte: u8) -> SecretString {
    STANDARD.encode([byte; 32]).into()
}

fn configured(key: SecretString, older_keys: Vec<SecretString>) -> Settings {
    Settings { key: Some(key), older_keys, key_file: None }
}

/// Puts a value into every sealed column of both stores, and says where.
async fn seal_everything(app: &App, tenant: TenantId) -> usize {
    let mut count = 0;
    for column in SEALED_COLUMNS {
        let (table, id, name) = (column.table, column.id, column.column);
        let mut tx = app.begin(tenant, Mode::ReadWrite).await.expect("begun");
        let rows: Vec<uuid::Uuid> = sqlx::query_scalar(AssertSqlSafe(format!("SELECT {id} FROM {table}")))
            .fetch_all(tx.connection())
            .await
            .expect("rows");
        assert!(!rows.is_empty(), "there is something in {table}");
        // An older signing secret has an end.
        let also = if name == "signing_old_sealed" { ", signing_old_until = now()" } else { "" };
        let sql = format!("UPDATE {table} SET {name} = $2{also} WHERE {id} = $1");
        for row in rows {
            let context = Context::of_row(tenant, row, column.purpose);
            let sealed = app.secrets.seal(context, &format!("{table}.{name}"));
            let update = sqlx::query(AssertSqlSafe(sql.clone())).bind(row).bind(sealed);
            update.execute(tx.connection()).await.expect("sealed");
            count += 1;
        }
        tx.commit().await.expect("stored");
    }
    let viewer = Viewer::new(tenant, service::access::Actor::Operator, Role::Owner);
    for kind in FrameProofKind::ALL {
        let secret = Some(SecretString::from(format!("secret of {}", kind.as_str())));
        let audience = Some("https://acme.zendesk.com/api/v2/apps/installations/7.json".to_owned());
        embedding::set_proof(app, &viewer, kind, secret, audience).await.expect("the proof");
        count += 1;
    }
    let (store, now) = (app.tenants.open(tenant).await.expect("the database"), app.clock.now());
    let id = store.next_provider(now);
    let context = Context::of_row(tenant, id.uuid(), Purpose::ProviderSecret);
    let sealed = app.secrets.seal(context, "a client's secret");
    store.create_provider(id, identity_provider(), Some(sealed), now).await.expect("a provider");
    count + 1
}

/// Every value opens with that app's keys and says what it was.
async fn opens(app: &App, tenant: TenantId) -> usize {
    let mut count = 0;
    for column in SEALED_COLUMNS {
        let (table, id, name) = (column.table, column.id, column.column);
        let mut tx = app.begin(tenant, Mode::ReadOnly).await.expect("begun");
        let sql = format!("SELECT {id}, {name} FROM {table} WHERE {name} IS NOT NULL");
        let rows: Vec<(uuid::Uuid, Vec<u8>)> =
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(tx.connection()).await.expect("rows");
        for (row, sealed) in rows {
            let opened = app.secrets.open(Context::of_row(tenant, row, column.purpose), &sealed);
            assert_eq!(opened.expect("it opens").expose_secret(), format!("{table}.{name}"));
            count += 1;
        }
    }
    for proof in embedding::proofs(app, tenant).await.expect("proofs") {
        let context = Context::of_row(tenant, tenant.uuid(), Purpose::FrameProof(proof.kind.as_str()));
        let opened = app.secrets.open(context, &proof.secret_sealed).expect("it opens");
        assert_eq!(opened.expose_secret(), format!("secret of {}", proof.kind.as_str()));
        count += 1;
    }
    let store = app.tenants.open(tenant).await.expect("the database");
    for provider in store.providers().await.expect("providers") {
        let context = Context::of_row(tenant, provider.id.uuid(), Purpose::ProviderSecret);
        let sealed = provider.client_secret_sealed.expect("a secret");
        assert_eq!(
            app.secrets.open(context, &sealed).expect("it opens").expose_secret(),
            "a client's secret"
        );
        count += 1;
    }
    count
}

#[tokio::test]
async fn a_configured_key_is_changed_in_the_configuration_and_reaches_every_sealed_column() {
    let mut test = TestApp::new().await;
    test.restart_with(|settings| settings.secrets = configured(key(1), vec![]));
    let acme = everything(&test, "acme").await;
    let count = seal_everything(&test.app, acme.tenant).await;
    assert!(count > SEALED_COLUMNS.len() + FrameProofKind::ALL.len());
    assert_eq!(opens(&test.app, acme.tenant).await, count);
    assert!(test.app.secrets.rotate().is_err(), "a command does not change the configuration");

    test.restart_with(|settings| settings.secrets = configured(key(2), vec![key(1)]));
    assert_eq!(opens(&test.app, acme.tenant).await, count, "the older key still opens");
    assert_eq!(resealing::reseal(&test.app).await.expect("sealed anew").values, count as u64);
    assert_eq!(resealing::reseal(&test.app).await.expect("nothing to do").values, 0);
    resealing::forget_older_keys(&test.app).await.expect("nothing needs the older one");

    test.restart_with(|settings| settings.secrets = configured(key(2), vec![]));
    assert_eq!(opens(&test.app, acme.tenant).await, count, "the new key alone opens everything");
    test.restart_with(|settings| settings.secrets = configured(key(1), vec![]));
    let store = test.app.tenants.open(acme.tenant).await.expect("the database");
    let other = store.sealed_with_another_key(test.app.secrets.current_key()).await.expect("counted");
    assert_eq!(other, FrameProofKind::ALL.len() as u64 + 1, "nothing is sealed with the older one");
}

#[tokio::test]
async fn keys_of_a_file_that_is_named_are_rotated_by_command() {
    let mut test = TestApp::new().await;
    let path = test.folder.path().join("keys/baton.key");
    let named = Settings { key_file: Some(path.clone()), ..Settings::default() };
    test.restart_with(|settings| settings.secrets = named.clone());
    assert!(path.is_file(), "it is made when it is not there");
    let acme = everything(&test, "acme").await;
    let count = seal_everything(&test.app, acme.tenant).await;
    // A server that runs meanwhile.
    let server = Arc::clone(&test.app);
    test.restart_with(|settings| settings.secrets = named.clone());
    test.app.secrets.rotate().expect("a new key");
    assert_eq!(resealing::reseal(&test.app).await.expect("sealed anew").values, count as u64);
    resealing::forget_older_keys(&test.app).await.expect("forgotten");
    assert_eq!(opens(&server, acme.tenant).await, count, "it reads the file again");
    assert_eq!(std::fs::read_to_string(&path).expect("the file").lines().count(), 1);
}
