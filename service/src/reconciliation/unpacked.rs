//! What a workbook (XLSX) comes to once it is unpacked, looked at before it is opened.
//!
//! What an archive and the tables in it say of their size is the sender's word. So every entry is unpacked once and counted, by the
//! crate that unpacks it for the reader too: both see the same entries under the same names.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use zip::ZipArchive;

use super::workbook::invalid;
use crate::error::Error;

/// What a workbook may unpack to, in bytes.
const UNPACKED_BYTES_MAX: u64 = 1 << 30;
/// What it may have packed, in bytes.
const PACKED_BYTES_MAX: u64 = 200 << 20;
/// The table of the texts that cells share, in lower case and without its folder, which the workbook chooses.
const SHARED_TEXTS: &str = "sharedstrings.xml";
/// Shared texts of a workbook: room for this many is a quarter of a gigabyte.
const SHARED_TEXTS_MAX: u64 = 10_000_000;
/// What of a table is looked at for its first tag, in bytes.
const BEGINNING_BYTES: u64 = 64 << 10;

/// Refuses a workbook that takes more than is allowed.
pub(super) fn check(path: &Path) -> Result<(), Error> {
    bounded(path, UNPACKED_BYTES_MAX)
}

fn bounded(path: &Path, unpacked_bytes_max: u64) -> Result<(), Error> {
    let failed = |error: io::Error| Error::internal("reading a workbook", error);
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() > PACKED_BYTES_MAX {
        return Err(too_large());
    }
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(&error))?;
    let mut left = unpacked_bytes_max;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| damaged(&error))?;
        let name = entry.name().map_err(|error| damaged(&error))?.to_ascii_lowercase();
        let shared = name.rsplit(['/', '\\']).next() == Some(SHARED_TEXTS);
        let mut counted = entry.take(left + 1);
        let mut beginning = Vec::new();
        counted
            .by_ref()
            .take(BEGINNING_BYTES)
            .read_to_end(&mut beginning)
            .map_err(|error| damaged(&error))?;
        let bytes = beginning.len() as u64
            + io::copy(&mut counted, &mut io::sink()).map_err(|error| damaged(&error))?;
        left = left.checked_sub(bytes).ok_or_else(too_large)?;
        // Room for all of them is taken before the first is read, and where there is none the process ends.
        if shared && texts_said(&beginning).is_none_or(|texts| texts > bytes.min(SHARED_TEXTS_MAX)) {
            let message = "the workbook does not say, in a way that can be true, how many texts its cells share; save it anew, or send the list as CSV";
            return Err(invalid(message.into()));
        }
    }
    Ok(())
}

/// How many texts a table says it has (`uniqueCount`; `count` is how often cells name one of them, which may be any number); 0 when it
/// does not say it. None unless the table is UTF-8 and begins with its tag, as those of all common programs do: behind anything else
/// the reader might find another tag and another number than we do.
fn texts_said(beginning: &[u8]) -> Option<u64> {
    const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];
    let text = String::from_utf8_lossy(beginning);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim_start();
    let text = match text.strip_prefix("<?xml") {
        Some(declared) => {
            let (declaration, rest) = declared.split_once("?>")?;
            is_utf8(&declaration.to_ascii_lowercase()).then_some(rest.trim_start())?
        }
        None => text,
    };
    let (tag, _) = text.strip_prefix('<')?.split_once('>')?;
    let tag = tag.strip_suffix('/').unwrap_or(tag);
    let (name, mut attributes) = tag.split_once(SPACES).unwrap_or((tag, ""));
    if name.split_once(':').map_or(name, |(_, local)| local) != "sst" {
        return None;
    }
    let mut said = 0;
    while let Some((name, rest)) = attributes.split_once('=') {
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, rest) = rest[1..].split_once(quote)?;
        if name.contains("uniqueCount") {
            said = value.parse::<u64>().ok()?.max(said);
        }
        attributes = rest;
    }
    attributes.trim().is_empty().then_some(said)
}

/// Whether a declaration, in lower case, names no encoding or UTF-8.
fn is_utf8(declaration: &str) -> bool {
    let Some((_, named)) = declaration.split_once("encoding") else { return true };
    let value = named.trim_start().strip_prefix('=').map(str::trim_start);
    !named.contains("encoding")
        && value.is_some_and(|value| value.starts_with("\"utf-8\"") || value.starts_with("'utf-8'"))
}

fn too_large() -> Error {
    invalid("the workbook is too large; send the list as CSV".into())
}

fn damaged(error: &dyn std::fmt::Display) -> Error {
    invalid(format!("the workbook cannot be unpacked ({error}); save it anew, or send the list as CSV"))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    /// An archive of one entry of a thousand bytes.
    fn archive() -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("xl/workbook.xml", SimpleFileOptions::default()).unwrap();
        writer.write_all(&[b' '; 1_000]).unwrap();
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn what_really_unpacks_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("book.xlsx");
        let mut bytes = archive();
        std::fs::write(&path, &bytes).unwrap();
        assert!(bounded(&path, 1_000).is_ok());
        let refused = bounded(&path, 999).unwrap_err().to_string();
        assert!(refused.contains("CSV"), "{refused}");
        // The directory says that there is one byte (APPNOTE.TXT 4.3.12).
        let record = memchr::memmem::find(&bytes, b"PK\x01\x02").unwrap();
        bytes[record + 24..record + 28].copy_from_slice(&1_u32.to_le_bytes());
        std::fs::write(&path, &bytes).unwrap();
        let refused = bounded(&path, 999).unwrap_err().to_string();
        assert!(refused.contains("CSV"), "{refused}");
    }

    #[test]
    fn the_number_of_texts_is_read_only_where_the_reader_finds_the_same() {
        let table = [
            ("<sst/>", Some(0)),
            ("<sst></sst>", Some(0)),
            (
                "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<x:sst count=\"9\" uniqueCount = '7'>",
                Some(7),
            ),
            ("<?xml version='1.0'?><sst xmlns=\"a=b\" uniqueCount=\"1\" uniqueCount=\"8\">", Some(8)),
            ("<sst uniqueCount=\"many\">", None),
            ("<sst uniqueCount=\"-1\">", None),
            ("<sst uniqueCount=5>", None),
            ("<sst a=\">\" uniqueCount=\"5\">", None),
            ("<!-- <sst uniqueCount=\"1\"> --><sst uniqueCount=\"9\">", None),
            ("<a:b:sst><sst uniqueCount=\"9\">", None),
            ("<sst uniqueCount=\"1\"", None),
            ("<?xml version=\"utf-8\" encoding=\"UTF-16\"?><sst>", None),
            ("<?xml version=\"1.0\" encoding=\"UTF-16\" a=\"encoding='utf-8'\"?><sst>", None),
            ("", None),
        ];
        for (text, wanted) in table {
            assert_eq!(texts_said(text.as_bytes()), wanted, "{text}");
        }
        let wide: Vec<u8> = "\u{feff}<sst>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(texts_said(&wide), None);
    }
}
