//! How a client logs in: as lapin has it, for programs that use it by themselves. A connection does not need it.

use crate::uri::AMQPUserInfo;
pub use crate::uri::SASLMechanism;

/// A user, and the user's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    username: String,
    password: String,
}

impl Credentials {
    /// Of this user.
    #[must_use]
    pub fn new(username: String, password: String) -> Self {
        Self { username, password }
    }

    /// The user.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The user's password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// What a client says first to log in by a mechanism.
    #[must_use]
    pub fn sasl_auth_string(&self, mechanism: SASLMechanism) -> String {
        match mechanism {
            SASLMechanism::AMQPlain => {
                field("LOGIN", &self.username) + &field("PASSWORD", &self.password)
            }
            SASLMechanism::Plain => format!("\0{}\0{}", self.username, self.password),
            SASLMechanism::RabbitCrDemo => self.username.clone(),
            SASLMechanism::External | SASLMechanism::Anonymous => String::new(),
        }
    }

    /// What a client of the mechanism `RABBIT-CR-DEMO` answers to the server's question.
    #[must_use]
    pub fn rabbit_cr_demo_answer(&self) -> String {
        format!("My password is {}", self.password)
    }
}

/// A field of a table as it is on the wire: its name, the type of a long string, its length and its text.
fn field(name: &str, value: &str) -> String {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes();
    let name_length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    let bytes =
        [&[name_length], name.as_bytes(), b"S", length.as_slice(), value.as_bytes()].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Default for Credentials {
    fn default() -> Self {
        AMQPUserInfo::default().into()
    }
}

impl From<AMQPUserInfo> for Credentials {
    fn from(user: AMQPUserInfo) -> Self {
        let AMQPUserInfo { username, password } = user;
        Self { username, password }
    }
}
