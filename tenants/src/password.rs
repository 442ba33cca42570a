//! Passwords: the policy, the hash, and how many are hashed at once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::{Error, random};

/// The fewest characters of a chosen password.
pub const PASSWORD_CHARACTERS_MIN: usize = 12;
/// The most bytes of a password: beyond, hashing serves an attacker only.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// Cost of one hash, from the OWASP Password Storage Cheat Sheet (Argon2id): 19 MiB, two passes, one lane.
const MEMORY_KIBIBYTES: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Those that wait for a processor; with more, the last would wait for seconds.
const WAITING_MAX: usize = 256;

/// Letters and digits that are not mistaken for one another; 32 of them, so each carries five bits.
const GENERATED_ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
const GENERATED_CHARACTERS: usize = 24;

/// Where a user's password comes from.
#[derive(Clone, Debug)]
pub enum NewPassword {
    /// The user's or administrator's choice; the policy is checked.
    Chosen(SecretString),
    /// A random one of 120 bits, returned once.
    Generated,
    /// None: the person signs in elsewhere.
    Absent,
}

/// Hashes and checks passwords off the async threads, as many at once as there are processors.
pub(crate) struct Passwords {
    processors: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// A password ready to be stored.
#[derive(Default)]
pub(crate) struct Prepared {
    pub(crate) hash: Option<String>,
    /// To be shown once, when it was generated.
    pub(crate) generated: Option<SecretString>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let processors = available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self { processors: Arc::new(Semaphore::new(processors)), waiting: AtomicUsize::new(0) }
    }

    /// Checks the policy, generates when asked to, and hashes.
    pub(crate) async fn prepare(&self, password: NewPassword) -> Result<Prepared, Error> {
        match password {
            NewPassword::Absent => Ok(Prepared::default()),
            NewPassword::Chosen(chosen) => {
                check_policy(chosen.expose_secret())?;
                Ok(Prepared { hash: Some(self.hash(chosen).await?), generated: None })
            }
            NewPassword::Generated => {
                let generated = generate()?;
                let hash = self.hash(generated.clone()).await?;
                Ok(Prepared { hash: Some(hash), generated: Some(generated) })
            }
        }
    }

    async fn hash(&self, password: SecretString) -> Result<String, Error> {
        let place = self.queue()?;
        self.run(place, "hash a password", move || hash_now(&password)).await?
    }

    /// A place among those that wait for a processor, or [`Error::Busy`].
    pub(crate) fn queue(&self) -> Result<Place<'_>, Error> {
        Place::take(&self.waiting)
    }

    /// Whether the password is the one of a PHC string. Without one it takes the same time and says no.
    pub(crate) async fn verify(
        &self,
        place: Place<'_>,
        password: SecretString,
        stored: Option<String>,
    ) -> Result<bool, Error> {
        self.run(place, "check a password", move || verify_now(&password, stored.as_deref())).await?
    }

    async fn run<T: Send + 'static>(
        &self,
        _place: Place<'_>,
        attempt: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let processor = Arc::clone(&self.processors).acquire_owned().await.map_err(|_| Error::Busy)?;
        // The processor is given back by the work itself: who stops waiting does not stop the work.
        let work = move || {
            let _processor = processor;
            work()
        };
        spawn_blocking(work).await.map_err(|source| Error::Interrupted { attempt, source })
    }
}

/// A place in the bounded queue, given back also when the caller stops waiting.
pub(crate) struct Place<'queue>(&'queue AtomicUsize);

