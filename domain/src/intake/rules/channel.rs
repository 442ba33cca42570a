//! The channel by which a lead came.

use compact_str::CompactString;

use super::super::codes::INVALID_FIELD;
use super::Fault;
use super::text::trim;

/// What the stored leads know; the database takes no other word.
const CHANNELS: [&str; 5] = ["file", "api", "web", "sms", "voice"];

const FAULT: Fault = Fault::new(INVALID_FIELD, "The channel is none of file, api, web, sms and voice.");

/// One of the five words, in lower case; blank is `None`.
pub fn channel(text: &str) -> Result<Option<CompactString>, Fault> {
    let text = trim(text);
    if text.is_empty() {
        return Ok(None);
    }
    let known = CHANNELS.into_iter().find(|known| text.eq_ignore_ascii_case(known));
    known.map(|known| Some(CompactString::const_new(known))).ok_or(FAULT)
}
