//! Connections, and how they are made.

use std::fmt::Debug;
use std::pin::Pin;
use std::time::Duration;

use async_rs::traits::{Reactor, RuntimeKit};
use async_rs::{Runtime, Tokio};
use backon::ExponentialBuilder;
use futures_util::Stream;

use crate::lapin;
use crate::lapin::auth::{AuthProvider, DefaultTokenProvider, TokenAuthProvider, TokenProvider};
use crate::lapin::tcp::OwnedTLSConfig;
use crate::lapin::types::{ChannelId, FrameSize, Heartbeat, LongString, ReplyCode, ShortString};
use crate::lapin::uri::AMQPUri;
use crate::lapin::{
    AsyncTcpStream, Connect, Connection, ConnectionBuilder, ConnectionProperties, Event,
};
use crate::pins::{aliases, calls, enums, functions, imports, named, traits};

imports! {
    IMPORTS;
    lapin::auth;
    lapin::auth::AuthProvider;
    lapin::auth::DefaultTokenProvider;
    lapin::auth::TokenAuthProvider;
    lapin::auth::TokenProvider;
    lapin::runtime;
    lapin::Configuration;
    lapin::Connect;
    lapin::Connection;
    lapin::ConnectionBuilder;
    lapin::ConnectionProperties;
    lapin::ConnectionStatus;
}

aliases! {
    ALIASES;
    lapin::DefaultConnectionBuilder = ConnectionBuilder<Tokio>;
}

enums! {
    ENUMS;
    lapin::ConnectionState { Closed, Closing, Connected, Connecting, Error, Initial, Reconnecting }
}

functions! {
    FUNCTIONS;
    lapin::runtime::default_runtime: fn() -> lapin::Result<async_rs::TokioRuntime>;
    lapin::Configuration::channel_max: fn(&lapin::Configuration) -> ChannelId;
    lapin::Configuration::frame_max: fn(&lapin::Configuration) -> FrameSize;
    lapin::Configuration::heartbeat: fn(&lapin::Configuration) -> Heartbeat;
    lapin::Connection::configuration: fn(&lapin::Connection) -> &lapin::Configuration;
    lapin::Connection::run: fn(lapin::Connection) -> lapin::Result<()>;
    lapin::Connection::status: fn(&lapin::Connection) -> &lapin::ConnectionStatus;
    lapin::ConnectionProperties::enable_auto_recover: fn(lapin::ConnectionProperties) -> lapin::ConnectionProperties;
    lapin::ConnectionProperties::with_backoff: fn(lapin::ConnectionProperties, ExponentialBuilder) -> lapin::ConnectionProperties;
    lapin::ConnectionProperties::with_client_property: fn(lapin::ConnectionProperties, ShortString, LongString) -> lapin::ConnectionProperties;
    lapin::ConnectionProperties::with_connection_name: fn(lapin::ConnectionProperties, LongString) -> lapin::ConnectionProperties;
    lapin::ConnectionProperties::with_locale: fn(lapin::ConnectionProperties, ShortString) -> lapin::ConnectionProperties;
    lapin::ConnectionStatus::blocked: fn(&lapin::ConnectionStatus) -> bool;
    lapin::ConnectionStatus::closed: fn(&lapin::ConnectionStatus) -> bool;
    lapin::ConnectionStatus::closing: fn(&lapin::ConnectionStatus) -> bool;
    lapin::ConnectionStatus::connected: fn(&lapin::ConnectionStatus) -> bool;
    lapin::ConnectionStatus::connecting: fn(&lapin::ConnectionStatus) -> bool;
    lapin::ConnectionStatus::errored: fn(&lapin::ConnectionStatus) -> bool;
    lapin::ConnectionStatus::reconnecting: fn(&lapin::ConnectionStatus) -> bool;
    lapin::ConnectionStatus::username: fn(&lapin::ConnectionStatus) -> String;
    lapin::ConnectionStatus::vhost: fn(&lapin::ConnectionStatus) -> ShortString;
}

