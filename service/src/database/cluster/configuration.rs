//! The server's settings, written anew at each start into `conf.d/baton.conf`.
//!
//! A file of one's own in `conf.d` whose name sorts later wins, and is never touched.

use std::fmt::Write;
use std::path::Path;

use super::super::system;
use super::Durability;

const MEGABYTE: u64 = 1 << 20;

/// The settings as the file's text.
pub(super) fn text(durability: Durability, socket: &Path) -> String {
    let buffers = shared_buffers_megabytes(system::memory_bytes().unwrap_or(0));
    let mut text = format!(
        "# Written by Baton at each start. Put your own settings into a file that sorts after this one.\n\
         listen_addresses = ''\n\
         port = {port}\n\
         unix_socket_directories = '{socket}'\n\
         unix_socket_permissions = 0700\n\
         max_connections = 100\n\
         shared_buffers = {buffers}MB\n\
         max_wal_size = 4GB\n\
         min_wal_size = 256MB\n\
         wal_compression = on\n\
         checkpoint_timeout = 15min\n\
         checkpoint_completion_target = 0.9\n\
         random_page_cost = 1.1\n\
         jit = off\n\
         timezone = 'UTC'\n\
         log_timezone = 'UTC'\n\
         log_line_prefix = '%m [%p] %u@%d '\n\
         # A statement and an error's details may hold a lead's data, which no log may.\n\
         log_error_verbosity = terse\n\
         log_min_error_statement = panic\n\
         log_parameter_max_length = 0\n\
         log_parameter_max_length_on_error = 0\n",
        port = super::PORT,
        socket = socket.display().to_string().replace('\'', "''"),
    );
    if durability == Durability::None {
        // A test's database is copied through the log: compressing it would take most of the test's time.
        for setting in ["fsync", "synchronous_commit", "full_page_writes", "wal_compression"] {
            writeln!(text, "{setting} = off").expect("text grows");
        }
        // Hundreds of small databases come and go: each goes through all buffers when it is dropped.
        text.push_str(
            "wal_level = minimal\nmax_wal_senders = 0\nmax_connections = 300\nmax_wal_size = 512MB\nshared_buffers = 128MB\n",
        );
    }
    text
}

/// An eighth of the memory, and between 128 MB and 1 GB: Baton is seldom the machine's only program.
fn shared_buffers_megabytes(memory_bytes: u64) -> u64 {
    (memory_bytes / MEGABYTE / 8).clamp(128, 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_follow_the_memory_within_bounds() {
        for (gigabytes, buffers) in [(0, 128), (1, 128), (2, 256), (4, 512), (8, 1024), (64, 1024)] {
            assert_eq!(shared_buffers_megabytes(gigabytes * 1024 * MEGABYTE), buffers, "{gigabytes} GB");
        }
    }

    #[test]
    fn only_a_test_cluster_gives_up_durability() {
        let full = text(Durability::Full, Path::new("/run/it's"));
        assert!(!full.contains("fsync") && full.contains("unix_socket_directories = '/run/it''s'"), "{full}");
        assert!(text(Durability::None, Path::new("/run")).contains("fsync = off"));
    }
}
