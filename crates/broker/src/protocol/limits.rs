//! Every limit, once, with its reason.

/// The longest short string (a name, a key, a tag, a reply text), in bytes: AMQP writes its length
/// in one byte.
pub const SHORT_STRING_MAX: usize = 255;

/// The largest frame, as RabbitMQ's `frame_max` (S176), in bytes: a table has to fit into one.
pub const FRAME_MAX: usize = 131_072;

/// What of a frame is not its payload, in bytes.
pub const FRAME_OVERHEAD_BYTES: usize = 8;

/// How deep tables and arrays may stand in one another, the outermost counted, so that nobody's stack is
/// exhausted by reading them.
pub const TABLE_DEPTH_MAX: usize = 64;

/// How many channels a connection may have open, as RabbitMQ's `channel_max` (S176).
pub const CHANNEL_MAX: u16 = 2047;

/// How long a delivery may be held, as RabbitMQ's `consumer_timeout`: 30 minutes (S55).
pub const CONSUMER_TIMEOUT_MS: u64 = 1_800_000;

/// The largest message body in bytes, as RabbitMQ's `max_message_size` since 4.0 (R1).
pub const MESSAGE_SIZE_MAX: u64 = 16 * 1024 * 1024;

/// The same before 4.0 (S114).
pub const MESSAGE_SIZE_MAX_BEFORE_4: u64 = 128 * 1024 * 1024;

/// How many dead letters one death may lead to in its step. A message that dies at once in each of many queues,
/// whose dead letters all come to all of them, has as many ways through them as they can be put in order.
pub const LETTERS_PER_DEATH: usize = 10_000;

/// The longest time to live of a message or a queue, in milliseconds, as in RabbitMQ: ten years (S88).
pub const TTL_MS_MAX: u64 = 315_360_000_000;

/// The largest body that can be configured, as RabbitMQ's highest `max_message_size`.
pub const MESSAGE_SIZE_LIMIT: u64 = 512 * 1024 * 1024;
