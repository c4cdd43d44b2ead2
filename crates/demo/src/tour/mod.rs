//! The tour: the tutorial's ideas as scenes, each played on a real broker and narrated.
//!
//! Most scenes are a [`Plan`](crate::work_queue::Plan) that is run while a narrator watches. What is
//! printed about the run is read from its events and from the broker, and a sentence that explains is only
//! said after the run has borne it out. The scenes about what survives have a simulated disk instead, and
//! look at the broker that is opened on it afterwards. A new scene is a new file in `scenes/` and a line in
//! [`SCENES`].

mod narrator;
mod scenes;
mod sender;
mod stage;

use anyhow::Result;

pub use stage::Stage;

/// One scene.
pub struct Scene {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// The question that it answers.
    pub question: &'static str,
    play: fn(&mut Stage<'_>) -> Result<()>,
}

/// The scenes, in the order of the tour.
pub const SCENES: &[Scene] = &[
    Scene {
        name: "round-robin",
        title: "Round robin",
        question: "Two workers wait at one queue. Who gets which task?",
        play: scenes::round_robin::play,
    },
    Scene {
        name: "crash",
        title: "A worker dies",
        question: "A worker is killed in the middle of a task. Where does the task go?",
        play: scenes::crash::play,
    },
    Scene {
        name: "automatic-ack",
        title: "Automatic acknowledgement",
        question: "The same tasks, the same kill, but nobody acknowledges by hand. What is lost?",
        play: scenes::automatic_ack::play,
    },
    Scene {
        name: "forgotten-ack",
        title: "The forgotten acknowledgement",
        question: "A worker does its tasks but never calls ack. Who notices, and when?",
        play: scenes::forgotten_ack::play,
    },
    Scene {
        name: "fair-dispatch",
        title: "Fair dispatch",
        question: "Every odd task is heavy, every even one light. Do both workers work?",
        play: scenes::fair_dispatch::play,
    },
    Scene {
        name: "durability",
        title: "The broker is restarted",
        question: "Two kinds of queue, two kinds of message. Which message is there afterwards?",
        play: scenes::durability::play,
    },
    Scene {
        name: "power-cut",
        title: "The power goes",
        question: "The power goes just before a message is confirmed, or just after. Is it there?",
        play: scenes::power_cut::play,
    },
];

/// Plays the whole tour.
///
/// # Errors
///
/// What the stage's output gave, or a scene that did not go as its plan allows.
pub fn play_all(stage: &mut Stage<'_>) -> Result<()> {
    stage.say(
        "A tour of work queues. Publisher, workers and broker run in this process. The clock is \
         virtual: a dot in a task is a second of work, and seconds pass at once.",
    )?;
    stage.gap()?;
    stage.say(
        "In the tables, \"ready\" is what waits in the queue. A square is a message that a worker \
         holds and has not acknowledged. Lines with > are the calls that the programs make.",
    )?;
    for scene in SCENES {
        play_one(scene, stage)?;
    }
    stage.heading("What to try next")?;
    for (command, what) in NEXT {
        stage.command(command, what)?;
    }
    Ok(())
}

/// Plays one scene.
///
/// # Errors
///
/// As [`play_all`].
pub fn play_one(scene: &Scene, stage: &mut Stage<'_>) -> Result<()> {
    let place = SCENES.iter().position(|one| one.name == scene.name).map_or(0, |place| place + 1);
    stage.heading(&format!("{place}/{}  {}", SCENES.len(), scene.title))?;
    stage.question(scene.question)?;
    (scene.play)(stage)
}

/// Commands for afterwards, with what they show.
const NEXT: &[(&str, &str)] = &[
    (
        "cargo run --bin work_queue -- \"First message.\" \"Second message..\"",
        "Your own tasks. Each dot is a second.",
    ),
    (
        "cargo run --bin work_queue -- --kill w1@1.5 first...... second.. third",
        "Scene 2, with the second of the kill in your hand.",
    ),
    (
        "cargo run --bin work_queue -- --prefetch 0 odd1... even2 odd3... even4",
        "Scene 5 without a window. Add --history to see the broker's own timeline.",
    ),
    (
        "cargo run --bin tutorial -- \"First message.\" \"Second message..\"",
        "The tutorial's two programs in real time. Their code is in crates/demo/src/tutorial.",
    ),
    (
        "cargo run --bin new_task -- \"First message.\"  &&  cargo run --bin worker",
        "The same two programs, one after the other: the task is in ./leveret-data between them.",
    ),
    (
        "cargo run --bin work_queue -- --dir my-tasks first... second... third...",
        "Kill it (kill -9) in the middle of a task, and run it again.",
    ),
    ("cargo run -- --scene crash --pace 1000", "One scene, slowly."),
];
