//! Channels and consumers.

use std::fmt::Debug;
use std::pin::Pin;

use futures_util::Stream;

use crate::lapin;
use crate::lapin::message::{Delivery, DeliveryResult};
use crate::lapin::options::*;
use crate::lapin::types::{
    Boolean, ChannelId, FieldTable, LongLongUInt, MessageCount, ReplyCode, ShortString, ShortUInt,
};
use crate::lapin::{Consumer, ConsumerDelegate};
use crate::pins::{calls, enums, functions, imports, named, traits};

imports! {
    IMPORTS;
    lapin::Channel;
    lapin::ChannelQos;
    lapin::ChannelStatus;
    lapin::Consumer;
    lapin::ConsumerDelegate;
    lapin::options;
}

enums! {
    ENUMS;
    lapin::ChannelState { Closed, Closing, Connected, Error, Initial, Reconnecting }
}

functions! {
    FUNCTIONS;
    lapin::Channel::id: fn(&lapin::Channel) -> ChannelId;
    lapin::Channel::status: fn(&lapin::Channel) -> &lapin::ChannelStatus;
    lapin::ChannelStatus::closing: fn(&lapin::ChannelStatus) -> bool;
    lapin::ChannelStatus::confirm: fn(&lapin::ChannelStatus) -> bool;
    lapin::ChannelStatus::connected: fn(&lapin::ChannelStatus) -> bool;
    lapin::ChannelStatus::initializing: fn(&lapin::ChannelStatus) -> bool;
    lapin::ChannelStatus::qos: fn(&lapin::ChannelStatus) -> lapin::ChannelQos;
    lapin::ChannelStatus::reconnecting: fn(&lapin::ChannelStatus) -> bool;
    lapin::Consumer::queue: fn(&lapin::Consumer) -> ShortString;
    lapin::Consumer::tag: fn(&lapin::Consumer) -> ShortString;
}

calls! {
    CALLS;
    lapin::Channel::access_request = (channel: &lapin::Channel, realm: ShortString, options: AccessRequestOptions) -> ();
    lapin::Channel::basic_ack = (channel: &lapin::Channel, delivery_tag: LongLongUInt, options: BasicAckOptions) -> ();
    lapin::Channel::basic_cancel = (channel: &lapin::Channel, consumer_tag: ShortString, options: BasicCancelOptions) -> ();
    lapin::Channel::basic_consume = (channel: &lapin::Channel, queue: ShortString, consumer_tag: ShortString, options: BasicConsumeOptions, arguments: FieldTable) -> lapin::Consumer;
    lapin::Channel::basic_get = (channel: &lapin::Channel, queue: ShortString, options: BasicGetOptions) -> Option<lapin::message::BasicGetMessage>;
    lapin::Channel::basic_nack = (channel: &lapin::Channel, delivery_tag: LongLongUInt, options: BasicNackOptions) -> ();
    lapin::Channel::basic_publish = (channel: &lapin::Channel, exchange: ShortString, routing_key: ShortString, options: BasicPublishOptions, payload: &[u8], properties: lapin::BasicProperties) -> lapin::PublisherConfirm;
    lapin::Channel::basic_qos = (channel: &lapin::Channel, prefetch_count: ShortUInt, options: BasicQosOptions) -> ();
    lapin::Channel::basic_recover = (channel: &lapin::Channel, options: BasicRecoverOptions) -> ();
    lapin::Channel::basic_recover_async = (channel: &lapin::Channel, options: BasicRecoverAsyncOptions) -> ();
    lapin::Channel::basic_reject = (channel: &lapin::Channel, delivery_tag: LongLongUInt, options: BasicRejectOptions) -> ();
    lapin::Channel::channel_flow = (channel: &lapin::Channel, options: ChannelFlowOptions) -> Boolean;
    lapin::Channel::close = (channel: &lapin::Channel, reply_code: ReplyCode, reply_text: ShortString) -> ();
    lapin::Channel::confirm_select = (channel: &lapin::Channel, options: ConfirmSelectOptions) -> ();
    lapin::Channel::exchange_bind = (channel: &lapin::Channel, destination: ShortString, source: ShortString, routing_key: ShortString, options: ExchangeBindOptions, arguments: FieldTable) -> ();
    lapin::Channel::exchange_declare = (channel: &lapin::Channel, exchange: ShortString, kind: lapin::ExchangeKind, options: ExchangeDeclareOptions, arguments: FieldTable) -> ();
    lapin::Channel::exchange_delete = (channel: &lapin::Channel, exchange: ShortString, options: ExchangeDeleteOptions) -> ();
    lapin::Channel::exchange_unbind = (channel: &lapin::Channel, destination: ShortString, source: ShortString, routing_key: ShortString, options: ExchangeUnbindOptions, arguments: FieldTable) -> ();
    lapin::Channel::queue_bind = (channel: &lapin::Channel, queue: ShortString, exchange: ShortString, routing_key: ShortString, options: QueueBindOptions, arguments: FieldTable) -> ();
    lapin::Channel::queue_declare = (channel: &lapin::Channel, queue: ShortString, options: QueueDeclareOptions, arguments: FieldTable) -> lapin::Queue;
    lapin::Channel::queue_delete = (channel: &lapin::Channel, queue: ShortString, options: QueueDeleteOptions) -> MessageCount;
    lapin::Channel::queue_purge = (channel: &lapin::Channel, queue: ShortString, options: QueuePurgeOptions) -> MessageCount;
    lapin::Channel::queue_unbind = (channel: &lapin::Channel, queue: ShortString, exchange: ShortString, routing_key: ShortString, arguments: FieldTable) -> ();
    lapin::Channel::tx_commit = (channel: &lapin::Channel) -> ();
    lapin::Channel::tx_rollback = (channel: &lapin::Channel) -> ();
    lapin::Channel::tx_select = (channel: &lapin::Channel) -> ();
    lapin::Channel::wait_for_confirms = (channel: &lapin::Channel) -> Vec<lapin::message::BasicReturnMessage>;
    lapin::Channel::wait_for_recovery = (channel: &lapin::Channel, error: lapin::Error) -> ();
}

