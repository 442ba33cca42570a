//! Section `log`: what is logged, and how.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use super::Error;

/// What is logged, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A level, or levels by part.
    pub level: String,
    /// How a line is written.
    #[serde(deserialize_with = "format")]
    pub format: Format,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Log {
    pub(super) fn check(&self) -> Result<(), Error> {
        EnvFilter::try_new(&self.level).map(|_| ()).map_err(|_| {
            Error::value(
                "log.level",
                "must be error, warn, info, debug, trace, or such levels by part as in info,service=debug",
            )
        })
    }
}

fn format<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Format, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err(serde::de::Error::custom("must be text or json")),
    }
}
