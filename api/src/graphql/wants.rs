//! What an operation asks of each type, read from its selections before anything is loaded.
//!
//! So each relation of a page is one statement, made only when it is asked for, and no resolver loads by itself: a
//! page of leads with deliveries and attempts is three statements, whatever its size.

use async_graphql::{Context, Lookahead};

/// The selections of one field, wherever in the operation they stand: fragments are part of them, aliases do not matter.
pub(super) struct Selected<'a>(Vec<Lookahead<'a>>);

impl<'a> Selected<'a> {
    /// The selections of the field that is being resolved.
    pub(super) fn here(context: &'a Context<'a>) -> Self {
        Self(vec![context.look_ahead()])
    }

    /// The selections of a field below.
    pub(super) fn field(&self, name: &str) -> Self {
        Self(self.0.iter().map(|look| look.field(name)).filter(Lookahead::exists).collect())
    }

    /// Whether the field below is asked for.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|look| look.field(name).exists())
    }

    fn any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }

    /// What is wanted below that field, when it is asked for.
    fn want<W: Wants>(&self, name: &str) -> Option<W> {
        let below = self.field(name);
        (!below.0.is_empty()).then(|| W::read(&below))
    }

    /// The nodes of a connection, asked for in either way.
    pub(super) fn nodes(&self) -> Self {
        let mut nodes = self.field("nodes").0;
        nodes.extend(self.field("edges").field("node").0);
        Self(nodes)
    }

    /// Whether there is any selection.
    pub(super) fn exists(&self) -> bool {
        !self.0.is_empty()
    }
}

/// What was loaded because it was asked for; none when it was not.
pub(super) type Asked<T> = Option<T>;

/// What is asked of a type beside the columns of its own row.
pub(super) trait Wants: Default {
    /// Reads it from the selections of the type.
    fn read(selected: &Selected<'_>) -> Self;
}

/// Of a lead.
#[derive(Clone, Debug, Default)]
pub(super) struct LeadWants {
    pub(super) status: bool,
    pub(super) events: bool,
    pub(super) source: Option<SourceWants>,
    pub(super) import: Option<ImportWants>,
    pub(super) deliveries: Option<Box<DeliveryWants>>,
}

impl Wants for LeadWants {
    fn read(selected: &Selected<'_>) -> Self {
        Self {
            status: selected.has("status"),
            events: selected.has("events"),
            source: selected.want("source"),
            import: selected.want("import"),
            deliveries: selected.want("deliveries").map(Box::new),
        }
    }
}

/// Of a delivery.
#[derive(Clone, Debug, Default)]
pub(super) struct DeliveryWants {
    pub(super) attempts: bool,
    pub(super) lead: Option<LeadWants>,
    pub(super) destination: Option<DestinationWants>,
}

impl Wants for DeliveryWants {
    fn read(selected: &Selected<'_>) -> Self {
        Self {
            attempts: selected.has("attempts"),
            lead: selected.want("lead"),
            destination: selected.want("destination"),
        }
    }
}

/// Of a source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SourceWants {
    pub(super) lead_count: bool,
}

impl Wants for SourceWants {
    fn read(selected: &Selected<'_>) -> Self {
        Self { lead_count: selected.has("leadCount") }
    }
}

/// Of a destination.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DestinationWants {
    pub(super) counts: bool,
}

impl Wants for DestinationWants {
    fn read(selected: &Selected<'_>) -> Self {
        Self { counts: selected.any(&["pending", "delivered", "failed", "held", "unknown", "rejected"]) }
    }
}

/// Of an import.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ImportWants {
    pub(super) counts: bool,
    pub(super) source: Option<SourceWants>,
}

impl Wants for ImportWants {
    fn read(selected: &Selected<'_>) -> Self {
        Self {
            counts: selected.any(&[
                "bytesRead",
                "records",
                "accepted",
                "warned",
                "updated",
                "duplicates",
                "rejected",
                "skipped",
                "recordsPerSecond",
            ]),
            source: selected.want("source"),
        }
    }
}

/// Of a refused record.
#[derive(Clone, Debug, Default)]
pub(super) struct FailedRecordWants {
    pub(super) values: bool,
    /// The columns of its reasons.
    pub(super) columns: bool,
    pub(super) source: Option<SourceWants>,
    pub(super) import: Option<ImportWants>,
    pub(super) lead: Option<LeadWants>,
}

impl Wants for FailedRecordWants {
    fn read(selected: &Selected<'_>) -> Self {
        Self {
            values: selected.has("values"),
            columns: selected.field("reasons").has("columns"),
            source: selected.want("source"),
            import: selected.want("import"),
            lead: selected.want("lead"),
        }
    }
}
