//! `GET /reports/{report}/{file}`: a closed report's file, for a person, a key, or whoever has a link.
//!
//! `{file}` is any name whose extension is the format, as in `report.csv`: the name that it is saved under is the report's own.
//! Ranges of bytes, `ETag` and `If-None-Match` as RFC 9110 defines them, so that a large file can be taken up where it broke off.
//! Every fetch is written down before its first byte.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use domain::access::Right;
use domain::ids::{BillingReportId, PartnerId, TenantId};
use http::{HeaderMap, Method, StatusCode, header};
use serde::Deserialize;
use service::App;
use service::billing::files::{self, Format};
use service::billing::{links, partners, reports};
use service::database::Mode;

use super::caller;
use super::problem::Problem;

/// What may stand behind the address.
#[derive(Deserialize)]
pub struct Asked {
    link: Option<String>,
}

/// Who fetches, and which report's file.
struct Fetch {
    tenant: TenantId,
    actor: String,
    report: BillingReportId,
    format: Format,
}

/// Answers with the file.
pub async fn download(
    State(app): State<Arc<App>>,
    Path((report, file)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let not_found = || Problem::from(service::Error::not_found("billing report", &report));
    let id: BillingReportId = report.parse().map_err(|_| not_found())?;
    let extension = file.rsplit_once('.').map(|(_, extension)| extension);
    let format: Format = extension.and_then(|extension| extension.parse().ok()).ok_or_else(not_found)?;
    let fetch = if let Some(text) = &asked.link {
        let (tenant, link) = links::resolve(&app, text, id, format).await?;
        Fetch { tenant, actor: link.to_string(), report: id, format }
    } else {
        let viewer = caller::viewer(&app, &Method::GET, &headers).await?;
        viewer.require(Right::BillingRead)?;
        // Somebody of a partner finds its own partner's reports alone.
        reports::by_id(&app.begin_for(&viewer, Mode::ReadOnly).await?, id).await?;
        Fetch { tenant: viewer.tenant, actor: viewer.actor.to_string(), report: id, format }
    };
    answer(&app, &fetch, &headers).await
}

async fn answer(app: &Arc<App>, fetch: &Fetch, headers: &HeaderMap) -> Result<Response, Problem> {
    let tx = app.begin(fetch.tenant, Mode::ReadOnly).await?;
    let report = reports::by_id(&tx, fetch.report).await?;
    let partner = partners::partner(&tx, PartnerId(report.partner_id)).await?;
    drop(tx);
    let file = files::ensure(app, fetch.tenant, fetch.report, fetch.format).await?;
    let bytes = u64::try_from(file.bytes).unwrap_or(0);
    let etag = format!("\"{}\"", files::hex(&file.sha256));
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_NONE_MATCH).is_some_and(|known| is_known(known, &etag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    // A range counts only for the file that the client has a part of.
    let same = text(header::IF_RANGE).is_none_or(|known| known == etag);
    let range = match text(header::RANGE).filter(|_| same).map(|text| range(text, bytes)) {
        Some(Range::Unsatisfiable) => {
            let total = format!("bytes */{bytes}");
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, total)]).into_response());
        }
        Some(Range::Part(range)) => Some(range),
        Some(Range::Ignored) | None => None,
    };
    links::log(app, fetch.tenant, fetch.report, fetch.format, &fetch.actor).await?;
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let part = range.clone().unwrap_or(0..bytes);
    let body = files::open(app, &file, part.clone()).await?;
    let name = files::file_name(&partner.slug, &report, fetch.format);
    let fixed = [
        (header::CONTENT_TYPE, fetch.format.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CONTENT_LENGTH, (part.end - part.start).to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, etag),
        // What a link or a token opened must not stay in a shared cache.
        (header::CACHE_CONTROL, "private, no-cache, no-transform".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    let mut response = (status, fixed, Body::from_stream(body)).into_response();
    if range.is_some() {
        let of = format!("bytes {}-{}/{bytes}", part.start, part.end.saturating_sub(1));
        if let Ok(value) = of.parse() {
            response.headers_mut().insert(header::CONTENT_RANGE, value);
        }
    }
    Ok(response)
}

/// Whether the client has that file already. A cache on the way may have made the tag a weak one (RFC 9110, section 13.1.2).
fn is_known(known: &str, etag: &str) -> bool {
    let same = |one: &str| one.trim().trim_start_matches("W/") == etag;
    known.trim() == "*" || known.split(',').any(same)
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Part(std::ops::Range<u64>),
    Unsatisfiable,
    /// Of another kind, or several at once: the whole file is a right answer to both.
    Ignored,
}

/// One range of bytes (RFC 9110, section 14.1.2).
fn range(text: &str, bytes: u64) -> Range {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|one| one.split_once('-')) else {
        return Range::Ignored;
    };
    let part = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(bytes),
        (Ok(first), Err(_)) if last.trim().is_empty() => first..bytes,
        (Err(_), Ok(last)) if first.trim().is_empty() => bytes.saturating_sub(last)..bytes,
        _ => return Range::Ignored,
    };
    if part.is_empty() { Range::Unsatisfiable } else { Range::Part(part) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_alone_among_others_and_made_weak() {
        for known in ["\"a\"", "\"b\", \"a\"", "W/\"a\"", "*"] {
            assert!(is_known(known, "\"a\""), "{known}");
        }
        for other in ["", "a", "\"b\"", "W/\"b\", \"aa\""] {
            assert!(!is_known(other, "\"a\""), "{other}");
        }
    }

    #[test]
    fn a_range_is_a_part_nothing_or_ignored() {
        for (text, expected) in [
            ("bytes=0-9", Range::Part(0..10)),
            ("bytes=90-", Range::Part(90..100)),
            ("bytes=-10", Range::Part(90..100)),
            ("bytes=-1000", Range::Part(0..100)),
            ("bytes=95-1000", Range::Part(95..100)),
            ("bytes=100-", Range::Unsatisfiable),
            ("bytes=-0", Range::Unsatisfiable),
            ("bytes=9-0", Range::Ignored),
            ("bytes=0-1,5-6", Range::Ignored),
            ("lines=0-1", Range::Ignored),
            ("bytes=-", Range::Ignored),
        ] {
            assert_eq!(range(text, 100), expected, "{text}");
        }
    }
}
