//! What channels of lapin 2 and 3 do alike. What declares, lapin 2 remembers, and has for itself.

/// The methods that neither remembers. The crate has a `Channel` with `inner` and `status`.
#[doc(hidden)]
#[macro_export]
macro_rules! same_channels {
    () => {
        impl Channel {
            /// Drops the ready messages of a queue and gives their number; held ones stay.
            ///
            /// # Errors
            ///
            /// `404` if there is no such queue.
            pub async fn queue_purge(
                &self,
                queue: &str,
                options: QueuePurgeOptions,
            ) -> Result<MessageCount> {
                Ok(self.inner.queue_purge(short(queue)?, options).await?)
            }

            /// Publishes a message. The result tells, when awaited in turn, whether the broker took it, if the channel is
            /// in [confirm mode](Self::confirm_select).
            ///
            /// A refusal (a missing exchange, say) is not reported here: it fails the confirm and closes the channel.
            pub async fn basic_publish(
                &self,
                exchange: &str,
                routing_key: &str,
                options: BasicPublishOptions,
                payload: &[u8],
                properties: BasicProperties,
            ) -> Result<PublisherConfirm> {
                let (exchange, routing_key) = (short(exchange)?, short(routing_key)?);
                let published =
                    self.inner.basic_publish(exchange, routing_key, options, payload, properties);
                Ok(PublisherConfirm::new(published.await?))
            }

            /// Takes one message from a queue, if there is one. No prefetch window counts it.
            ///
            /// # Errors
            ///
            /// `404` if there is no such queue.
            pub async fn basic_get(
                &self,
                queue: &str,
                options: BasicGetOptions,
            ) -> Result<Option<BasicGetMessage>> {
                let message = self.inner.basic_get(short(queue)?, options).await?;
                Ok(message.map(BasicGetMessage::new))
            }

            /// Limits how many unacknowledged messages may be out: of each consumer that subscribes later, or of the
            /// channel as a whole with `global`. 0 is no limit.
            pub async fn basic_qos(
                &self,
                prefetch_count: ShortUInt,
                options: BasicQosOptions,
            ) -> Result<()> {
                Ok(self.inner.basic_qos(prefetch_count, options).await?)
            }

            /// Acknowledges a delivery. A wrong tag is not reported here: it closes the channel with `406`.
            pub async fn basic_ack(
                &self,
                delivery_tag: LongLongUInt,
                options: BasicAckOptions,
            ) -> Result<()> {
                Ok(self.inner.basic_ack(delivery_tag, options).await?)
            }

            /// Rejects a delivery. A wrong tag is not reported here: it closes the channel with `406`.
            pub async fn basic_nack(
                &self,
                delivery_tag: LongLongUInt,
                options: BasicNackOptions,
            ) -> Result<()> {
                Ok(self.inner.basic_nack(delivery_tag, options).await?)
            }

            /// Rejects a delivery. A wrong tag is not reported here: it closes the channel with `406`.
            pub async fn basic_reject(
                &self,
                delivery_tag: LongLongUInt,
                options: BasicRejectOptions,
            ) -> Result<()> {
                Ok(self.inner.basic_reject(delivery_tag, options).await?)
            }

            /// Returns everything that the channel holds to its old places; it comes again, redelivered.
            ///
            /// # Errors
            ///
            /// `540`, which closes the connection, if `requeue` is false.
            pub async fn basic_recover(&self, options: BasicRecoverOptions) -> Result<()> {
                Ok(self.inner.basic_recover(options).await?)
            }

            /// Like [`basic_recover`](Self::basic_recover), without an answer.
            pub async fn basic_recover_async(
                &self,
                options: BasicRecoverAsyncOptions,
            ) -> Result<()> {
                Ok(self.inner.basic_recover_async(options).await?)
            }

            /// From here on the broker confirms every publish on this channel.
            pub async fn confirm_select(&self, options: ConfirmSelectOptions) -> Result<()> {
                Ok(self.inner.confirm_select(options).await?)
            }

            /// Makes the channel transactional: what it publishes and settles from here on waits for
            /// [`tx_commit`](Self::tx_commit).
            ///
            /// # Errors
            ///
            /// `406` for a channel in confirm mode.
            pub async fn tx_select(&self) -> Result<()> {
                Ok(self.inner.tx_select().await?)
            }

            /// Does all that waits, in one step.
            ///
            /// # Errors
            ///
            /// `406` for a channel that is not transactional.
            pub async fn tx_commit(&self) -> Result<()> {
                Ok(self.inner.tx_commit().await?)
            }

            /// Forgets all that waits.
            ///
            /// # Errors
            ///
            /// `406` for a channel that is not transactional.
            pub async fn tx_rollback(&self) -> Result<()> {
                Ok(self.inner.tx_rollback().await?)
            }

            /// Waits until the broker has confirmed every publish, and gives the messages that came back and that no
            /// [`PublisherConfirm`] still carries. Each is given once.
            pub async fn wait_for_confirms(&self) -> Result<Vec<BasicReturnMessage>> {
                let returned = self.inner.wait_for_confirms().await?;
                Ok(returned.into_iter().map(BasicReturnMessage::new).collect())
            }

            /// Asks for deliveries to flow, which they do.
            ///
            /// # Errors
            ///
            /// `540`, which closes the connection, if `active` is false.
            pub async fn channel_flow(&self, options: ChannelFlowOptions) -> Result<Boolean> {
                Ok(self.inner.channel_flow(options).await?)
            }

            /// Asks for access, which does nothing, as in RabbitMQ.
            ///
            /// # Errors
            ///
            /// None but those of every method.
            pub async fn access_request(
                &self,
                realm: &str,
                options: AccessRequestOptions,
            ) -> Result<()> {
                Ok(self.inner.access_request(short(realm)?, options).await?)
            }

            /// Closes the channel: what it holds returns to its old places, its consumers end. The code and the text are
            /// for a broker's log, which there is none of here.
            pub async fn close(&self, reply_code: ReplyCode, reply_text: &str) -> Result<()> {
                Ok(self.inner.close(reply_code, short(reply_text)?).await?)
            }

            /// Its number on the connection.
            #[must_use]
            pub fn id(&self) -> ChannelId {
                self.inner.id()
            }

            /// Its state, kept up to date.
            #[must_use]
            pub fn status(&self) -> &ChannelStatus {
                &self.status
            }
        }

        /// Channels are equal if their numbers are, as in lapin.
        impl PartialEq for Channel {
            fn eq(&self, other: &Self) -> bool {
                self.id() == other.id()
            }
        }

        impl fmt::Debug for Channel {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("Channel")
                    .field("id", &self.id())
                    .field("status", &self.status)
                    .finish_non_exhaustive()
            }
        }
    };
}
