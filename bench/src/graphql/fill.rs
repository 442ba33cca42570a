//! Tenants full of leads, deliveries and attempts, and a person of each with an access token.

use domain::ids::{DestinationId, SourceId, TenantId};
use secrecy::ExposeSecret;
use tenants::{KeyKind, NewKey, NewPassword, NewUser, Role};
use uuid::Uuid;

use crate::Outcome;
use crate::world::World;

/// A tenant and what it takes to ask for its leads.
pub struct Tenant {
    /// Whose leads.
    pub id: TenantId,
    /// The source that is asked for.
    pub source: SourceId,
    /// A member's access token.
    pub token: String,
    /// An API key.
    pub key: String,
}

/// That many tenants with that many leads each.
pub async fn fill(world: &World, count: u32, leads: u32) -> Outcome<Vec<Tenant>> {
    let owner = world.owner()?;
    sqlx::raw_sql(include_str!("fill.sql")).execute(owner).await?;
    let mut tenants = Vec::new();
    let mut filling = tokio::task::JoinSet::new();
    for number in 0..count {
        let id = world.tenant(&format!("tenant-{number}")).await?;
        let (first, second) =
            (world.source(id, "first", "leadsource").await?, world.source(id, "second", "experian").await?);
        let address = "http://127.0.0.1:9/leads";
        let destinations = [
            DestinationId(world.destination(id, "crm", address.to_owned()).await?.id).uuid(),
            DestinationId(world.destination(id, "archive", address.to_owned()).await?.id).uuid(),
        ];
        // The owner's pool bounds how many run at a time.
        filling.spawn(fill_one(owner.clone(), id, [first.id, second.id], destinations, leads));
        if filling.len() >= 2 {
            filling.join_next().await.ok_or("nothing to wait for")???;
        }
        let (token, key) = (token(world, id).await?, key(world, id).await?);
        tenants.push(Tenant { id, source: SourceId(first.id), token, key });
    }
    while let Some(filled) = filling.join_next().await {
        filled??;
    }
    sqlx::raw_sql("VACUUM (ANALYZE)").execute(owner).await?;
    sqlx::raw_sql("CHECKPOINT").execute(owner).await?;
    Ok(tenants)
}

async fn fill_one(
    owner: sqlx::PgPool,
    tenant: TenantId,
    sources: [Uuid; 2],
    destinations: [Uuid; 2],
    leads: u32,
) -> Outcome<()> {
    sqlx::query("SELECT bench_fill($1, $2, $3, $4)")
        .bind(tenant.uuid())
        .bind(sources)
        .bind(destinations)
        .bind(i64::from(leads))
        .execute(&owner)
        .await?;
    Ok(())
}

async fn key(world: &World, tenant: TenantId) -> Outcome<String> {
    let new = NewKey {
        kind: KeyKind::Api,
        name: "bench".to_owned(),
        role: Role::Service,
        scope: "*".to_owned(),
        created_by: None,
        expires_at: None,
    };
    let (app, now) = (&world.app, world.app.clock.now());
    Ok(app.tenants.open(tenant).await?.create_key(new, now).await?.text.expose_secret().to_owned())
}

async fn token(world: &World, tenant: TenantId) -> Outcome<String> {
    let (app, now) = (&world.app, world.app.clock.now());
    let tenant = app.tenants.open(tenant).await?;
    let new = NewUser {
        email: "kara@example.com".to_owned(),
        name: "Kara Test".to_owned(),
        role: Role::Agent,
        partner: None,
        password: NewPassword::Generated,
    };
    let user = tenant.create_user(new, now).await?.user;
    Ok(app.tokens.issue(&tenant, &user, now).await?.text.expose_secret().to_owned())
}
