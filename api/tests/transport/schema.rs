//! A schema that can do everything that the edge has to cope with.
#![expect(clippy::unused_async, reason = "the framework's resolvers are async functions")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use api::http::graphql::RequestId;
use async_graphql::{
    Context, Enum, Error, ErrorExtensions, ID, InputObject, Interface, Object, OneofObject, Result, Schema,
    SimpleObject, Subscription, ValidationMode,
};
use futures_util::stream::{self, Stream, StreamExt};

use crate::support::Who;

pub type TestSchema = Schema<Query, Mutation, Subscriptions>;

/// What the test looks at from outside of the schema.
#[derive(Clone, Default)]
pub struct Effects {
    /// The sum that mutations have added up to.
    pub sum: Arc<AtomicI32>,
    /// Subscriptions that run.
    pub running: Arc<AtomicI32>,
}

pub fn schema(effects: Effects) -> TestSchema {
    Schema::build(Query, Mutation, Subscriptions)
        .data(effects)
        .validation_mode(ValidationMode::Fast)
        .disable_suggestions()
        .limit_complexity(500)
        .finish()
}

pub struct Query;
pub struct Mutation;
pub struct Subscriptions;

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Red,
    Green,
}

#[derive(InputObject)]
pub struct Range {
    from: i32,
    #[graphql(default = 10)]
    to: i32,
}

#[derive(OneofObject)]
pub enum Key {
    Id(ID),
    Name(String),
}

#[derive(SimpleObject)]
pub struct Dog {
    name: String,
    barks: bool,
}

#[derive(SimpleObject)]
pub struct Cat {
    name: String,
    lives: i32,
}

#[derive(Interface)]
#[graphql(field(name = "name", ty = "&String"))]
pub enum Pet {
    Dog(Dog),
    Cat(Cat),
}

#[Object]
impl Query {
    /// The text, and nothing else.
    async fn echo(&self, text: String) -> String {
        text
    }

    async fn colour(&self, colour: Colour, range: Option<Range>, list: Option<Vec<Option<f64>>>) -> String {
        let range = range.map(|range| format!(" {}-{}", range.from, range.to)).unwrap_or_default();
        let list = list.map(|list| format!(" {list:?}")).unwrap_or_default();
        format!("{}{range}{list}", if colour == Colour::Red { "red" } else { "green" })
    }

    async fn find(&self, key: Key) -> String {
        match key {
            Key::Id(id) => format!("id {}", id.0),
            Key::Name(name) => format!("name {name}"),
        }
    }

    async fn pet(&self, cat: Option<bool>) -> Pet {
        match cat {
            Some(true) => Pet::Cat(Cat { name: "Tom".to_owned(), lives: 9 }),
            _ => Pet::Dog(Dog { name: "Rex".to_owned(), barks: true }),
        }
    }

    async fn small(&self, #[graphql(validator(maximum = 10))] number: i32) -> i32 {
        number
    }

    async fn query(&self) -> Query {
        Query
    }

    async fn who(&self, context: &Context<'_>) -> Result<String> {
        let id = context.data::<RequestId>()?;
        Ok(format!("{} in {}", context.data::<Who>()?.0, id.0))
    }

    async fn greet(&self, context: &Context<'_>) -> bool {
        context.append_http_header("set-cookie", "a=1");
        context.append_http_header("set-cookie", "b=2");
        true
    }

    async fn panics(&self) -> Option<bool> {
        assert!(std::hint::black_box(false), "a resolver's own fault");
        Some(true)
    }

    async fn leaks(&self) -> Option<Result<bool>> {
        Some(Err(Error::new("password of the database: hunter2")))
    }

    async fn conflicts(&self) -> Option<Result<bool>> {
        Some(Err(
            Error::new("somebody else was faster").extend_with(|_, values| values.set("code", "CONFLICT"))
        ))
    }

    async fn never(&self) -> bool {
        std::future::pending().await
    }

    #[graphql(complexity = 501)]
    async fn dear(&self) -> bool {
        true
    }
}

#[Object]
impl Mutation {
    async fn add(&self, context: &Context<'_>, by: i32) -> Result<i32> {
        Ok(context.data::<Effects>()?.sum.fetch_add(by, Ordering::SeqCst) + by)
    }
}

/// Counts a subscription for as long as its stream is held.
struct Running(Arc<AtomicI32>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[Subscription]
impl Subscriptions {
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        stream::iter(1..=to)
    }

    async fn endless(&self, context: &Context<'_>) -> Result<impl Stream<Item = i32>> {
        let running = Arc::clone(&context.data::<Effects>()?.running);
        running.fetch_add(1, Ordering::SeqCst);
        let running = Running(running);
        Ok(stream::once(async { 0 }).chain(stream::pending()).map(move |value: i32| {
            let _held = &running;
            value
        }))
    }

    async fn panics(&self) -> impl Stream<Item = i32> {
        stream::iter(0..2).map(|value| {
            assert!(value == 0, "a subscription's own fault");
            value
        })
    }
}
