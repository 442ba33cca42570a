//! Progress of long work: on standard error, and only where a person watches.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use service::intake::imports::Counts;

/// The progress of one file.
pub(crate) struct FileProgress {
    bar: ProgressBar,
    began: Instant,
}

impl FileProgress {
    /// Of a file of so many bytes.
    pub(crate) fn begin(name: &str, bytes: u64) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(8)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(bytes), target);
        let template = "{prefix} {bar:24} {bytes}/{total_bytes} {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        bar.set_message("checking the file");
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, began: Instant::now() }
    }

    /// It has come so far.
    pub(crate) fn show(&self, counts: &Counts) {
        self.bar.set_position(u64::try_from(counts.bytes_read).unwrap_or(0));
        self.bar.set_message(format!(
            "{} records, {} new, {} refused, {}/s",
            counts.records,
            counts.accepted + counts.warned,
            counts.rejected,
            self.rate(counts.records)
        ));
    }

    fn rate(&self, records: i64) -> u128 {
        u128::try_from(records).unwrap_or(0) * 1_000 / self.began.elapsed().as_millis().max(1)
    }
}

impl Drop for FileProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
