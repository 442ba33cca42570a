//! A body streamed to disk: bounded, hashed on the way, durable before it is answered.

use std::path::PathBuf;

use axum::body::Bytes;
use domain::ids::TenantId;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, StatusCode};
use service::App;
use service::intake::uploads;
use sha2::{Digest, Sha256};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

use super::problem::Problem;

/// The header with the file's name, percent-encoded.
pub const FILE_NAME: &str = "x-baton-file-name";

/// A file on disk. It goes when this is dropped, unless it is kept: a request that ends in whatever way leaves nothing.
#[derive(Debug)]
pub struct Upload {
    /// Relative to the data folder.
    pub stored_as: String,
    /// As sent.
    pub bytes: u64,
    /// SHA-256 as sent.
    pub hash: [u8; 32],
    draft: Draft,
}

impl Upload {
    /// An import has it now.
    pub fn keep(mut self) {
        self.draft.0 = None;
    }
}

/// A file that is taken away again, unless somebody takes the path out.
#[derive(Debug)]
struct Draft(Option<PathBuf>);

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::warn!(%error, "an upload could not be removed");
        }
    }
}

/// Stores `start` and the rest of the stream. Whatever goes wrong, nothing stays behind.
pub async fn receive<E>(
    app: &App,
    tenant: TenantId,
    stream: impl Stream<Item = Result<Bytes, E>> + Unpin,
    start: Vec<u8>,
) -> Result<Upload, Problem> {
    let below = uploads::folder(tenant);
    let folder = app.settings.data_dir.join(&below);
    fs::create_dir_all(&folder).await.map_err(|error| disk(&error))?;
    let name = app.ids.next(app.clock.now()).simple().to_string();
    let path = folder.join(&name);
    // File and guard come to be together: dropped meanwhile, both end as soon as they are there.
    let creating = tokio::task::spawn_blocking(move || {
        let file = std::fs::File::create(&path)?;
        Ok((File::from_std(file), Draft(Some(path))))
    });
    let created = creating.await.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
    let (mut file, draft) = created.map_err(|error| disk(&error))?;
    let (bytes, hash) = store(app, &mut file, stream, start).await?;
    Ok(Upload { stored_as: format!("{below}/{name}"), bytes, hash, draft })
}

async fn store<E>(
    app: &App,
    file: &mut File,
    mut stream: impl Stream<Item = Result<Bytes, E>> + Unpin,
    start: Vec<u8>,
) -> Result<(u64, [u8; 32]), Problem> {
    let mut hash = Sha256::new();
    let mut bytes = 0_u64;
    let mut piece = Bytes::from(start);
    loop {
        bytes += piece.len() as u64;
        if bytes > app.settings.file_bytes_max {
            let megabytes = app.settings.file_bytes_max >> 20;
            return Err(Problem::too_large(format!(
                "the file is larger than {megabytes} MiB: compress it with gzip or split it into several files"
            )));
        }
        hash.update(&piece);
        file.write_all(&piece).await.map_err(|error| disk(&error))?;
        match next_piece(app, &mut stream).await? {
            Some(next) => piece = next,
            None => break,
        }
    }
    file.sync_all().await.map_err(|error| disk(&error))?;
    Ok((bytes, hash.finalize().into()))
}

/// The next piece of a body; none at its end. A sender that is silent for too long counts as gone.
pub async fn next_piece<E>(
    app: &App,
    stream: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
) -> Result<Option<Bytes>, Problem> {
    match tokio::time::timeout(app.settings.body_silence_max, stream.next()).await {
        Ok(Some(Ok(piece))) => Ok(Some(piece)),
        Ok(Some(Err(_))) | Err(_) => Err(cut_off()),
        Ok(None) => Ok(None),
    }
}

fn cut_off() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "BODY_CUT_OFF",
        "the body ended before its end: send it again; nothing of it was kept",
    )
}

fn disk(error: &std::io::Error) -> Problem {
    tracing::error!(%error, "an upload could not be written");
    Problem::new(
        StatusCode::INSUFFICIENT_STORAGE,
        "UNAVAILABLE",
        "the file could not be stored: the disk may be full; try again later",
    )
}

/// The name to show: without folders and control characters, at most 200 characters.
pub fn file_name(headers: &HeaderMap, source: &str) -> String {
    let sent = headers.get(FILE_NAME).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let decoded = percent_encoding::percent_decode_str(sent).decode_utf8_lossy();
    let base = decoded.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = base.chars().filter(|character| !character.is_control()).take(200).collect();
    if clean.trim().is_empty() { format!("{source} upload") } else { clean }
}
