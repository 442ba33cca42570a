//! Pages: Relay connections over lists that are ordered by id, with keyset cursors.

use std::sync::Arc;

use async_graphql::SimpleObject;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use service::intake::leads::{PAGE_ROWS_MAX, Page};
use uuid::Uuid;

use super::at_hand::{Node, Nodes};
use super::error::ApiError;

/// Rows of a page when nobody says how many; the schema's default of `first`.
const ROWS_DEFAULT: usize = 25;

/// Counting ends here: beyond it, nobody needs the exact number and everybody would wait for it.
pub(super) const COUNTED_MAX: u32 = 10_000;

/// Where a page lies (Relay's connection specification).
#[derive(SimpleObject)]
pub struct PageInfo {
    has_next_page: bool,
    has_previous_page: bool,
    start_cursor: Option<String>,
    end_cursor: Option<String>,
}

impl PageInfo {
    /// Of a page from the first id to the last, and whether there are more after and before it.
    pub(super) fn of(
        first: Option<Uuid>,
        last: Option<Uuid>,
        (more_after, more_before): (bool, bool),
    ) -> Self {
        Self {
            has_next_page: more_after,
            has_previous_page: more_before,
            start_cursor: first.map(cursor),
            end_cursor: last.map(cursor),
        }
    }
}

/// What a plain list costs of an operation's complexity.
pub(super) fn list_cost(first: i32, child: usize) -> usize {
    10 + usize::try_from(first).unwrap_or(0).min(200) * child
}

/// A row's place in its list, opaque to clients.
pub(super) fn cursor(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

fn place(argument: &'static str, cursor: Option<&str>) -> Result<Option<Uuid>, ApiError> {
    let Some(cursor) = cursor else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| Uuid::from_slice(&bytes).ok());
    let refuse = || ApiError::invalid(argument, format!("`{argument}` is not a cursor of this list"));
    bytes.map(Some).ok_or_else(refuse)
}

/// The arguments of a connection. `last` turns the page round: then `first`, which has a default, does not count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window<'a> {
    pub(super) first: Option<i32>,
    pub(super) after: Option<&'a str>,
    pub(super) last: Option<i32>,
    pub(super) before: Option<&'a str>,
}

impl Window<'_> {
    /// The page, when the arguments are within their bounds.
    pub(super) fn page(&self) -> Result<Page, ApiError> {
        let (argument, wanted) = self.last.map_or(("first", self.first), |last| ("last", Some(last)));
        let rows = match wanted.map(usize::try_from) {
            None => ROWS_DEFAULT,
            Some(Err(_)) => {
                return Err(ApiError::invalid(argument, format!("`{argument}` must not be negative")));
            }
            Some(Ok(rows)) if rows > PAGE_ROWS_MAX => {
                return Err(ApiError::limit(format!(
                    "`{argument}` is {rows}; a page has at most {PAGE_ROWS_MAX} rows"
                )));
            }
            Some(Ok(rows)) => rows,
        };
        Ok(Page {
            rows,
            after: place("after", self.after)?,
            before: place("before", self.before)?,
            from_end: self.last.is_some(),
        })
    }
}

/// What a page costs of an operation's complexity.
pub(super) fn page_cost(first: Option<i32>, last: Option<i32>, child: usize) -> usize {
    let rows = last.or(first).map_or(ROWS_DEFAULT, |rows| usize::try_from(rows).unwrap_or(0));
    // A page that is refused for its size must be refused with that reason, not with its complexity.
    1 + rows.min(PAGE_ROWS_MAX) * child
}

/// The nodes of a page and where it lies.
pub(super) struct Listed<T> {
    pub(super) nodes: Nodes<T>,
    id: fn(&T) -> Uuid,
    more_after: bool,
    more_before: bool,
}

impl<T> Listed<T> {
    /// The page of those nodes, and whether there are more after and before it.
    pub(super) fn new(
        nodes: Vec<Arc<T>>,
        id: fn(&T) -> Uuid,
        (more_after, more_before): (bool, bool),
    ) -> Self {
        Self { nodes: Nodes(nodes), id, more_after, more_before }
    }

    pub(super) fn info(&self) -> PageInfo {
        let place = |node: Option<&Arc<T>>| node.map(|node| cursor((self.id)(node)));
        PageInfo {
            has_next_page: self.more_after,
            has_previous_page: self.more_before,
            start_cursor: place(self.nodes.0.first()),
            end_cursor: place(self.nodes.0.last()),
        }
    }

    pub(super) fn edges(&self) -> impl Iterator<Item = (String, Node<T>)> {
        self.nodes.0.iter().map(|node| (cursor((self.id)(node)), Node(Arc::clone(node))))
    }
}

/// Defines a connection, its edge, and the fields that all connections have.
macro_rules! connection {
    ($(#[$doc:meta])* $connection:ident, $edge:ident, $node:ident { $($(#[$attribute:meta])* $field:ident: $kind:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(async_graphql::SimpleObject)]
        #[graphql(complex)]
        pub struct $connection {
            #[graphql(skip)]
            listed: crate::graphql::page::Listed<$node>,
            page_info: crate::graphql::page::PageInfo,
            $($(#[$attribute])* $field: $kind,)*
        }

        #[async_graphql::ComplexObject]
        impl $connection {
            async fn edges(&self) -> Vec<$edge> {
                self.listed.edges().map(|(cursor, node)| $edge { cursor, node }).collect()
            }

            async fn nodes(&self) -> &crate::graphql::at_hand::Nodes<$node> {
                &self.listed.nodes
            }
        }

        /// A row of the page and its place.
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            cursor: String,
            node: crate::graphql::at_hand::Node<$node>,
        }
    };
}
pub(super) use connection;

/// The number that a count came to, and whether it is exact: at [`COUNTED_MAX`] counting stops.
pub(super) fn counted(count: u32) -> (i32, bool) {
    (i32::try_from(count.min(COUNTED_MAX)).unwrap_or(i32::MAX), count <= COUNTED_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_page_or_says_why_not() {
        let window = |first, last| Window { first, last, ..Window::default() }.page();
        let rows =
            |page: Result<Page, ApiError>| page.map(|page| (page.rows, page.from_end)).map_err(|e| e.code());
        assert_eq!(rows(window(None, None)), Ok((25, false)));
        assert_eq!(rows(window(Some(100), None)), Ok((100, false)));
        assert_eq!(rows(window(Some(25), Some(7))), Ok((7, true)));
        assert_eq!(rows(window(Some(0), None)), Ok((0, false)));
        assert_eq!(rows(window(Some(101), None)), Err("LIMIT_EXCEEDED"));
        assert_eq!(rows(window(Some(25), Some(101))), Err("LIMIT_EXCEEDED"));
        assert_eq!(rows(window(Some(-1), None)), Err("BAD_USER_INPUT"));
        let limit = window(Some(101), None).unwrap_err();
        assert!(limit.message().contains("at most 100"), "{}", limit.message());
    }

    #[test]
    fn a_cursor_is_read_back_and_anything_else_is_refused() {
        let id = Uuid::from_u128(0x0193_4b5c_8d6e_7f00_8123_4567_89ab_cdef);
        let read = |text: &str| place("after", Some(text)).map_err(|error| error.code());
        assert_eq!(read(&cursor(id)), Ok(Some(id)));
        for wrong in ["", "x", "é", "AAAA", &format!("{}A", cursor(id)), &id.to_string()] {
            assert_eq!(read(wrong), Err("BAD_USER_INPUT"), "{wrong}");
        }
    }
}
