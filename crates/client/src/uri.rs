//! Connection URIs: `amqp://user:password@authority/vhost`, read as RabbitMQ's clients read them.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// A URI, in its parts. [`Broker::uri`](crate::Broker::uri) gives one as text.
///
/// Without user, password or virtual host these are `guest`, `guest` and `/`. A path of `/` alone is the virtual host
/// with the empty name.
///
/// ```
/// use leveret_client::uri::AMQPUri;
///
/// let uri: AMQPUri = "amqp://worker:secret@broker/%2fteam?heartbeat=5".parse()?;
/// assert_eq!(uri.authority.userinfo.username, "worker");
/// assert_eq!((uri.authority.port, uri.vhost.as_str()), (5672, "/team"));
/// assert_eq!(uri.query.heartbeat, Some(5));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AMQPUri {
    /// With TLS or without, which makes no difference in one process.
    pub scheme: AMQPScheme,
    /// Who connects, and where.
    pub authority: AMQPAuthority,
    /// The virtual host.
    pub vhost: String,
    /// What is asked for.
    pub query: AMQPQueryString,
}

/// What a URI begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AMQPScheme {
    /// Without TLS.
    #[default]
    AMQP,
    /// With TLS.
    AMQPS,
}

/// Who connects, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AMQPAuthority {
    /// Who.
    pub userinfo: AMQPUserInfo,
    /// The name of the broker, or of the machine that it would be on.
    pub host: String,
    /// The port that it would listen on.
    pub port: u16,
}

/// A user, and the user's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AMQPUserInfo {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

/// What a URI asks for behind its `?`. What is not known is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AMQPQueryString {
    /// The largest frame, in bytes, which there are none of.
    pub frame_max: Option<u32>,
    /// How many channels the connection may have.
    pub channel_max: Option<u16>,
    /// How often a sign of life is sent, in seconds, which is not needed in one process.
    pub heartbeat: Option<u16>,
    /// How long connecting may take, in milliseconds. It takes none.
    pub connection_timeout: Option<u64>,
    /// How to log in. It is by name and password in any case.
    pub auth_mechanism: Option<SASLMechanism>,
}

/// A way to log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SASLMechanism {
    /// Name and password, in a table.
    AMQPlain,
    /// As nobody.
    Anonymous,
    /// By something else, such as a certificate.
    External,
    /// Name and password.
    #[default]
    Plain,
    /// An example of RabbitMQ's.
    RabbitCrDemo,
}

impl SASLMechanism {
    const ALL: [Self; 5] =
        [Self::AMQPlain, Self::Anonymous, Self::External, Self::Plain, Self::RabbitCrDemo];

    /// What it is called on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::AMQPlain => "AMQPLAIN",
            Self::Anonymous => "ANONYMOUS",
            Self::External => "EXTERNAL",
            Self::Plain => "PLAIN",
            Self::RabbitCrDemo => "RABBIT-CR-DEMO",
        }
    }
}

impl fmt::Display for SASLMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SASLMechanism {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| format!("Invalid SASL mechanism: {}", name.to_lowercase()))
    }
}

impl AMQPScheme {
    /// The port that is meant if a URI says none.
    #[must_use]
    pub fn default_port(&self) -> u16 {
        match self {
            Self::AMQP => 5672,
            Self::AMQPS => 5671,
        }
    }
}

impl fmt::Display for AMQPScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AMQP => "amqp",
            Self::AMQPS => "amqps",
        })
    }
}

impl FromStr for AMQPScheme {
    type Err = String;

    fn from_str(scheme: &str) -> Result<Self, String> {
        match scheme {
            "amqp" => Ok(Self::AMQP),
            "amqps" => Ok(Self::AMQPS),
            other => Err(format!("Invalid AMQP scheme: {other}")),
        }
    }
}

impl Default for AMQPUserInfo {
    fn default() -> Self {
        Self { username: "guest".to_owned(), password: "guest".to_owned() }
    }
}

impl Default for AMQPAuthority {
    fn default() -> Self {
        let (userinfo, port) = (AMQPUserInfo::default(), AMQPScheme::default().default_port());
        Self { userinfo, host: "localhost".to_owned(), port }
    }
}

