//! URIs, and certificates.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use crate::lapin;
use crate::lapin::tcp::{AsyncTcpStream, Identity, OwnedIdentity, OwnedTLSConfig, TLSConfig};
use crate::pins::{enums, functions, imports, named, records, traits};

imports! {
    IMPORTS;
    lapin::uri;
    lapin::tcp;
    lapin::tcp::AsyncTcpStream;
    lapin::AsyncTcpStream;
    lapin::tcp::Identity;
    lapin::tcp::OwnedIdentity;
    lapin::tcp::TLSConfig;
}

enums! {
    ENUMS;
    lapin::uri::AMQPScheme { AMQP, AMQPS }
    lapin::uri::SASLMechanism { AMQPlain, Anonymous, External, Plain, RabbitCrDemo }
}

records! {
    RECORDS;
    lapin::tcp::OwnedTLSConfig { identity: Option<OwnedIdentity>, cert_chain: Option<String> }
    lapin::uri::AMQPAuthority { host: String, port: u16, userinfo: lapin::uri::AMQPUserInfo }
    lapin::uri::AMQPQueryString { auth_mechanism: Option<lapin::uri::SASLMechanism>, channel_max: Option<lapin::types::ChannelId>, connection_timeout: Option<u64>, frame_max: Option<lapin::types::FrameSize>, heartbeat: Option<lapin::types::Heartbeat> }
    lapin::uri::AMQPUri { authority: lapin::uri::AMQPAuthority, query: lapin::uri::AMQPQueryString, scheme: lapin::uri::AMQPScheme, vhost: String }
    lapin::uri::AMQPUserInfo { password: String, username: String }
}

functions! {
    FUNCTIONS;
    lapin::uri::AMQPScheme::default_port: fn(&lapin::uri::AMQPScheme) -> u16;
    lapin::uri::SASLMechanism::name: fn(&lapin::uri::SASLMechanism) -> &'static str;
}

traits! {
    TRAITS;
    lapin::tcp::OwnedTLSConfig: Clone, Debug, Default, PartialEq;
    lapin::tcp::OwnedIdentity: Clone, Debug, PartialEq;
    lapin::tcp::TLSConfig<'static, 'static, 'static>: Debug, Default, PartialEq;
    lapin::tcp::Identity<'static, 'static>: Debug, PartialEq;
    lapin::tcp::AsyncTcpStream<Stream>: Debug;
    lapin::uri::AMQPScheme: Clone, Eq, PartialEq, Default, Debug, Display, FromStr<Err = String>;
    lapin::uri::SASLMechanism: Clone, Eq, PartialEq, Default, Debug, Display, Copy, FromStr<Err = String>;
    lapin::uri::AMQPAuthority: Clone, Eq, PartialEq, Default, Debug;
    lapin::uri::AMQPQueryString: Clone, Eq, PartialEq, Default, Debug;
    lapin::uri::AMQPUri: lapin::Connect, Clone, Eq, PartialEq, Default, Debug, Display, FromStr<Err = String>;
    lapin::uri::AMQPUserInfo: Clone, Eq, PartialEq, Default, Debug;
}

named! {
    NAMED;
    "lapin::tcp::OwnedTLSConfig::as_ref" = OwnedTLSConfig::as_ref => fn(&OwnedTLSConfig) -> TLSConfig<'_, '_, '_>;
    "lapin::tcp::OwnedIdentity::as_ref" = OwnedIdentity::as_ref => fn(&OwnedIdentity) -> Identity<'_, '_>;
    "lapin::tcp::TLSConfig.identity" = |config| config.identity => for<'a> fn(TLSConfig<'a, 'a, 'a>) -> Option<Identity<'a, 'a>>;
    "lapin::tcp::TLSConfig.cert_chain" = |config| config.cert_chain => for<'a> fn(TLSConfig<'a, 'a, 'a>) -> Option<&'a str>;
    "lapin::tcp::OwnedIdentity::PKCS12" = |der, password| OwnedIdentity::PKCS12 { der, password }
        => fn(Vec<u8>, String) -> OwnedIdentity;
    "lapin::tcp::OwnedIdentity::PKCS8" = |pem, key| OwnedIdentity::PKCS8 { pem, key }
        => fn(Vec<u8>, Vec<u8>) -> OwnedIdentity;
    "lapin::tcp::Identity::PKCS12" = |der, password| Identity::PKCS12 { der, password }
        => for<'a> fn(&'a [u8], &'a str) -> Identity<'a, 'a>;
    "lapin::tcp::Identity::PKCS8" = |pem, key| Identity::PKCS8 { pem, key }
        => for<'a> fn(&'a [u8], &'a [u8]) -> Identity<'a, 'a>;
    "lapin::tcp::AsyncTcpStream::Plain" = AsyncTcpStream::Plain => fn(Stream) -> AsyncTcpStream<Stream>;
}

type Stream = futures_util::io::Cursor<Vec<u8>>;

pub(crate) const NAMES: &[&[&str]] = &[IMPORTS, ENUMS, RECORDS, FUNCTIONS, TRAITS, NAMED];