impl<'queue> Place<'queue> {
    fn take(queue: &'queue AtomicUsize) -> Result<Self, Error> {
        let place = Self(queue);
        if queue.fetch_add(1, Ordering::Relaxed) < WAITING_MAX { Ok(place) } else { Err(Error::Busy) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn check_policy(password: &str) -> Result<(), Error> {
    if password.chars().count() < PASSWORD_CHARACTERS_MIN {
        return Err(Error::PasswordTooShort { characters_min: PASSWORD_CHARACTERS_MIN });
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(Error::PasswordTooLong { bytes_max: PASSWORD_BYTES_MAX });
    }
    Ok(())
}

fn generate() -> Result<SecretString, Error> {
    let bytes: [u8; GENERATED_CHARACTERS] = random::bytes()?;
    let mut text = String::with_capacity(GENERATED_CHARACTERS + GENERATED_CHARACTERS / 6);
    for (place, byte) in bytes.iter().enumerate() {
        if place > 0 && place % 6 == 0 {
            text.push('-');
        }
        text.push(char::from(GENERATED_ALPHABET[usize::from(byte % 32)]));
    }
    Ok(text.into())
}

fn argon2id() -> Result<Argon2<'static>, Error> {
    let params = Params::new(MEMORY_KIBIBYTES, PASSES, LANES, None)
        .map_err(|_| Error::Cryptography { attempt: "set the cost of a password hash" })?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &SecretString) -> Result<String, Error> {
    let salt: [u8; 16] = random::bytes()?;
    let hash: PasswordHash = argon2id()?
        .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
        .map_err(|_| Error::Cryptography { attempt: "hash a password" })?;
    Ok(hash.to_string())
}

fn verify_now(password: &SecretString, stored: Option<&str>) -> Result<bool, Error> {
    let password = password.expose_secret();
    // What is too long was never stored; the time then tells only what the sender knows.
    if password.len() > PASSWORD_BYTES_MAX {
        return Ok(false);
    }
    let Some(stored) = stored else {
        let mut out = [0; 32];
        let spent = argon2id()?.hash_password_into(password.as_bytes(), &[0; 16], &mut out);
        return spent.map(|()| false).map_err(|_| Error::Cryptography { attempt: "check a password" });
    };
    let hash = PasswordHash::new(stored).map_err(|_| Error::Corrupt {
        table: "user",
        column: "password_hash",
        id: String::new(),
    })?;
    // The cost stands in the stored hash, so that older hashes stay valid when the parameters rise.
    Ok(argon2id()?.verify_password(password.as_bytes(), &hash).is_ok())
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_argon2id_with_the_parameters_and_its_own_salt() {
        let password = SecretString::from("correct horse battery");
        let (one, other) = (hash_now(&password).unwrap(), hash_now(&password).unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other);
        assert!(verify_now(&password, Some(&one)).unwrap());
        assert!(!verify_now(&"correct horse batterz".into(), Some(&one)).unwrap());
        assert!(!verify_now(&password, None).unwrap());
        assert!(verify_now(&password, Some("no hash at all")).is_err());
    }

    #[test]
    fn the_policy_counts_characters_and_bounds_bytes() {
        for (password, allowed) in [
            ("elf zeichen", false),
            ("zwölf zeiche", true),
            ("дванадесет д", true),
            ("            ", true),
            (&"a".repeat(PASSWORD_BYTES_MAX), true),
            (&"a".repeat(PASSWORD_BYTES_MAX + 1), false),
        ] {
            assert_eq!(check_policy(password).is_ok(), allowed, "{password}");
        }
    }

    #[test]
    fn generated_passwords_differ_and_keep_the_policy() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one.expose_secret(), other.expose_secret());
        check_policy(one.expose_secret()).unwrap();
        assert_eq!(one.expose_secret().len(), 27);
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_places_come_back() {
        let passwords = Passwords::new();
        let places: Vec<_> = (0..WAITING_MAX).map(|_| Place::take(&passwords.waiting).unwrap()).collect();
        assert!(matches!(passwords.queue(), Err(Error::Busy)));
        assert!(matches!(passwords.prepare(NewPassword::Generated).await, Err(Error::Busy)));
        drop(places);
        let place = passwords.queue().unwrap();
        assert!(!passwords.verify(place, "any".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_still_occupies_its_processor() {
        let passwords = Passwords::new();
        let processors = passwords.processors.available_permits();
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let place = passwords.queue().unwrap();
        let mut work = Box::pin(passwords.run(place, "wait", move || finished.recv()));
        let poll = std::future::poll_fn(|context| {
            std::task::Poll::Ready(Future::poll(work.as_mut(), context).is_pending())
        });
        assert!(poll.await);
        drop(work);
        assert_eq!(passwords.processors.available_permits(), processors - 1);
        finish.send(()).unwrap();
        let all = u32::try_from(processors).unwrap();
        drop(passwords.processors.acquire_many(all).await.unwrap());
    }
}
