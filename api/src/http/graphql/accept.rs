//! Which media type an answer has (GraphQL over HTTP, section 6.2; RFC 9110, section 12.5.1).

use axum::http::{HeaderMap, header};

/// The media types that the edge can answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/json`: 200 for every well-formed request.
    Json,
    /// `application/graphql-response+json`: the status tells how the request fared.
    GraphqlResponse,
    /// `text/event-stream`: the results of one operation as they come.
    EventStream,
}

impl Media {
    /// The `Content-Type` of an answer that is one JSON text. Errors before an event stream begins are such answers too.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json | Self::EventStream => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }

    /// The type that the client likes best, `None` if it likes none of ours.
    ///
    /// Without a preference (no header, or a range such as `*/*`) it is `application/json`, which every client reads.
    pub(super) fn negotiate(headers: &HeaderMap) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        let mut asked = false;
        for value in headers.get_all(header::ACCEPT) {
            for range in
                value.to_str().unwrap_or_default().split(',').filter(|range| !range.trim().is_empty())
            {
                asked = true;
                let (essence, weight) = weigh(range);
                let media = match essence.as_str() {
                    "application/json" | "application/*" | "*/*" => Self::Json,
                    "application/graphql-response+json" => Self::GraphqlResponse,
                    "text/event-stream" | "text/*" => Self::EventStream,
                    _ => continue,
                };
                if weight > 0 && best.is_none_or(|(most, _)| weight > most) {
                    best = Some((weight, media));
                }
            }
        }
        if asked { best.map(|(_, media)| media) } else { Some(Self::Json) }
    }
}

/// The type of a media range in lower case, and its weight in thousandths.
fn weigh(range: &str) -> (String, u16) {
    let mut parts = range.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (essence, weight.map_or(1000, thousandths))
}

/// A weight such as `0.75`; what cannot be read weighs nothing.
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" if digits(fraction) => 1000,
        "0" if digits(fraction) && fraction.len() <= 3 => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_type_wins() {
        let cases = [
            (None, Some(Media::Json)),
            (Some(""), Some(Media::Json)),
            (Some("*/*"), Some(Media::Json)),
            (Some("application/*"), Some(Media::Json)),
            (Some("application/json"), Some(Media::Json)),
            (Some("Application/JSON; charset=utf-8"), Some(Media::Json)),
            (Some("application/graphql-response+json"), Some(Media::GraphqlResponse)),
            (Some("application/graphql-response+json, application/json;q=0.9"), Some(Media::GraphqlResponse)),
            (Some("application/json;q=0.9, application/graphql-response+json"), Some(Media::GraphqlResponse)),
            (Some("application/json, application/graphql-response+json;q=0.75"), Some(Media::Json)),
            (Some("text/event-stream"), Some(Media::EventStream)),
            (Some("text/html, */*;q=0.8"), Some(Media::Json)),
            (Some("text/html"), None),
            (Some("application/json;q=0"), None),
            (Some("application/json;q=nonsense"), None),
        ];
        for (accept, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(Media::negotiate(&headers), expected, "{accept:?}");
        }
    }
}
