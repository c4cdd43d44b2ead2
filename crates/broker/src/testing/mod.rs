//! The testing kit (feature `testing`): what proves the engine, for this project's tests and others'.
//!
//! | part | what it is |
//! | --- | --- |
//! | [`Harness`] | owns an engine and its time, speaks to it, and checks every invariant after every step |
//! | [`Act`], [`Said`] | what goes in and comes out, in plain numbers and names instead of handles |
//! | [`Oracle`] | the same broker again, on plain vectors and naive loops: obviously right, and slow |
//! | [`Op`], [`Profile`] | random programs that shrink well, from a seed or as a `proptest` strategy |
//! | [`Assertions`], [`diagnosis`] | sentences about a broker, and the classic mistakes in what it has seen |
//! | [`disk::SimDisk`] | a disk with every fault, and the disks that a crash could leave |
//! | [`explore::Explorer`] | every state of a small world, and the shortest way to what must not be |
//! | [`worlds::World`] | small worlds of queues, consumers and the user's handlers, ready to be explored |
//! | [`fuzz`] | what fuzz targets and their twins among the property tests check |
//! | [`Promised`] | what was confirmed, and whether the next broker still has it |
//! | [`network::Network`] | what lies between clients and a broker, in virtual time |
//! | [`trace`], [`checkers`] | what can be observed of any broker, and whether it is right |
//! | [`work_queue`] | tasks, workers and faults, played in virtual time |
//! | [`SimBroker`] | a whole broker on such a disk, driven step by step, without threads |
//!
//! Together they say: whatever program you think of, the engine says what the oracle says.
//!
//! ```
//! use leveret_broker::testing::{Harness, Oracle, Profile, program};
//!
//! let (mut harness, mut oracle) = (Harness::new(), Oracle::new());
//! for op in program(Profile::Everyday, 42, 50) {
//!     if let Some(act) = op.resolve(&harness) {
//!         let step = harness.act(&act);
//!         assert_eq!(step.said, oracle.act(&act, step.made_name()));
//!     }
//! }
//! assert_eq!(oracle.view(), Oracle::comparable(harness.view()));
//! ```

mod act;
mod assertions;
pub mod checkers;
pub mod diagnosis;
pub mod disk;
pub mod explore;
mod fates;
pub mod fuzz;
mod harness;
mod lost;
pub mod network;
mod oracle;
mod said;
mod sim;
mod step;
pub mod trace;
pub mod work_queue;
mod workload;
pub mod worlds;

pub use act::Act;
pub use assertions::{Assertions, PublishAssertions, QueueAssertions};
pub use harness::Harness;
pub use lost::{LostMessage, Promised, WhyLost};
pub use oracle::{Message, Oracle, SurvivingQueue, SurvivingTopology, Survivor};
pub use said::{Closing, Said, What};
pub use sim::{SimBroker, Turn};
pub use step::Step;
pub use workload::{Mistake, Op, Profile, ops, prelude, program, rules_prelude};