impl Default for AMQPUri {
    fn default() -> Self {
        Self {
            scheme: AMQPScheme::default(),
            authority: AMQPAuthority::default(),
            vhost: "/".to_owned(),
            query: AMQPQueryString::default(),
        }
    }
}

impl FromStr for AMQPUri {
    type Err = String;

    /// Reads a URI as browsers read one: spaces around it and the ends of lines within do not count.
    fn from_str(uri: &str) -> Result<Self, String> {
        let text: String = uri
            .trim_matches(|letter| letter <= ' ')
            .chars()
            .filter(|letter| !['\t', '\n', '\r'].contains(letter))
            .collect();
        let (scheme, rest) = scheme_of(&text).ok_or("relative URL without a base")?;
        let rest = rest.split('#').next().unwrap_or(rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => match rest.split_once('/') {
                Some((authority, path)) => (authority, Some(path)),
                None => (rest, None),
            },
            None => match rest.strip_prefix('/') {
                Some(path) => ("", Some(path)),
                None => return Err(format!("Invalid URL: '{uri}'")),
            },
        };
        let parts = parts_of(authority)?;
        let scheme: AMQPScheme = scheme.to_ascii_lowercase().parse()?;
        let authority = parts.decoded(&scheme)?;
        let vhost = path.map_or_else(|| Ok("/".to_owned()), decode)?;
        Ok(Self { scheme, authority, vhost, query: query.parse()? })
    }
}

/// The scheme of a URI, and what follows its colon.
fn scheme_of(uri: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = uri.split_once(':')?;
    let mut letters = scheme.bytes();
    let begins = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic());
    let goes_on = letters.all(|letter| letter.is_ascii_alphanumeric() || b"+-.".contains(&letter));
    (begins && goes_on).then_some((scheme, rest))
}

/// An authority in its parts, as they are written; one that is empty is not there.
struct Parts<'a> {
    username: &'a str,
    password: &'a str,
    host: &'a str,
    port: Option<u16>,
}

fn parts_of(authority: &str) -> Result<Parts<'_>, &'static str> {
    let (userinfo, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (username, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let (host, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let address = rest.split_once(']').filter(|(address, port)| {
                let ends = port.is_empty() || port.starts_with(':');
                ends && address.parse::<Ipv6Addr>().is_ok()
            });
            let (address, _) = address.ok_or("invalid IPv6 address")?;
            host.split_at(address.len() + "[]".len())
        }
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    if !host.starts_with('[') && host.contains(|letter| "\0 <>[\\]^|".contains(letter)) {
        return Err("invalid domain character");
    }
    if host.is_empty() && !authority.is_empty() {
        return Err("empty host");
    }
    let digits = port.strip_prefix(':').unwrap_or(port);
    let port = match digits {
        "" => None,
        // What is a number to Rust may have a sign.
        _ if !digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            return Err("invalid port number");
        }
        _ => Some(digits.parse().map_err(|_| "invalid port number")?),
    };
    Ok(Parts { username, password, host, port })
}

impl Parts<'_> {
    fn decoded(self, scheme: &AMQPScheme) -> Result<AMQPAuthority, String> {
        let given = |text: &str, default: String| match text {
            "" => Ok(default),
            text => decode(text),
        };
        let AMQPAuthority { userinfo, host, .. } = AMQPAuthority::default();
        let username = given(self.username, userinfo.username)?;
        let password = given(self.password, userinfo.password)?;
        let host = given(self.host, host)?;
        let port = self.port.unwrap_or_else(|| scheme.default_port());
        Ok(AMQPAuthority { userinfo: AMQPUserInfo { username, password }, host, port })
    }
}

impl FromStr for AMQPQueryString {
    type Err = String;

    /// Reads what is asked for; if it is asked for twice, the first counts.
    fn from_str(text: &str) -> Result<Self, String> {
        let words = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8_lossy().into_owned()
        };
        let pairs: Vec<_> = text
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(key, value)| (words(key), words(value)))
            .collect();
        let asked = |name: &str| {
            let found = pairs.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str())
        };
        Ok(Self {
            frame_max: asked("frame_max").map(number).transpose()?,
            channel_max: asked("channel_max").map(number).transpose()?,
            heartbeat: asked("heartbeat").map(number).transpose()?,
            connection_timeout: asked("connection_timeout").map(number).transpose()?,
            auth_mechanism: asked("auth_mechanism").map(str::parse).transpose()?,
        })
    }
}