/// A delegate that says all that one can say.
struct Both;

impl ConsumerDelegate for Both {
    fn on_new_delivery(&self, _: DeliveryResult) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }

    fn drop_prefetched_messages(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }
}

/// A delegate that says the least.
struct One;

impl ConsumerDelegate for One {
    fn on_new_delivery(&self, _: DeliveryResult) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }
}

type Handled = std::future::Ready<()>;

named! {
    NAMED;
    "lapin::ChannelQos.prefetch_count" = |qos| &mut qos.prefetch_count => fn(&mut lapin::ChannelQos) -> &mut Option<u16>;
    "lapin::ChannelQos.global_prefetch_count" = |qos| &mut qos.global_prefetch_count
        => fn(&mut lapin::ChannelQos) -> &mut Option<u16>;
    "lapin::Consumer::set_delegate" = Consumer::set_delegate::<Both> => fn(&Consumer, Both);
    "lapin::Consumer: Stream<Item = lapin::Result<lapin::message::Delivery>>" = |consumer| consumer
        => fn(&mut Consumer) -> &mut (dyn Stream<Item = Result<Delivery, lapin::Error>> + Unpin);
    "lapin::ConsumerDelegate::on_new_delivery" = <One as ConsumerDelegate>::on_new_delivery
        => fn(&One, DeliveryResult) -> Pin<Box<dyn Future<Output = ()> + Send>>;
    "lapin::ConsumerDelegate::drop_prefetched_messages" = <One as ConsumerDelegate>::drop_prefetched_messages
        => fn(&One) -> Pin<Box<dyn Future<Output = ()> + Send>>;
    "Fn(DeliveryResult) -> Future<Output = ()>: lapin::ConsumerDelegate" = Consumer::set_delegate::<fn(DeliveryResult) -> Handled>
        => fn(&Consumer, fn(DeliveryResult) -> Handled);
}

const _: fn(&One) -> &(dyn ConsumerDelegate + Send + Sync) = |delegate| delegate;

traits! {
    TRAITS;
    lapin::ChannelState: Clone, Eq, PartialEq, Default, Debug, Copy;
    lapin::Channel: Clone, PartialEq, Debug;
    lapin::ChannelQos: Clone, Eq, PartialEq, Default, Debug, Copy;
    lapin::ChannelStatus: Clone, Debug;
    lapin::Consumer: Clone, Debug;
}

pub(crate) const NAMES: &[&[&str]] = &[IMPORTS, ENUMS, FUNCTIONS, CALLS, NAMED, TRAITS];