calls! {
    CALLS;
    lapin::Connection::close = (connection: &Connection, reply_code: ReplyCode, reply_text: ShortString) -> ();
    lapin::Connection::connect = (uri: &str, options: ConnectionProperties) -> Connection;
    lapin::Connection::connect_uri = (uri: AMQPUri, options: ConnectionProperties) -> Connection;
    lapin::Connection::connect_uri_with_config::<Tokio> = (uri: AMQPUri, options: ConnectionProperties, config: OwnedTLSConfig, runtime: Runtime<Tokio>) -> Connection;
    lapin::Connection::connect_uri_with_runtime::<Tokio> = (uri: AMQPUri, options: ConnectionProperties, runtime: Runtime<Tokio>) -> Connection;
    lapin::Connection::connect_with_config::<Tokio> = (uri: &str, options: ConnectionProperties, config: OwnedTLSConfig, runtime: Runtime<Tokio>) -> Connection;
    lapin::Connection::connect_with_runtime::<Tokio> = (uri: &str, options: ConnectionProperties, runtime: Runtime<Tokio>) -> Connection;
    lapin::Connection::create_channel = (connection: &Connection) -> lapin::Channel;
    lapin::Connection::update_secret = (connection: &Connection, new_secret: LongString, reason: ShortString) -> ();
    lapin::ConnectionBuilder::<Tokio>::connect = (builder: &ConnectionBuilder<Tokio>) -> Connection;
}

type Builder = ConnectionBuilder<Tokio>;
type Connecting = Pin<Box<dyn Future<Output = lapin::Result<Connection>> + Send>>;
type Said = Result<LongString, String>;

/// Provides what every provider provides.
#[derive(Debug)]
struct Least;

impl AuthProvider for Least {}

impl TokenProvider for Least {
    fn create_token(&self) -> Said {
        Ok("token".into())
    }
}

