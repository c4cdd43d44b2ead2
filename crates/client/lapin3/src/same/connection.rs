//! Connections, and the ways to make one.

/// What connections have in common. The crate has a `Connection` with `open`, `inner`, `status`, `configuration` and `wrap`.
#[doc(hidden)]
#[macro_export]
macro_rules! same_connections {
    () => {
        impl Connection {
            /// Connects to the broker that `uri` names: `amqp://user:password@authority/vhost`, as
            /// [`Broker::uri`](crate::Broker::uri) gives it. No socket is opened.
            ///
            /// # Errors
            ///
            /// An I/O error (`ConnectionRefused`) if no broker of this process listens there, one for a URI that cannot
            /// be read, a protocol error with RabbitMQ's text for a wrong user, password or virtual host.
            pub async fn connect(uri: &str, options: ConnectionProperties) -> Result<Self> {
                Connect::connect(uri, options, OwnedTLSConfig::default()).await
            }

            /// The same with certificates, which have no effect.
            ///
            /// # Errors
            ///
            /// As [`connect`](Self::connect).
            pub async fn connect_with_config(
                uri: &str,
                options: ConnectionProperties,
                config: OwnedTLSConfig,
            ) -> Result<Self> {
                Connect::connect(uri, options, config).await
            }

            /// As [`connect`](Self::connect), with a URI that has been read.
            ///
            /// # Errors
            ///
            /// As [`connect`](Self::connect).
            pub async fn connect_uri(uri: AMQPUri, options: ConnectionProperties) -> Result<Self> {
                Self::open(uri, options).await
            }

            /// As [`connect_with_config`](Self::connect_with_config), with a URI that has been read.
            ///
            /// # Errors
            ///
            /// As [`connect`](Self::connect).
            pub async fn connect_uri_with_config(
                uri: AMQPUri,
                options: ConnectionProperties,
                config: OwnedTLSConfig,
            ) -> Result<Self> {
                Connect::connect(uri, options, config).await
            }

            /// Opens a channel. Channels are numbered 1, 2, 3 ….
            ///
            /// # Errors
            ///
            /// `InvalidConnectionState` if the connection is not open, `ChannelsLimitReached` if it has as many channels
            /// as the broker allows.
            pub async fn create_channel(&self) -> Result<Channel> {
                Ok(self.wrap(self.inner.create_channel().await?))
            }

            /// Blocks this thread until the connection is closed: by the broker, or because its last channel is gone. Its
            /// handle is dropped before.
            ///
            /// # Errors
            ///
            /// What the broker said when it closed the connection.
            pub fn run(self) -> Result<()> {
                Ok(self.inner.run()?)
            }

            /// What was agreed on with the broker.
            #[must_use]
            pub fn configuration(&self) -> &Configuration {
                &self.configuration
            }

            /// The connection's state, kept up to date.
            #[must_use]
            pub fn status(&self) -> &ConnectionStatus {
                &self.status
            }

            /// Closes the connection and its channels. The code and the text are for a broker's log, which there is none
            /// of here.
            ///
            /// # Errors
            ///
            /// `InvalidConnectionState` if it is not open.
            pub async fn close(&self, reply_code: ReplyCode, reply_text: &str) -> Result<()> {
                Ok(self.inner.close(reply_code, short(reply_text)?).await?)
            }

            /// Does nothing. RabbitMQ closes a connection whose client says this.
            ///
            /// # Errors
            ///
            /// `InvalidConnectionState` if it is not open.
            pub async fn block(&self, reason: &str) -> Result<()> {
                Ok(self.inner.update_secret(LongString::default(), short(reason)?).await?)
            }

            /// Does nothing. RabbitMQ closes a connection whose client says this.
            ///
            /// # Errors
            ///
            /// `InvalidConnectionState` if it is not open.
            pub async fn unblock(&self) -> Result<()> {
                self.block("").await
            }

            /// Gives the broker a new password to know the client by, which has no effect: nobody is asked again.
            ///
            /// # Errors
            ///
            /// `InvalidConnectionState` if the connection is not open.
            pub async fn update_secret(&self, new_secret: &str, reason: &str) -> Result<()> {
                Ok(self.inner.update_secret(new_secret.into(), short(reason)?).await?)
            }
        }

        impl fmt::Debug for Connection {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("Connection")
                    .field("configuration", &self.configuration)
                    .field("status", &self.status)
                    .finish_non_exhaustive()
            }
        }

        /// What one can connect to: a URI, read or not.
        #[::async_trait::async_trait]
        pub trait Connect {
            /// Connects. The certificates have no effect.
            async fn connect(
                self,
                options: ConnectionProperties,
                config: OwnedTLSConfig,
            ) -> Result<Connection>;
        }

        #[::async_trait::async_trait]
        impl Connect for AMQPUri {
            async fn connect(
                self,
                options: ConnectionProperties,
                config: OwnedTLSConfig,
            ) -> Result<Connection> {
                drop(config);
                Connection::open(self, options).await
            }
        }

        #[::async_trait::async_trait]
        impl Connect for &str {
            async fn connect(
                self,
                options: ConnectionProperties,
                config: OwnedTLSConfig,
            ) -> Result<Connection> {
                drop(config);
                let uri = self.parse::<AMQPUri>().map_err(std::io::Error::other)?;
                Connection::open(uri, options).await
            }
        }
    };
}
