//! From handles to numbers and names.

use super::Harness;
use crate::protocol::{
    ConnectionId, ConsumerId, Effects, EventKind, Notice, Output, Refusal, RemovalCause, Reply,
    Verdict,
};
use crate::testing::said::Closing;
use crate::testing::{Said, What};

impl Harness {
    /// Remembers whom the handles in these effects name.
    pub(super) fn learn_handles(&mut self, effects: &Effects) {
        for output in &effects.outputs {
            match &output.notice {
                Notice::Connected => self.connections.push(output.connection),
                Notice::Reply { reply: Reply::ChannelOpened(channel), .. } => {
                    let numbers = self.engine.channel_numbers(*channel);
                    let numbers = numbers.expect("a channel that was just opened is there");
                    self.channels.insert(numbers, *channel);
                    self.channel_numbers.insert(*channel, numbers);
                }
                Notice::Reply { reply: Reply::Consuming { consumer, consumer_tag }, .. } => {
                    let tag = consumer_tag.as_str().into();
                    self.consumer_tags.insert(*consumer, tag);
                }
                _ => {}
            }
        }
        self.learn_unanswered_consumers(effects);
    }

    /// A consumer that asked for no answer is first heard of by what it receives: every delivery, and
    /// every cancellation by the broker, has its event, in the same order.
    fn learn_unanswered_consumers(&mut self, effects: &Effects) {
        let receivers = effects.outputs.iter().filter_map(|output| match output.notice {
            Notice::Deliver { consumer, .. } => Some(consumer),
            _ => None,
        });
        let tags = effects.events.iter().filter_map(|event| match &event.kind {
            EventKind::Delivered { consumer_tag, .. } => consumer_tag.clone(),
            _ => None,
        });
        self.consumer_tags.extend(receivers.zip(tags));

        let cancelled = effects.outputs.iter().filter_map(|output| match output.notice {
            Notice::ConsumerCancelled { consumer } => Some(consumer),
            _ => None,
        });
        let tags = effects.events.iter().filter_map(|event| match &event.kind {
            EventKind::ConsumerRemoved {
                consumer_tag, cause: RemovalCause::QueueDeleted, ..
            } => Some(consumer_tag.clone()),
            _ => None,
        });
        self.consumer_tags.extend(cancelled.zip(tags));
    }

    pub(super) fn number_of(&self, connection: ConnectionId) -> u64 {
        let index = self.connections.iter().position(|id| *id == connection);
        index.map_or(0, |index| index as u64 + 1)
    }

    fn tag_of(&self, consumer: ConsumerId) -> String {
        let tag = self.consumer_tags.get(&consumer);
        tag.map_or_else(|| "?".to_owned(), |tag| tag.to_string())
    }

    pub(in crate::testing) fn said(&self, output: &Output) -> Said {
        let numbers = output.channel.map(|id| self.channel_numbers[&id]);
        let connection = self.number_of(output.connection);
        if let Some((of_channel, _)) = numbers {
            assert_eq!(of_channel, connection, "said on another connection's channel");
        }
        Said {
            connection,
            channel: numbers.map(|(_, number)| number),
            what: self.what(&output.notice),
        }
    }

    fn what(&self, notice: &Notice) -> What {
        match notice {
            Notice::Connected => What::Connected,
            Notice::Reply { reply, .. } => what_reply(reply),
            Notice::Deliver { consumer, delivery } => What::Deliver {
                consumer: self.tag_of(*consumer),
                tag: delivery.delivery_tag,
                redelivered: delivery.redelivered,
                body: delivery.message.preview(),
            },
            Notice::Withheld { .. } => unreachable!("an engine withholds nothing"),
            Notice::Return { publish_seq, reply_code, reply_text, message, .. } => What::Return {
                publish_seq: *publish_seq,
                body: message.preview(),
                why: (*reply_code, (*reply_text).to_owned()),
            },
            Notice::Confirm { publish_seq, verdict: Verdict::Ack, .. } => {
                What::ConfirmAck(*publish_seq)
            }
            Notice::Confirm { publish_seq, verdict: Verdict::Nack, .. } => {
                What::ConfirmNack(*publish_seq)
            }
            Notice::ConsumerCancelled { consumer } => What::Cancel(self.tag_of(*consumer)),
            Notice::ChannelClosed(refusal) => What::ChannelClose(closing(refusal)),
            Notice::ConnectionClosed(refusal) => What::ConnectionClose(closing(refusal)),
            Notice::ConnectionBlocked { reason } => What::ConnectionBlocked(reason.to_string()),
            Notice::ConnectionUnblocked => What::ConnectionUnblocked,
            Notice::ConnectionEnded => What::ConnectionEnded,
            Notice::ConnectionLost => What::ConnectionLost,
        }
    }
}

fn what_reply(reply: &Reply) -> What {
    match reply {
        Reply::ChannelOpened(_) => What::ChannelOpenOk,
        Reply::ChannelClosed => What::ChannelCloseOk,
        Reply::Flow(active) => What::FlowOk(*active),
        Reply::ExchangeDeclared => What::ExchangeDeclareOk,
        Reply::ExchangeDeleted => What::ExchangeDeleteOk,
        Reply::Bound => What::BindOk,
        Reply::Unbound => What::UnbindOk,
        Reply::Declared { queue, message_count, consumer_count } => What::DeclareOk {
            queue: queue.to_string(),
            messages: *message_count,
            consumers: *consumer_count,
        },
        Reply::Purged(count) => What::PurgeOk(*count),
        Reply::Deleted(count) => What::DeleteOk(*count),
        Reply::QosSet => What::QosOk,
        Reply::TxSelected => What::TxSelectOk,
        Reply::TxCommitted => What::TxCommitOk,
        Reply::TxRolledBack => What::TxRollbackOk,
        Reply::Consuming { consumer_tag, .. } => What::ConsumeOk(consumer_tag.to_string()),
        Reply::Cancelled { consumer } => What::CancelOk(consumer.is_some()),
        Reply::Got { delivery, message_count } => What::GetOk {
            tag: delivery.delivery_tag,
            redelivered: delivery.redelivered,
            body: delivery.message.preview(),
            left: *message_count,
        },
        Reply::GetEmpty => What::GetEmpty,
        Reply::Recovered => What::RecoverOk,
        Reply::Confirming => What::ConfirmSelectOk,
    }
}

fn closing(refusal: &Refusal) -> Closing {
    let code = refusal.code.code();
    (code, refusal.text.clone(), refusal.method_id)
}
