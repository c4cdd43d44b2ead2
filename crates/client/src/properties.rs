//! What a program says of a connection before it is made.

use std::fmt;
use std::sync::Arc;

use backon::ExponentialBuilder;

use crate::auth::AuthProvider;
use crate::error::{ErrorKind, Result};
use crate::types::{AMQPValue, FieldTable, LongString, ShortString};
use crate::uri::AMQPUserInfo;

/// What a client tells a broker about itself, and how it connects. In one process most of it has no effect; it is
/// there because programs written for lapin set it.
///
/// By default the locale is `en_US`, and nothing is tried twice.
#[derive(Clone)]
pub struct ConnectionProperties {
    locale: ShortString,
    client_properties: FieldTable,
    auth_provider: Option<Arc<dyn AuthProvider>>,
    backoff: ExponentialBuilder,
    backoff_was_set: bool,
    auto_recover: bool,
}

/// How often connecting is tried again by who asks for recovery, unless he says.
const RECOVERY_ATTEMPTS: usize = 16;

impl Default for ConnectionProperties {
    fn default() -> Self {
        Self {
            locale: "en_US".into(),
            client_properties: FieldTable::default(),
            auth_provider: None,
            backoff: ExponentialBuilder::default().with_max_times(0),
            backoff_was_set: false,
            auto_recover: false,
        }
    }
}

impl ConnectionProperties {
    /// Sets the locale of the broker's texts, which are in English whatever it is.
    #[must_use]
    pub fn with_locale(mut self, locale: ShortString) -> Self {
        self.locale = locale;
        self
    }

    /// Adds a property that describes the client.
    #[must_use]
    pub fn with_client_property(mut self, key: ShortString, value: LongString) -> Self {
        self.client_properties.insert(key, AMQPValue::LongString(value));
        self
    }

    /// Names the connection.
    #[must_use]
    pub fn with_connection_name(self, connection_name: LongString) -> Self {
        self.with_client_property("connection_name".into(), connection_name)
    }

    /// Sets what to [log in](crate::auth) with, in the place of the URI's name and password.
    #[must_use]
    pub fn with_auth_provider<AP: AuthProvider>(mut self, auth_provider: AP) -> Self {
        self.auth_provider = Some(Arc::new(auth_provider));
        self
    }

    /// Sets how often and after which times to try to [recover](Self::enable_auto_recover) a connection. The first
    /// connection is not tried twice: a broker of this process is there or not.
    #[must_use]
    pub fn with_backoff(mut self, backoff: ExponentialBuilder) -> Self {
        (self.backoff, self.backoff_was_set) = (backoff, true);
        self
    }

    /// Changes how often and after which times to try to [recover](Self::enable_auto_recover) a connection.
    #[must_use]
    pub fn configure_backoff(
        mut self,
        configure: impl Fn(ExponentialBuilder) -> ExponentialBuilder,
    ) -> Self {
        (self.backoff, self.backoff_was_set) = (configure(self.backoff), true);
        self
    }

    /// Asks for a connection that is made anew when it is lost or the broker closes it: with its channels, their windows and
    /// confirm mode, what they declared and bound, and their consumers. A queue whose name the broker made gets a new one.
    ///
    /// Until then calls fail; [`Channel::wait_for_recovery`](crate::Channel::wait_for_recovery) waits it out. Consumers give
    /// the error and then go on: what was unacknowledged comes again, marked redelivered and with new tags, and its old
    /// [`Acker`](crate::Acker)s do nothing. Confirms that were waited for fail. Transactions are not selected again.
    ///
    /// The first attempt is made at once, the others after the times of [`with_backoff`](Self::with_backoff) (by default 16,
    /// from one second, doubling, at most a minute), on the connection's runtime.
    #[must_use]
    pub fn enable_auto_recover(mut self) -> Self {
        self.auto_recover = true;
        if !self.backoff_was_set {
            let backoff = self.backoff.with_max_times(RECOVERY_ATTEMPTS);
            (self.backoff, self.backoff_was_set) = (backoff, true);
        }
        self
    }

    /// How to try to make a connection anew, if that is asked for.
    pub(crate) fn recovery(&self) -> Option<ExponentialBuilder> {
        self.auto_recover.then_some(self.backoff)
    }

    /// Who logs in, and with which password, where a URI says this.
    pub(crate) fn credentials(&self, said: AMQPUserInfo) -> Result<AMQPUserInfo> {
        let Some(provider) = &self.auth_provider else { return Ok(said) };
        let starter = provider.auth_starter().map_err(ErrorKind::AuthProviderError)?;
        if provider.mechanism().as_str() != "PLAIN" {
            return Ok(said);
        }
        let text = String::from_utf8_lossy(starter.as_bytes()).into_owned();
        let mut parts = text.splitn(3, '\0').skip(1).map(str::to_owned);
        let (username, password) = (parts.next(), parts.next());
        let said_so = username.zip(password);
        let (username, password) = said_so.ok_or_else(|| {
            let text = "a provider of the mechanism PLAIN starts with \\0user\\0password";
            ErrorKind::AuthProviderError(text.to_owned())
        })?;
        Ok(AMQPUserInfo { username, password })
    }
}

impl fmt::Debug for ConnectionProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionProperties")
            .field("locale", &self.locale)
            .field("client_properties", &self.client_properties)
            .field("backoff", &self.backoff)
            .field("auto_recover", &self.auto_recover)
            .finish()
    }
}
