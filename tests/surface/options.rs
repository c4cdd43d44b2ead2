//! Options of methods.

use std::fmt::Debug;

use crate::lapin;
use crate::pins::{functions, records, traits};

records! {
    RECORDS;
    lapin::options::AccessRequestOptions { active: bool, exclusive: bool, passive: bool, read: bool, write: bool }
    lapin::options::BasicAckOptions { multiple: bool }
    lapin::options::BasicCancelOptions { nowait: bool }
    lapin::options::BasicConsumeOptions { exclusive: bool, no_ack: bool, no_local: bool, nowait: bool }
    lapin::options::BasicDeliverOptions { redelivered: bool }
    lapin::options::BasicGetOkOptions { redelivered: bool }
    lapin::options::BasicGetOptions { no_ack: bool }
    lapin::options::BasicNackOptions { multiple: bool, requeue: bool }
    lapin::options::BasicPublishOptions { immediate: bool, mandatory: bool }
    lapin::options::BasicQosOptions { global: bool }
    lapin::options::BasicRecoverAsyncOptions { requeue: bool }
    lapin::options::BasicRecoverOptions { requeue: bool }
    lapin::options::BasicRejectOptions { requeue: bool }
    lapin::options::ChannelFlowOkOptions { active: bool }
    lapin::options::ChannelFlowOptions { active: bool }
    lapin::options::ConfirmSelectOptions { nowait: bool }
    lapin::options::ExchangeBindOptions { nowait: bool }
    lapin::options::ExchangeDeclareOptions { auto_delete: bool, durable: bool, internal: bool, nowait: bool, passive: bool }
    lapin::options::ExchangeDeleteOptions { if_unused: bool, nowait: bool }
    lapin::options::ExchangeUnbindOptions { nowait: bool }
    lapin::options::QueueBindOptions { nowait: bool }
    lapin::options::QueueDeclareOptions { auto_delete: bool, durable: bool, exclusive: bool, nowait: bool, passive: bool }
    lapin::options::QueueDeleteOptions { if_empty: bool, if_unused: bool, nowait: bool }
    lapin::options::QueuePurgeOptions { nowait: bool }
}

functions! {
    FUNCTIONS;
    lapin::options::QueueDeclareOptions::auto_delete: fn(lapin::options::QueueDeclareOptions) -> lapin::options::QueueDeclareOptions;
    lapin::options::QueueDeclareOptions::durable: fn() -> lapin::options::QueueDeclareOptions;
    lapin::options::QueueDeclareOptions::exclusive: fn() -> lapin::options::QueueDeclareOptions;
    lapin::options::QueueDeclareOptions::passive: fn(lapin::options::QueueDeclareOptions) -> lapin::options::QueueDeclareOptions;
}

traits! {
    TRAITS;
    lapin::options::AccessRequestOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::BasicAckOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::BasicCancelOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::BasicConsumeOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::BasicDeliverOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::BasicGetOkOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::BasicGetOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::BasicNackOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::BasicPublishOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::BasicQosOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::BasicRecoverAsyncOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::BasicRecoverOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::BasicRejectOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::ChannelFlowOkOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::ChannelFlowOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::ConfirmSelectOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::ExchangeBindOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::ExchangeDeclareOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::ExchangeDeleteOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::ExchangeUnbindOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::QueueBindOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::QueueDeclareOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::QueueDeleteOptions: Clone, PartialEq, Default, Debug, Copy;
    lapin::options::QueuePurgeOptions: Clone, PartialEq, Default, Debug, Copy;
}

pub(crate) const NAMES: &[&[&str]] = &[RECORDS, FUNCTIONS, TRAITS];