fn number<T: FromStr<Err = std::num::ParseIntError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: std::num::ParseIntError| error.to_string())
}

fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(|text| text.into_owned()).map_err(|error| error.to_string())
}

impl fmt::Display for AMQPUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, authority: AMQPAuthority { userinfo, host, port }, vhost, query } = self;
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let (username, password) = (encoded(&userinfo.username), encoded(&userinfo.password));
        write!(f, "{scheme}://{username}:{password}@{host}:{port}/{}", encoded(vhost))?;
        let asked = [
            ("frame_max", query.frame_max.map(|value| value.to_string())),
            ("channel_max", query.channel_max.map(|value| value.to_string())),
            ("heartbeat", query.heartbeat.map(|value| value.to_string())),
            ("connection_timeout", query.connection_timeout.map(|value| value.to_string())),
            ("auth_mechanism", query.auth_mechanism.map(|value| value.to_string())),
        ];
        let mut before = '?';
        for (key, value) in asked.into_iter().filter_map(|(key, value)| Some((key, value?))) {
            write!(f, "{before}{key}={value}")?;
            before = '&';
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_uri_are_read_as_lapin_reads_them() {
        let full: AMQPUri =
            "amqp://a%20user:p%40ss@Host:5673/%2fteam?heartbeat=5&x=y".parse().unwrap();
        let userinfo = &full.authority.userinfo;
        assert_eq!((userinfo.username.as_str(), userinfo.password.as_str()), ("a user", "p@ss"));
        assert_eq!((full.authority.host.as_str(), full.authority.port), ("Host", 5673));
        assert_eq!((full.vhost.as_str(), full.query.heartbeat), ("/team", Some(5)));
        let vhost = |uri: &str| uri.parse::<AMQPUri>().unwrap().vhost;
        assert_eq!(vhost("amqp://h"), "/");
        assert_eq!(vhost("amqp://h/"), "");
        assert_eq!(vhost("amqp://h/%2f"), "/");
        assert_eq!(vhost("amqp://h//"), "/");
        let plain: AMQPUri = "amqps://h".parse().unwrap();
        assert_eq!(plain.authority.userinfo, AMQPUserInfo::default());
        assert_eq!((plain.scheme, plain.authority.port), (AMQPScheme::AMQPS, 5671));
        let default: AMQPUri = "amqp://localhost".parse().unwrap();
        assert_eq!(default, AMQPUri::default());
        assert_eq!("amqp://[::1]:1/".parse::<AMQPUri>().unwrap().authority.host, "[::1]");
        assert_eq!("amqp://[::1]/".parse::<AMQPUri>().unwrap().authority.port, 5672);
    }

    #[test]
    fn a_uri_reads_back_as_it_was_written() {
        let text = "amqps://a%20b:c@h:1/%2F?frame_max=9000&channel_max=3&heartbeat=2&connection_timeout=7\
                    &auth_mechanism=EXTERNAL";
        let uri: AMQPUri = text.parse().unwrap();
        assert_eq!(uri.to_string(), text);
        assert_eq!(AMQPUri::default().to_string(), "amqp://guest:guest@localhost:5672/%2F");
        for mechanism in SASLMechanism::ALL {
            assert_eq!(mechanism.name().to_lowercase().parse(), Ok(mechanism));
        }
    }

    #[test]
    fn a_bad_uri_is_refused_in_words() {
        let error = |uri: &str| uri.parse::<AMQPUri>().unwrap_err();
        assert_eq!(error("localhost"), "relative URL without a base");
        assert_eq!(error("http://h"), "Invalid AMQP scheme: http");
        assert_eq!(error("amqp://h:port"), "invalid port number");
        assert_eq!(error("amqp://h?channel_max=70000"), "number too large to fit in target type");
        assert_eq!(error("amqp://h?auth_mechanism=None"), "Invalid SASL mechanism: none");
        assert!("amqp://h/%ff".parse::<AMQPUri>().is_err());
    }
}
