//! Other ways to log in than by a URI's name and password.
//!
//! A broker of this process knows names and passwords alone. What a provider of the mechanism `PLAIN` says first is
//! read as such, a token being the password of the user without a name; with any other mechanism who connects is who
//! the URI says.

use std::fmt;
use std::time::Duration;

use crate::types::{LongString, ShortString};
use crate::uri::SASLMechanism;

/// Provides what to log in with.
pub trait AuthProvider: Send + Sync + 'static {
    /// The mechanism that it is for.
    fn mechanism(&self) -> ShortString {
        "EXTERNAL".into()
    }

    /// What is said first.
    ///
    /// # Errors
    ///
    /// A text that becomes an [`ErrorKind::AuthProviderError`](crate::ErrorKind::AuthProviderError).
    fn auth_starter(&self) -> Result<LongString, String> {
        Ok(LongString::default())
    }

    /// What is answered when a server asks for more, which none here does.
    ///
    /// # Errors
    ///
    /// As [`auth_starter`](Self::auth_starter).
    fn continue_auth(&self, challenge: LongString) -> Result<LongString, String> {
        let mechanism = self.mechanism();
        Err(format!(
            "Received Connection.Secure with challenge '{challenge}' but we don't know how to \
             handle it for {mechanism}."
        ))
    }

    /// How long what it provides can be used; `None` for ever.
    fn valid_for(&self) -> Option<Duration> {
        None
    }

    /// Something new to log in with.
    ///
    /// # Errors
    ///
    /// As [`auth_starter`](Self::auth_starter).
    fn refresh(&self) -> Result<LongString, String> {
        Err("Refresh not supported on current auth provider".to_owned())
    }
}

/// Makes tokens.
pub trait TokenProvider: Send + Sync + 'static {
    /// A new token.
    ///
    /// # Errors
    ///
    /// A text that says why there is none.
    fn create_token(&self) -> Result<LongString, String>;

    /// How long the last one can be used; `None` for ever.
    fn valid_for(&self) -> Option<Duration> {
        None
    }
}

/// Logs in with tokens, in the place of a password.
pub struct TokenAuthProvider<TP: TokenProvider> {
    token_provider: TP,
}

impl<TP: TokenProvider> TokenAuthProvider<TP> {
    /// With the tokens that this makes.
    #[must_use]
    pub fn new(token_provider: TP) -> Self {
        Self { token_provider }
    }
}

impl<TP: TokenProvider> From<TP> for TokenAuthProvider<TP> {
    fn from(token_provider: TP) -> Self {
        Self::new(token_provider)
    }
}

impl<TP: TokenProvider + fmt::Debug> fmt::Debug for TokenAuthProvider<TP> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenAuthProvider")
            .field("token_provider", &self.token_provider)
            .field("mechanism", &SASLMechanism::Plain)
            .finish()
    }
}

impl<TP: TokenProvider> AuthProvider for TokenAuthProvider<TP> {
    fn mechanism(&self) -> ShortString {
        "PLAIN".into()
    }

    fn auth_starter(&self) -> Result<LongString, String> {
        let token = self.token_provider.create_token()?;
        Ok([b"\0\0", token.as_bytes()].concat().into())
    }

    fn valid_for(&self) -> Option<Duration> {
        self.token_provider.valid_for()
    }

    fn refresh(&self) -> Result<LongString, String> {
        self.token_provider.create_token()
    }
}

/// How long a token can be used.
type ValidFor = dyn Fn(&LongString) -> Option<Duration> + Send + Sync;

/// Makes tokens with a function.
pub struct DefaultTokenProvider {
    create: Box<dyn Fn() -> Result<LongString, String> + Send + Sync>,
    valid_for: Box<ValidFor>,
    last: parking_lot::Mutex<LongString>,
}

impl DefaultTokenProvider {
    /// With a function that says how long a token can be used, and one that makes them.
    #[must_use]
    pub fn new<VF, CT>(valid_for: VF, create_token: CT) -> Self
    where
        VF: Fn(&LongString) -> Option<Duration> + Send + Sync + 'static,
        CT: Fn() -> Result<LongString, String> + Send + Sync + 'static,
    {
        let (create, valid_for) = (Box::new(create_token), Box::new(valid_for));
        Self { create, valid_for, last: parking_lot::Mutex::default() }
    }
}

impl TokenProvider for DefaultTokenProvider {
    fn create_token(&self) -> Result<LongString, String> {
        let token = (self.create)()?;
        self.last.lock().clone_from(&token);
        Ok(token)
    }

    fn valid_for(&self) -> Option<Duration> {
        let last = self.last.lock().clone();
        (self.valid_for)(&last)
    }
}

impl fmt::Debug for DefaultTokenProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefaultTokenProvider").finish_non_exhaustive()
    }
}
