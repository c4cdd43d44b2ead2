//! Connection URIs: `amqp://user:password@authority/vhost`, read as RabbitMQ's clients read them.

use percent_encoding::percent_decode_str;

/// The parts of a connection URI that an in-process broker needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Uri {
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) host: String,
    pub(crate) vhost: String,
}

impl Uri {
    /// Reads a URI. Without user, password or vhost these are `guest`, `guest` and `/`; a path of `/`
    /// alone is the vhost with the empty name, as in lapin. A port and a query have no meaning in one
    /// process and are ignored.
    pub(crate) fn parse(uri: &str) -> Result<Self, String> {
        let (scheme, rest) = uri.split_once("://").ok_or("relative URL without a base")?;
        if !matches!(scheme, "amqp" | "amqps") {
            return Err(format!("Invalid AMQP scheme: {scheme}"));
        }
        let rest = rest.split(['?', '#']).next().unwrap_or(rest);
        let (authority, vhost) = match rest.split_once('/') {
            Some((authority, path)) => (authority, decode(path)?),
            None => (rest, "/".to_owned()),
        };
        let (userinfo, host) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority),
        };
        let (username, password) =
            match userinfo.map(|info| info.split_once(':').unwrap_or((info, ""))) {
                Some((username, password)) => (decode(username)?, decode(password)?),
                None => ("guest".to_owned(), "guest".to_owned()),
            };
        let host = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        if host.is_empty() {
            return Err("empty host".to_owned());
        }
        Ok(Self { username, password, host: host.to_ascii_lowercase(), vhost })
    }
}

fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(|text| text.into_owned()).map_err(|_| format!("'{text}' is not UTF-8 when decoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_uri_are_read_as_lapin_reads_them() {
        let full = Uri::parse("amqp://a%20user:p%40ss@Host:5672/%2fteam?heartbeat=5").unwrap();
        assert_eq!((full.username.as_str(), full.password.as_str()), ("a user", "p@ss"));
        assert_eq!((full.host.as_str(), full.vhost.as_str()), ("host", "/team"));
        let vhost = |uri: &str| Uri::parse(uri).unwrap().vhost;
        assert_eq!(vhost("amqp://h"), "/");
        assert_eq!(vhost("amqp://h/"), "");
        assert_eq!(vhost("amqp://h/%2f"), "/");
        assert_eq!(vhost("amqp://h//"), "/");
        let plain = Uri::parse("amqps://h").unwrap();
        assert_eq!((plain.username.as_str(), plain.password.as_str()), ("guest", "guest"));
    }

    #[test]
    fn a_bad_uri_is_refused_in_words() {
        assert_eq!(Uri::parse("localhost").unwrap_err(), "relative URL without a base");
        assert_eq!(Uri::parse("http://h").unwrap_err(), "Invalid AMQP scheme: http");
        assert_eq!(Uri::parse("amqp://").unwrap_err(), "empty host");
        assert!(Uri::parse("amqp://h/%ff").is_err());
    }
}