named! {
    NAMED;
    "lapin::auth::AuthProvider::auth_starter" = <Least as AuthProvider>::auth_starter => fn(&Least) -> Said;
    "lapin::auth::AuthProvider::continue_auth" = <Least as AuthProvider>::continue_auth => fn(&Least, LongString) -> Said;
    "lapin::auth::AuthProvider::mechanism" = <Least as AuthProvider>::mechanism => fn(&Least) -> ShortString;
    "lapin::auth::AuthProvider::refresh" = <Least as AuthProvider>::refresh => fn(&Least) -> Said;
    "lapin::auth::AuthProvider::valid_for" = <Least as AuthProvider>::valid_for => fn(&Least) -> Option<Duration>;
    "lapin::auth::TokenProvider::create_token" = <Least as TokenProvider>::create_token => fn(&Least) -> Said;
    "lapin::auth::TokenProvider::valid_for" = <Least as TokenProvider>::valid_for => fn(&Least) -> Option<Duration>;
    "lapin::auth::DefaultTokenProvider::new" = DefaultTokenProvider::new::<fn(&LongString) -> Option<Duration>, fn() -> Said>
        => fn(fn(&LongString) -> Option<Duration>, fn() -> Said) -> DefaultTokenProvider;
    "lapin::auth::TokenAuthProvider::new" = TokenAuthProvider::<Least>::new => fn(Least) -> TokenAuthProvider<Least>;
    "lapin::auth::TokenAuthProvider: From<TP>" = TokenAuthProvider::from => fn(Least) -> TokenAuthProvider<Least>;
    "lapin::ConnectionBuilder::new" = Builder::new => fn() -> lapin::Result<Builder>;
    "lapin::ConnectionBuilder::new_with_runtime" = Builder::new_with_runtime => fn(Runtime<Tokio>) -> Builder;
    "lapin::ConnectionBuilder::with_properties" = Builder::with_properties => fn(Builder, ConnectionProperties) -> Builder;
    "lapin::ConnectionBuilder::with_tls_config" = Builder::with_tls_config => fn(Builder, OwnedTLSConfig) -> Builder;
    "lapin::ConnectionBuilder::with_uri" = Builder::with_uri => fn(Builder, AMQPUri) -> Builder;
    "lapin::ConnectionBuilder::with_uri_str" = Builder::with_uri_str => fn(Builder, String) -> Builder;
    "lapin::ConnectionProperties::with_auth_provider" = ConnectionProperties::with_auth_provider::<Least>
        => fn(ConnectionProperties, Least) -> ConnectionProperties;
    "lapin::ConnectionProperties::configure_backoff" = |properties, change| properties.configure_backoff(change)
        => fn(ConnectionProperties, fn(ExponentialBuilder) -> ExponentialBuilder) -> ConnectionProperties;
    "lapin::Connect::connect" = <AMQPUri as Connect>::connect => fn(AMQPUri, ConnectionProperties) -> Connecting;
    "&str: lapin::Connect" = <&str as Connect>::connect => fn(&'static str, ConnectionProperties) -> Connecting;
    "lapin::Connect::connect_with_config" = <AMQPUri as Connect>::connect_with_config::<Tokio>
        => fn(AMQPUri, ConnectionProperties, OwnedTLSConfig, Runtime<Tokio>) -> Connecting;
    "lapin::Connect::connect_with_config" = <&str as Connect>::connect_with_config::<Tokio>
        => fn(&'static str, ConnectionProperties, OwnedTLSConfig, Runtime<Tokio>) -> Connecting;
    "lapin::Connection::events_listener" = |connection| Box::new(connection.events_listener())
        => fn(&Connection) -> Box<dyn Stream<Item = Event> + Send + Unpin + 'static>;
    "lapin::Connection::connector" = |uri, runtime, options| Box::pin(connector(uri, runtime, options))
        => fn(AMQPUri, Runtime<Tokio>, ConnectionProperties) -> Pin<Box<dyn Future<Output = lapin::Result<Connection>>>>;
}

/// With the bounds that lapin asks for, and no others.
async fn connector<RK: RuntimeKit + Clone + Send + 'static>(
    uri: AMQPUri,
    runtime: Runtime<RK>,
    options: ConnectionProperties,
) -> lapin::Result<Connection> {
    let stream = async |_uri: AMQPUri, _runtime: Runtime<RK>| {
        Err::<AsyncTcpStream<<RK as Reactor>::TcpStream>, _>(
            lapin::ErrorKind::NoDefaultRuntime.into(),
        )
    };
    Connection::connector(uri, runtime, stream, options).await
}

/// With the bounds that lapin asks for, and no others.
#[allow(dead_code, reason = "it is compiled, and never called")]
async fn with_any_runtime<RK: RuntimeKit + Send + Sync + Clone + 'static>(
    uri: AMQPUri,
    options: ConnectionProperties,
    config: OwnedTLSConfig,
    runtime: Runtime<RK>,
) -> lapin::Result<()> {
    let (text, o, r) = (uri.to_string(), || options.clone(), || runtime.clone());
    Connection::connect_with_runtime(&text, o(), r()).await?;
    Connection::connect_with_config(&text, o(), config.clone(), r()).await?;
    Connection::connect_uri_with_runtime(uri.clone(), o(), r()).await?;
    Connection::connect_uri_with_config(uri.clone(), o(), config.clone(), r()).await?;
    text.as_str().connect_with_config(o(), config.clone(), r()).await?;
    uri.connect_with_config(o(), config.clone(), r()).await?;
    ConnectionBuilder::new_with_runtime(runtime).with_tls_config(config).connect().await?;
    Ok(())
}

traits! {
    TRAITS;
    lapin::auth::DefaultTokenProvider: Debug, lapin::auth::TokenProvider;
    lapin::ConnectionState: Clone, PartialEq, Default, Debug, Copy;
    lapin::Configuration: Clone, Debug;
    lapin::Connection: Debug;
    lapin::ConnectionProperties: Clone, Default, Debug;
    lapin::ConnectionStatus: Clone, Default, Debug;
    lapin::auth::TokenAuthProvider<Least>: Debug, lapin::auth::AuthProvider;
    lapin::ConnectionBuilder<Tokio>: Debug;
    lapin::uri::AMQPUri: lapin::Connect;
}

pub(crate) const NAMES: &[&[&str]] = &[IMPORTS, ALIASES, ENUMS, FUNCTIONS, CALLS, NAMED, TRAITS];
