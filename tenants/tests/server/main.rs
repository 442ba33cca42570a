//! The crate's promises over the databases of a real libSQL server, and those that concern a server alone.

#[path = "../shared/mod.rs"]
mod shared;

mod ground;

use std::num::NonZeroUsize;
use std::time::Duration;

use domain::ids::TenantId;
use tenants::{Error, Place, ServerOptions, Store, StoreOptions};

use ground::{Ground, Guard, Sqld};
use shared::{Fixture, after, new_id, options, start};

#[tokio::test]
async fn many_tenants_are_served_with_few_of_them_open() {
    let fixture = Fixture::with_capacity(4).await;
    let mut tenants = vec![];
    for _ in 0..40 {
        tenants.push(fixture.other_tenant().await.id());
        assert!(fixture.store.open_databases() <= 4);
    }
    for id in &tenants {
        assert!(!fixture.store.open(*id).await.unwrap().is_suspended().await.unwrap());
    }
}

#[tokio::test]
async fn without_an_administration_a_database_must_be_there_and_is_left_empty() {
    let sqld = Sqld::start(&[]).await;
    let store =
        Store::new(options(Place::Server(ServerOptions { admin_url: None, ..sqld.options() }))).unwrap();
    let id = TenantId(new_id(start()));
    let refused = store.create(id).await.unwrap_err();
    assert!(matches!(refused, Error::DatabaseNotPrepared { tenant } if tenant == id), "{refused:?}");
    assert!(refused.to_string().contains(&id.to_string()));

    sqld.make_namespace(id).await;
    assert!(!store.exists(id).await.unwrap(), "an empty one is nobody's");
    assert!(matches!(store.open(id).await, Err(Error::DatabaseMissing { .. })));
    let tenant = store.create(id).await.unwrap();
    shared::user_of(&tenant, "ada@example.com", tenants::NewPassword::Absent).await;
    assert!(matches!(store.create(id).await, Err(Error::DatabaseExists { .. })));
    assert!(store.remove(id).await.unwrap());
    assert!(!store.exists(id).await.unwrap());
    let left = sqld.sql(id, "SELECT count(*) FROM sqlite_schema WHERE name = 'user'").await.unwrap();
    assert_eq!(left, [[libsql::Value::Integer(0)]]);
}

#[tokio::test]
async fn the_token_of_the_configuration_is_what_the_server_asks_for() {
    let guard = Guard::new();
    let sqld = Sqld::start(&[("SQLD_AUTH_JWT_KEY", guard.public_key())]).await;
    let id = TenantId(new_id(start()));
    sqld.make_namespace(id).await;
    let store_with = |token: Option<&str>| {
        let token = token.map(|token| token.to_owned().into());
        Store::new(options(Place::Server(ServerOptions { token, ..sqld.options() }))).unwrap()
    };
    for wrong in [None, Some("no-token"), Some(Guard::new().token().as_str())] {
        let refused = store_with(wrong).create(id).await.unwrap_err();
        assert!(matches!(refused, Error::Server { .. }), "{refused:?}");
        let text = shared::whole_text(&refused);
        assert!(text.contains("refuses the token") && !text.contains("no-token"), "{text}");
    }
    let store = store_with(Some(&guard.token()));
    let tenant = store.create(id).await.unwrap();
    assert!(!tenant.is_suspended().await.unwrap());
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable_and_serves_again_once_it_is_back() {
    let sqld = Sqld::start(&[]).await;
    let store = Store::new(options(sqld.place())).unwrap();
    let tenant = store.create(TenantId(new_id(start()))).await.unwrap();
    let user = shared::user_of(&tenant, "ada@example.com", tenants::NewPassword::Absent).await;
    let stopped = sqld.stop();
    let lost = [
        tenant.user(user.id).await.map(drop),
        tenant.set_user_name(user.id, "Countess").await.map(drop),
        store.exists(tenant.id()).await.map(drop),
    ];
    for refused in lost {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, Error::ServerUnreachable { .. }), "{refused:?}");
    }
    let sqld = Sqld::start_again(stopped).await;
    assert_eq!(tenant.user(user.id).await.unwrap().unwrap().name, "Ada");
    tenant.set_user_name(user.id, "Countess").await.unwrap();
    drop(sqld);
}

#[tokio::test]
async fn what_fails_in_the_middle_of_a_transaction_leaves_nothing_and_locks_nobody_out() {
    let fixture = Fixture::new().await;
    fixture.user("ada@example.com").await;
    // The address is taken, which shows only inside of the transaction.
    for _ in 0..20 {
        let again = tenants::NewUser {
            email: "ada@example.com".to_owned(),
            name: "Eve".to_owned(),
            role: tenants::Role::Agent,
            partner: None,
            password: tenants::NewPassword::Absent,
        };
        assert!(matches!(fixture.tenant.create_user(again, after(1)).await, Err(Error::EmailTaken)));
    }
    let quick = tokio::time::timeout(Duration::from_secs(3), fixture.user("eve@example.com"));
    quick.await.expect("no transaction is left open at the server");
    assert_eq!(fixture.tenant.users(None, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn one_open_database_serves_many_tenants_in_turn() {
    let ground = Ground::new().await;
    let open_databases_max = NonZeroUsize::MIN;
    let store = Store::new(StoreOptions { open_databases_max, ..options(ground.place()) }).unwrap();
    let (one, two) = (TenantId(new_id(start())), TenantId(new_id(start())));
    for id in [one, two] {
        let tenant = store.create(id).await.unwrap();
        shared::user_of(&tenant, &format!("ada@{}.example", id.uuid()), tenants::NewPassword::Absent).await;
    }
    for id in [one, two, one] {
        let tenant = store.open(id).await.unwrap();
        let users = tenant.users(None, 10).await.unwrap();
        assert_eq!(users.len(), 1);
        assert_eq!(users[0].email.as_str(), format!("ada@{}.example", id.uuid()));
    }
}
