//! An embedded, in-process work-queue broker with RabbitMQ's behaviour: no wire protocol, no network,
//! no daemon.
//!
//! Programs use it through `leveret-client`, which has the shape of the `lapin` crate. This crate is
//! what stands behind: three layers, of which each knows only those below it.
//!
//! ```text
//!   runtime    Broker: one lock, the clock, who is told what; Core: the engine without the lock
//!     |
//!   engine     the state machine: publish, route, dispatch, settle
//!     |
//!   protocol   the words that all share: Command in; Output, Record, Event out
//! ```
//!
//! The engine decides, everything else carries. It is a value without clocks, threads or chance, so
//! a test can drive it directly:
//!
//! ```
//! use leveret_broker::engine::{Engine, EngineOptions};
//! use leveret_broker::protocol::{Command, Effects, Notice, Now};
//!
//! let mut engine = Engine::new(EngineOptions::default());
//! let mut effects = Effects::default();
//! let open = Command::OpenConnection { user: "guest".into() };
//! engine.handle(Now::default(), open, &mut effects);
//! assert_eq!(effects.outputs[0].notice, Notice::Connected);
//! ```

pub mod disk;
pub mod engine;
pub mod journal;
pub mod protocol;
pub mod runtime;
#[cfg(feature = "testing")]
pub mod testing;

pub use protocol::{ApplyTo, Policy, PolicyError, RabbitMqVersion, Setting};
pub use runtime::{
    Broker, BrokerOptions, Clock, History, Level, ManualClock, OperatorError, TakenMessage,
};
