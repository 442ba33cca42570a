//! Who calls, as the transport hands it over, and what the browser keeps of a sign-in.

use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::SessionId;
use secrecy::SecretString;
use service::access::Viewer;
use tenants::SessionOrigin;

/// The caller of an operation, put into the request's data by the transport (`Caller::new(identity)`).
///
/// Without one the caller is anonymous.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Whoever is signed in.
    pub viewer: Option<Viewer>,
    /// The browser's session, when its cookie proved the viewer. Such a caller is a person at the dashboard.
    pub session: Option<SessionId>,
    /// Where a sign-in or sign-out leaves its cookies; none where the answer cannot carry any (web sockets).
    pub cookies: Option<CookieSlot>,
    /// Where the request comes from: what a session that it begins is recognised by.
    pub origin: SessionOrigin,
}

impl Identity {
    /// A caller that was recognised by a token or a key.
    pub fn of(viewer: Viewer) -> Self {
        Self { viewer: Some(viewer), ..Self::default() }
    }
}

/// Filled by a resolver, emptied by the layer that writes `Set-Cookie`.
#[derive(Clone, Debug, Default)]
pub struct CookieSlot(Arc<Mutex<Option<SetCookies>>>);

impl CookieSlot {
    /// What the answer has to do to the browser's cookies.
    pub fn take(&self) -> Option<SetCookies> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn put(&self, cookies: SetCookies) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(cookies);
    }
}

/// What happens to the cookie [`tenants::COOKIE_NAME`].
#[derive(Debug)]
pub enum SetCookies {
    /// A session has begun.
    Start(SessionCookies),
    /// The session has ended: the cookie goes.
    Clear,
}

/// The cookie of a session that has just begun.
#[derive(Debug)]
pub struct SessionCookies {
    /// The cookie's value.
    pub value: SecretString,
    /// What a page's script sends along to prove that it is ours.
    pub csrf: SecretString,
    /// Its `Max-Age`, seconds.
    pub max_age_seconds: u64,
}
